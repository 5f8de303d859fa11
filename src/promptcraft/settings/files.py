"""Reads a settings file: TOML where its name ends so, else lines of NAME=value as in `.env.example`."""

import re
import tomllib
from pathlib import Path
from typing import Any, cast

from promptcraft.settings.problems import Problem, SettingsError

_LINE = re.compile(r"^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$")
_QUOTED = re.compile(r"""^(?:"((?:[^"\\]|\\.)*)"|'([^']*)')\s*(?:#.*)?$""")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_ESCAPES = {"n": "\n", "t": "\t"}


def read_settings_file(path: Path) -> dict[str, str]:
    """Give the names and values of a settings file as text; SettingsError where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _broken(
            path, f"cannot be read ({error.strerror})", "name a file that exists and that you may read"
        ) from None
    except UnicodeDecodeError:
        raise _broken(path, "is not UTF-8 text", "save it as UTF-8") from None
    return _toml(path, text) if path.suffix == ".toml" else _lines(path, text)


def without_comment(value: str) -> str:
    """Cut a comment off a value that was not quoted: §7 writes `2555  # 7 years`."""
    return _COMMENT.sub("", value).strip()


def _broken(path: Path, problem: str, fix: str) -> SettingsError:
    return SettingsError([Problem(f"settings file {path}", problem, fix)])


def _toml(path: Path, text: str) -> dict[str, str]:
    try:
        values = tomllib.loads(text, parse_float=str)
    except tomllib.TOMLDecodeError:
        # The parser's message quotes the line, which may hold a secret.
        raise _broken(path, "is not TOML", 'write lines such as LOG_LEVEL = "INFO"') from None
    return {name: _text(path, name, value) for name, value in values.items()}


def _text(path: Path, name: str, value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_text(path, name, item) for item in cast("list[Any]", value))
    if isinstance(value, dict) or value is None:
        raise _broken(path, f"holds a table named {name}", "write every setting by its own name at the top level")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lines(path: Path, text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        where = f"settings file {path}, line {number}"
        match = _LINE.match(stripped)
        value = _value(match[2]) if match else None
        if not match or value is None:
            problems.append(Problem(where, "cannot be understood", "write NAME=value, or NAME='value' with quotes"))
        elif match[1] in values:
            problems.append(Problem(where, f"sets {match[1]} a second time", "keep one of the two lines"))
        else:
            values[match[1]] = value
    if problems:
        raise SettingsError(problems)
    return values


def _value(text: str) -> str | None:
    if text[:1] not in ("'", '"'):
        return without_comment(text)
    match = _QUOTED.match(text)
    if not match:
        return None
    if match[2] is not None:
        return match[2]
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match[1])
