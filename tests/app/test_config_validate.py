"""`config validate`, as it is called on a terminal."""

import json
from pathlib import Path

import pytest

from promptcraft.app.config import main


def test_usable_settings_exit_0_and_say_what_has_no_effect_yet(capsys: pytest.CaptureFixture[str]):
    code = main(["validate"], {"KEYCLOAK_REALM": "staff", "LOG_LEVEL": "DEBUG"})

    assert code == 0
    assert "KEYCLOAK_REALM: no effect in this version" in capsys.readouterr().out


def test_refused_settings_exit_2_with_each_fix_and_no_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "promptcraft.env"
    file.write_text("JWT_ALGORITHM=HS256\nANALYTICS_DB_URL=mysql://a:hunter2@b/c\n")

    code = main(["validate", "--settings", str(file)], {})

    captured = capsys.readouterr()
    assert code == 2
    assert "JWT_ALGORITHM" in captured.err
    assert captured.err.count("Fix:") == 2
    assert "hunter2" not in captured.err + captured.out


def test_json_is_for_programs(capsys: pytest.CaptureFixture[str]):
    code = main(["validate", "-o", "json"], {"PROMPTCRAFT_PORT": "http"})

    report = json.loads(capsys.readouterr().out)
    assert (code, report["ok"]) == (2, False)
    assert report["problems"][0]["name"] == "PROMPTCRAFT_PORT"
