"""ALLOWED_ORGANIZATIONS, and what nobody of another organisation sees."""

import httpx
import pytest
from sqlalchemy import text

from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.db import unit_of_work
from tests.conftest import Platform
from tests.people import PASSWORD, Person

TABLES = ("organisation", "user_account", "password", "user_group", "group_member", "role_binding", "session")


@pytest.fixture(scope="module")
def settings_given() -> dict[str, str]:
    return {"ALLOWED_ORGANIZATIONS": "acme,another"}


async def test_only_the_organisations_of_the_setting_sign_in(
    alice: Person, nobody: httpx.AsyncClient, platform: Platform
):
    answer = await nobody.post("/auth/token", json={"username": alice.name, "password": PASSWORD})

    assert answer.status_code == 200


async def test_others_are_refused_like_a_wrong_password_and_the_log_says_why(person, nobody: httpx.AsyncClient):
    with pytest.raises(Exception, match="Username or password is wrong"):
        await person("admin", org="rival")


@pytest.mark.parametrize("table", TABLES)
async def test_the_database_itself_shows_an_organisation_nothing_of_another(person, platform: Platform, table: str):
    await person("viewer", groups=("engineering",))
    count = text(f"select count(*) filter (where org_id = :acme), count(*) from identity.{table}")  # noqa: S608 - a constant

    async with unit_of_work(platform.db, platform_actor(org_id=platform.acme)) as session:
        own, seen = (await session.execute(count, {"acme": platform.acme})).one()
    async with unit_of_work(platform.db, platform_actor(org_id=platform.rival)) as session:
        foreign, _ = (await session.execute(count, {"acme": platform.acme})).one()

    assert own == seen >= 1
    assert foreign == 0
