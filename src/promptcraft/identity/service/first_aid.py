"""What the owner of the host does for people who cannot help themselves over the API."""

from promptcraft.identity.errors import NoSuchUser
from promptcraft.identity.schemas import FirstAdministrator
from promptcraft.identity.service import second_factor, sessions
from promptcraft.identity.service.accounts import account_named
from promptcraft.identity.service.passwords import generate_password, hash_password
from promptcraft.identity.service.people import canonical_username, keep_password
from promptcraft.kernel import audit
from promptcraft.kernel.actor import platform_actor
from promptcraft.kernel.audit.catalogue.identity import PASSWORD_RESET
from promptcraft.kernel.context import current
from promptcraft.kernel.db import Database, unit_of_work


async def reset_password(
    db: Database, username: str, account: str, *, remove_second_factor: bool = False
) -> FirstAdministrator:
    """Give a user a new password, known here once; all their sessions end. `account` is who did it on the host.

    Raises NoSuchUser; NoSecondFactor where there is none to remove.
    """
    found = await account_named(db, canonical_username(username))
    if found is None:
        raise NoSuchUser(f"There is no user {username}.")
    password = generate_password()
    hashed = await hash_password(password)
    actor = platform_actor(current().request_id, found.org_id)
    async with unit_of_work(db, actor) as session:
        await keep_password(session, actor, found.user_id, hashed)
        if remove_second_factor:
            await second_factor.forget(session, actor, found.user_id)
        await sessions.end_all(session, found.org_id, found.user_id)
        await audit.record(session, actor, PASSWORD_RESET, resource=found.user_id, account=account)
    return FirstAdministrator(username=found.username, password=password, organization=found.organisation)
