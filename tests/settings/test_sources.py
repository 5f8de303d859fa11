"""Where settings come from: the environment, a file, files of one secret; and what is not a setting."""

from decimal import Decimal
from pathlib import Path

import pytest

from promptcraft.settings import SettingsError, load_settings, plain


def problems(environ: dict[str, str], file: Path | None = None) -> dict[str, str]:
    with pytest.raises(SettingsError) as error:
        load_settings(environ, file)
    return {problem.name: f"{problem.problem}. {problem.fix}" for problem in error.value.problems}


@pytest.fixture
def env(tmp_path: Path):
    def write(text: str, name: str = "promptcraft.env") -> Path:
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def test_environment_wins_over_the_file(env):
    file = env("PROMPTCRAFT_PORT=9000\nLOG_LEVEL=DEBUG\n")

    settings = load_settings({"PROMPTCRAFT_PORT": "9001", "PROMPTCRAFT_SETTINGS": str(file)})

    assert (settings.app.port, settings.core.log_level) == (9001, {"": "DEBUG"})


def test_toml_holds_numbers_flags_and_lists(env):
    text = 'PROMPTCRAFT_PORT = 9000\nDEBUG_MODE = true\nALLOWED_ORGANIZATIONS = ["acme", "umbrella"]\n'

    settings = load_settings({}, env(text, "settings.toml"))

    assert (settings.app.port, settings.app.debug_mode) == (9000, True)
    assert settings.identity.allowed_organizations == ("acme", "umbrella")


def test_toml_holds_a_small_number_as_it_is_written(env):
    settings = load_settings({}, env("PROMPTCRAFT_PRICE_CPU_SECOND = 0.0000125\n", "settings.toml"))

    assert settings.runtime.price_cpu_second == Decimal("0.0000125")


def test_quotes_keep_what_would_be_a_comment_and_bare_values_lose_it(env):
    file = env("ANALYTICS_DB_HOST=db # the server\nANALYTICS_DB_PASSWORD='a #b'\nexport REDIS_HOST = cache\n")

    settings = load_settings({}, file)

    assert settings.core.analytics_db_host == "db"
    assert plain(settings.core.analytics_db_password) == "a #b"
    assert settings.core.redis_host == "cache"


def test_a_secret_of_the_environment_is_taken_whole():
    settings = load_settings({"ANALYTICS_DB_HOST": "db", "ANALYTICS_DB_PASSWORD": "a #b"})

    assert plain(settings.core.analytics_db_password) == "a #b"


def test_unknown_name_in_the_file_stops_the_start_and_says_what_was_meant(env):
    found = problems({}, env("LOG_LEVLE=INFO\nSOMETHING_ELSE=1\n"))

    assert "did you mean LOG_LEVEL?" in found["LOG_LEVLE"]
    assert "SOMETHING_ELSE" in found


@pytest.mark.parametrize(("name", "meant"), [("REDIS_HSOT", "REDIS_HOST"), ("ANALYTIC_DB_URL", "ANALYTICS_DB_URL")])
def test_variable_one_or_two_edits_away_warns_and_starts(name: str, meant: str):
    settings = load_settings({name: "x", "HOME": "/nonexistent", "PATH": "/usr/bin"})

    assert settings.warnings == (f"{name} is no setting and is ignored. Did you mean {meant}?",)


def test_a_file_with_a_line_that_cannot_be_read_names_the_line_and_not_its_content(env):
    file = env("LOG_LEVEL=INFO\nhunter2 is my password\n")

    with pytest.raises(SettingsError) as error:
        load_settings({}, file)

    assert "line 2" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_settings_file_that_is_missing_stops_the_start(tmp_path: Path):
    assert problems({"PROMPTCRAFT_SETTINGS": str(tmp_path / "none.env")})


def test_broken_toml_is_refused_without_its_content(env):
    with pytest.raises(SettingsError) as error:
        load_settings({}, env('REDIS_PASSWORD = "hunter2\n', "x.toml"))

    assert "hunter2" not in str(error.value)


def test_secret_is_read_from_a_file_without_its_line_end(env):
    secret = env("s3cret\n", "password")

    settings = load_settings({"REDIS_HOST": "cache", "REDIS_PASSWORD_FILE": str(secret)})

    assert plain(settings.core.redis_address) == "redis://:s3cret@cache:6379/0"


def test_a_secret_and_its_file_are_refused_together(env):
    found = problems({"GITHUB_TOKEN": "a", "GITHUB_TOKEN_FILE": str(env("b", "token"))})

    assert "GITHUB_TOKEN_FILE" in found["GITHUB_TOKEN"]


@pytest.mark.parametrize("content", [None, ""])
def test_a_secret_file_that_is_missing_or_empty_stops_the_start(env, tmp_path: Path, content: str | None):
    path = tmp_path / "none" if content is None else env(content, "token")

    assert set(problems({"GITHUB_TOKEN_FILE": str(path)})) == {"GITHUB_TOKEN_FILE"}


def test_file_of_what_is_no_secret_is_ignored_with_a_warning():
    settings = load_settings({"LOG_LEVEL_FILE": "/dev/null"})

    assert "LOG_LEVEL_FILE" in settings.warnings[0]


def test_an_empty_value_counts_as_not_set():
    assert load_settings({"REDIS_HOST": "", "REDIS_PASSWORD": " "}).given == frozenset()


def test_data_directory_stands_in_the_xdg_place():
    assert load_settings({"XDG_DATA_HOME": "/srv/share"}).core.data_dir == Path("/srv/share/promptcraft")


def test_settings_cannot_be_changed():
    settings = load_settings({})

    with pytest.raises(ValueError, match="frozen"):
        setattr(settings.app, "port", 1)  # noqa: B010 - an assignment would not get past the type checker
