"""`config validate`: would the platform start with these settings, and what to change where it would not."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from promptcraft.settings import Problem, read_settings


@dataclass(frozen=True, slots=True)
class Report:
    """What `config validate` found: names and reasons, and no value but where everything is kept."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    given: tuple[str, ...]
    no_effect: tuple[str, ...]
    data_dir: str

    @property
    def ok(self) -> bool:
        """Whether the platform starts with these settings."""
        return not self.problems


def validate_report(environ: Mapping[str, str] | None = None, file: Path | None = None) -> Report:
    """Read the settings as a start would and report every problem at once."""
    settings, problems = read_settings(environ, file)
    return Report(
        problems=tuple(problems),
        warnings=settings.warnings,
        given=tuple(sorted(settings.given)),
        no_effect=settings.without_effect,
        data_dir=str(settings.core.data_dir.absolute()),
    )


def main(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Run `config ...`; the exit code is 0 where the settings can be used and 2 where not."""
    parser = argparse.ArgumentParser(prog="config", description="What the platform is told from outside.")
    commands = parser.add_subparsers(dest="command", required=True)
    validate = commands.add_parser("validate", help="check the settings without starting anything")
    validate.add_argument("--settings", type=Path, metavar="FILE", help="settings file (TOML, or lines of NAME=value)")
    validate.add_argument("-o", "--output", "--format", choices=("table", "json"), default="table")
    arguments = parser.parse_args(argv)
    report = validate_report(environ, arguments.settings)
    if arguments.output == "json":
        print(json.dumps({"ok": report.ok, **asdict(report)}, indent=2))
    else:
        _print(report)
    return 0 if report.ok else 2


def _print(report: Report) -> None:
    for problem in report.problems:
        given = f" (given: {problem.given})" if problem.given else ""
        print(f"{problem.name}\n  {problem.problem}{given}\n  Fix: {problem.fix}", file=sys.stderr)
    for warning in report.warnings:
        print(f"Warning: {warning}", file=sys.stderr)
    for name in report.no_effect:
        print(f"{name}: no effect in this version")
    count = len(report.problems)
    if count:
        print(f"{count} problem{'s' * (count > 1)}: the platform would not start.", file=sys.stderr)
    else:
        print(f"Settings are usable: {len(report.given)} set, every other has its default.")
