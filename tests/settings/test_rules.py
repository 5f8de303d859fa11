"""What settings must hold together."""

import pytest

from promptcraft.settings import SettingsError, load_settings, plain

URL = "postgresql://app:s3cret@db.example.org:5433/hybrid"


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"REDIS_PASSWORD": "x"}, "REDIS_PASSWORD"),
        ({"ANALYTICS_DB_PASSWORD": "x"}, "ANALYTICS_DB_PASSWORD"),
        ({"ANALYTICS_DB_URL": URL, "ANALYTICS_DB_HOST": "other"}, "ANALYTICS_DB_HOST"),
        ({"ANALYTICS_DB_URL": URL, "ANALYTICS_DB_PASSWORD": "other"}, "ANALYTICS_DB_PASSWORD"),
        ({"ANALYTICS_DB_URL": URL, "POSTGRES_URL": URL.replace("hybrid", "other")}, "POSTGRES_URL"),
        ({"ANALYTICS_DB_HOST": "a", "POSTGRES_HOST": "b"}, "POSTGRES_HOST"),
        ({"ANALYTICS_DB_URL": "mysql://db/x"}, "ANALYTICS_DB_URL"),
        ({"ANALYTICS_DB_URL": "postgresql://db"}, "ANALYTICS_DB_URL"),
        ({"REDIS_URL": "redis://a:6379/0", "CELERY_BROKER_URL": "redis://b:6379/0"}, "CELERY_BROKER_URL"),
        ({"REDIS_URL": "redis://a:6379/0", "REDIS_HOST": "b"}, "REDIS_HOST"),
        ({"REDIS_URL": "http://a"}, "REDIS_URL"),
        ({"PROMPTCRAFT_PORT": "8000", "API_PORT": "8001"}, "API_PORT"),
        ({"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com"}, "AZURE_OPENAI_ENDPOINT"),
        ({"AZURE_OPENAI_API_KEY": "x"}, "AZURE_OPENAI_API_KEY"),
        ({"SAML_CERTIFICATE_PATH": "/x.crt"}, "SAML_CERTIFICATE_PATH"),
        ({"JWT_EXPIRATION_HOURS": "25"}, "JWT_EXPIRATION_HOURS"),
        ({"JWT_EXPIRATION_HOURS": "0"}, "JWT_EXPIRATION_HOURS"),
        ({"COMPLIANCE_LEVEL": "SOC2", "DEBUG_MODE": "true"}, "DEBUG_MODE"),
        ({"COMPLIANCE_LEVEL": "SOC2,HIPAA", "DATA_RETENTION_DAYS": "400"}, "DATA_RETENTION_DAYS"),
        ({"COMPLIANCE_LEVEL": "GDPR", "ENABLE_GDPR_COMPLIANCE": "false"}, "ENABLE_GDPR_COMPLIANCE"),
        ({"AGENT_FACTORY_AUTO_PUSH": "true"}, "AGENT_FACTORY_AUTO_PUSH"),
        ({"MIN_REPLICAS": "3", "MAX_REPLICAS": "2"}, "MIN_REPLICAS"),
        ({"POSTGRES_BACKUP_PATH": "/proc/version/x"}, "POSTGRES_BACKUP_PATH"),
        ({"MCP_SANDBOX_NETWORK": "0.0.0.0/0"}, "MCP_SANDBOX_NETWORK"),
        ({"JAEGER_ENDPOINT": "http://jaeger:14268/api/traces"}, "JAEGER_ENDPOINT"),
        ({"ENABLE_DISTRIBUTED_TRACING": "true"}, "ENABLE_DISTRIBUTED_TRACING"),
        ({"EXTERNAL_SIEM_URL": "ftp://siem"}, "EXTERNAL_SIEM_URL"),
        ({"BACKUP_SCHEDULE": "61 2 * * *"}, "BACKUP_SCHEDULE"),
        ({"PROMPTCRAFT_RUNTIME_DRIVER": "docker"}, "PROMPTCRAFT_RUNTIME_DRIVER"),
        ({"PROMPTCRAFT_GIT_AUTHOR": "nobody"}, "PROMPTCRAFT_GIT_AUTHOR"),
        ({"PROMPTCRAFT_MASTER_KEY": "too short"}, "PROMPTCRAFT_MASTER_KEY"),
    ],
)
def test_settings_that_contradict_are_refused_by_name(environ: dict[str, str], name: str):
    with pytest.raises(SettingsError) as error:
        load_settings(environ)

    assert [problem.name for problem in error.value.problems] == [name]
    assert error.value.problems[0].fix


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_database_address_is_given_as_the_driver_wants_it(scheme: str):
    settings = load_settings({"POSTGRES_URL": URL.replace("postgresql", scheme)})

    assert plain(settings.core.owner_url) == URL.replace("postgresql", "postgresql+psycopg")


def test_parts_of_a_database_make_its_address_whatever_the_password():
    settings = load_settings({"POSTGRES_HOST": "db", "ANALYTICS_DB_PASSWORD": "p@ss/w:rd"})

    assert plain(settings.core.owner_url) == "postgresql+psycopg://promptcraft:p%40ss%2Fw%3Ard@db:5432/promptcraft"


def test_address_and_parts_that_agree_are_accepted():
    settings = load_settings(
        {
            "ANALYTICS_DB_URL": URL,
            "ANALYTICS_DB_PORT": "5433",
            "ANALYTICS_DB_NAME": "hybrid",
            "ANALYTICS_DB_USER": "app",
        }
    )

    assert plain(settings.core.owner_url) == URL.replace("postgresql", "postgresql+psycopg")


def test_broker_may_be_another_database_of_the_same_server():
    settings = load_settings(
        {"REDIS_HOST": "redis", "REDIS_PASSWORD": "s3cret", "CELERY_BROKER_URL": "redis://redis:6379/1"}
    )

    assert plain(settings.core.broker_address) == "redis://:s3cret@redis:6379/1"


@pytest.mark.parametrize("address", ["redis://h:6379/0", "rediss://:p@h:6380/2", "unix:///run/valkey.sock?db=1"])
def test_redis_addresses_of_every_kind(address: str):
    assert plain(load_settings({"REDIS_URL": address}).core.redis_address) == address


def test_an_alias_that_agrees_is_accepted():
    assert load_settings({"PROMPTCRAFT_PORT": "8001", "API_PORT": "8001"}).app.port == 8001


@pytest.mark.parametrize(
    ("text", "size"), [("512M", 2**29), ("1Gi", 2**30), ("1G", 2**30), ("1048576", 2**20), ("1.5g", 3 * 2**29)]
)
def test_sizes_are_written_as_docker_and_kubernetes_write_them(text: str, size: int):
    assert load_settings({"MCP_RESOURCE_LIMITS_MEMORY": text}).runtime.mcp_resource_limits_memory == size


@pytest.mark.parametrize(("text", "cores"), [("0.5", "0.5"), ("500m", "0.5"), ("2", "2")])
def test_processors_are_written_as_docker_and_kubernetes_write_them(text: str, cores: str):
    assert f"{load_settings({'MCP_RESOURCE_LIMITS_CPU': text}).runtime.mcp_resource_limits_cpu}" == cores


@pytest.mark.parametrize(
    ("text", "cron"), [("daily", "0 0 * * *"), ("0 2 * * *  # Daily at 2 AM", "0 2 * * *"), ("*/5 8-18 * * 1,3", None)]
)
def test_schedules_are_words_or_cron_lines(text: str, cron: str | None):
    assert load_settings({"BACKUP_SCHEDULE": text}).backup.backup_schedule == (cron or text)


def test_levels_of_logs_are_set_for_each_logger():
    settings = load_settings({"LOG_LEVEL": "warning,promptcraft.audit=DEBUG"})

    assert settings.core.log_level == {"": "WARNING", "promptcraft.audit": "DEBUG"}


@pytest.mark.parametrize("key", ["00" * 32, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "-" * 42 + "8"])
def test_master_key_is_hexadecimal_or_base64(key: str):
    master_key = load_settings({"PROMPTCRAFT_MASTER_KEY": key}).core.master_key_bytes

    assert master_key is not None
    assert len(master_key) == 32
