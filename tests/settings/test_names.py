"""Every name of the specification is accepted, and what it refuses is refused with name, shape and fix."""

import re
from pathlib import Path

import pytest

from promptcraft.settings import Description, Problem, SettingsError, describe, load_settings

SECTION_7 = Path(__file__).with_name("section_7.env")


def refused(environ: dict[str, str], file: Path | None = None) -> list[Problem]:
    with pytest.raises(SettingsError) as error:
        load_settings(environ, file)
    return list(error.value.problems)


def test_no_setting_is_mandatory():
    settings = load_settings({})

    assert (settings.app.host, settings.app.port) == ("127.0.0.1", 8000)
    assert settings.core.owner_url is None
    assert settings.core.redis_address is None
    assert settings.warnings == ()


def test_section_7_as_it_stands_is_refused_only_where_the_table_refuses_it():
    names = re.findall(r"^([A-Z0-9_]+)=", SECTION_7.read_text(), re.MULTILINE)

    problems = refused({}, SECTION_7)

    assert len(names) == 74
    expected = {"JWT_ALGORITHM", "JAEGER_ENDPOINT"}
    # What this host routes and may write decides about the network and the paths.
    host = {"MCP_SANDBOX_NETWORK", "QDRANT_BACKUP_PATH", "POSTGRES_BACKUP_PATH"}
    assert {problem.name for problem in problems} - host == expected


def test_section_7_with_its_two_refusals_mended_is_read(tmp_path: Path):
    text = SECTION_7.read_text().replace("HS256", "ES256").replace(":14268/api/traces", ":4318")
    text = text.replace("/backups", str(tmp_path)).replace("172.21.0.0/16", "10.213.99.0/24")
    file = tmp_path / "promptcraft.env"
    file.write_text(text)

    settings = load_settings({}, file)

    assert settings.audit.data_retention_days.days == 2555
    assert settings.backup.backup_schedule == "0 2 * * *"
    assert settings.runtime.mcp_resource_limits_memory == 1024**3
    assert settings.identity.jwt_expiration_hours.total_seconds() == 24 * 3600
    assert "BACKUP_SCHEDULE" in settings.without_effect
    assert "LOG_LEVEL" not in settings.without_effect


def test_names_of_section_8_are_accepted():
    settings = load_settings(
        {
            "API_PORT": "8001",
            "INSTANCE_ID": "1",
            "ZEN_ENDPOINT": "http://zen-mcp-1:3000",
            "REGISTRY_URL": "http://registry:5000",
            "POSTGRES_HOST": "postgres",
            "REDIS_HOST": "redis",
            "CELERY_BROKER_URL": "redis://redis:6379/1",
            "GITHUB_TOKEN": "t",
            "NODE_ENV": "production",
        }
    )

    assert (settings.app.port, settings.core.instance) == (8001, "1")
    assert {warning.split()[0] for warning in settings.warnings} == {"ZEN_ENDPOINT", "REGISTRY_URL"}


ANY_TEXT = ("a secret", "a path", "paths between commas")


@pytest.mark.parametrize("each", [each for each in describe() if each.type not in ANY_TEXT], ids=lambda each: each.name)
def test_a_value_of_the_wrong_form_names_the_setting_and_never_shows_the_value(each: Description):
    value = "hunter2 <> \x01 swordfish"

    [problem] = [problem for problem in refused({each.name: value}) if problem.name == each.name]

    assert problem.fix
    assert problem.given
    assert "hunter2" not in str(problem)
    assert "swordfish" not in str(problem)


def test_every_problem_is_listed_at_once():
    problems = refused({"PROMPTCRAFT_PORT": "http", "LOG_LEVEL": "LOUD", "MIN_REPLICAS": "5", "MAX_REPLICAS": "2"})

    assert {problem.name for problem in problems} == {"PROMPTCRAFT_PORT", "LOG_LEVEL", "MIN_REPLICAS"}


@pytest.mark.parametrize("algorithm", ["HS256", "hs512", "RS256", "none"])
def test_tokens_are_signed_by_nothing_but_a_private_key(algorithm: str):
    [problem] = refused({"JWT_ALGORITHM": algorithm})

    assert problem.name == "JWT_ALGORITHM"
    assert "ES256" in problem.fix


def test_jwt_secret_is_accepted_with_a_warning_that_does_not_hold_it():
    settings = load_settings({"JWT_SECRET": "hunter2"})

    assert any("JWT_SECRET" in warning for warning in settings.warnings)
    assert "hunter2" not in repr(settings)
