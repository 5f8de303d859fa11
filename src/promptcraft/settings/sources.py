"""Collects what was set: in the environment, else in a settings file; secrets also in files of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

from promptcraft.settings.files import read_settings_file, without_comment
from promptcraft.settings.model import COMMON_ELSEWHERE, SETTINGS_FILE, UNUSED, known_names, secret_names
from promptcraft.settings.problems import Problem, SettingsError

_PREFIX = "PROMPTCRAFT_"


@dataclass(slots=True)
class Collected:
    """Text by name as it was given (aliases still apart), with what was wrong on the way."""

    values: dict[str, str] = field(default_factory=dict[str, str])
    problems: list[Problem] = field(default_factory=list[Problem])
    warnings: list[str] = field(default_factory=list[str])


def collect(environ: Mapping[str, str], file: Path | None) -> Collected:
    """Read every source; an empty value counts as not set, as compose files pass it on."""
    collected = Collected()
    from_file = _from_file(collected, file)
    from_environ = _from_environ(collected, environ)
    given = {name: value for name, value in {**from_file, **from_environ}.items() if value.strip()}
    for name in UNUSED.keys() & given.keys():
        if name in from_file or name not in COMMON_ELSEWHERE:
            collected.warnings.append(f"{name} is accepted and not used: {UNUSED[name]}.")
        del given[name]
    collected.values = _with_secrets_of_files(collected, given)
    return collected


def _from_file(collected: Collected, file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        values = read_settings_file(file)
    except SettingsError as error:
        collected.problems.extend(error.problems)
        return {}
    allowed = known_names() - {SETTINGS_FILE} | _file_names()
    for name in sorted(values.keys() - allowed):
        near = closest(name, allowed)
        fix = f"did you mean {near}?" if near else "remove the line; docs/reference/settings.md lists every name"
        collected.problems.append(Problem(name, f"is no setting (in the settings file {file})", fix))
    return {name: value for name, value in values.items() if name in allowed}


def _from_environ(collected: Collected, environ: Mapping[str, str]) -> dict[str, str]:
    known = known_names()
    accepted = known | _file_names()
    for name in sorted(environ.keys() - accepted):
        near = closest(name, accepted)
        of_file = name.removesuffix("_FILE")
        if name.endswith("_FILE") and of_file in known:
            collected.warnings.append(f"{name} is ignored: only secrets are read from a file. Set {of_file}.")
        elif near:
            collected.warnings.append(f"{name} is no setting and is ignored. Did you mean {near}?")
        elif name.startswith(_PREFIX):
            collected.warnings.append(
                f"{name} is no setting and is ignored. docs/reference/settings.md lists every name."
            )
    secrets = secret_names()
    return {
        name: value if name in secrets else without_comment(value)
        for name, value in environ.items()
        if name in accepted and name != SETTINGS_FILE
    }


def _file_names() -> frozenset[str]:
    return frozenset(f"{name}_FILE" for name in secret_names())


def _with_secrets_of_files(collected: Collected, given: dict[str, str]) -> dict[str, str]:
    values = dict(given)
    for file_name in sorted(given.keys() & _file_names()):
        name, path = file_name.removesuffix("_FILE"), Path(values.pop(file_name)).expanduser()
        if name in given:
            values.pop(name)
            collected.problems.append(Problem(name, f"is set together with {file_name}", "keep one of the two"))
            continue
        try:
            value = path.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError):
            fix = "name a readable text file that holds the secret and nothing else"
            collected.problems.append(Problem(file_name, "names a file that cannot be read", fix))
            continue
        if value:
            values[name] = value
        else:
            collected.problems.append(Problem(file_name, "names an empty file", "write the secret into it"))
    return values


def closest(name: str, known: frozenset[str]) -> str | None:
    """Find the known name that one or two edits turn this one into."""
    near = [(edits, other) for other in known if (edits := _edits(name, other, limit=2)) <= 2]
    return min(near)[1] if near else None


@cache
def _parts(name: str) -> tuple[str, ...]:
    """Cut a name into five: two edits, each of which may lie across a cut, leave at least one part as it is."""
    cuts = [len(name) * part // 5 for part in range(6)]
    return tuple(name[start:end] for start, end in pairwise(cuts))


def _edits(a: str, b: str, *, limit: int) -> int:
    """Count the insertions, deletions, replacements and swaps of neighbours between two names, up to a limit."""
    if abs(len(a) - len(b)) > limit or not any(part in a for part in _parts(b)):
        return limit + 1
    two_above: list[int] = []
    above = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                cost = min(cost, two_above[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        two_above, above = above, row
    return above[-1]
