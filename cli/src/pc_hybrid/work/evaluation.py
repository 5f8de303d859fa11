"""Measuring an agent by questions whose answers are known."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pc_hybrid.connection import connect
from pc_hybrid.failures import ExitCode, Failure
from pc_hybrid.terminal import Terminal
from pc_hybrid.text import clipped, plural, safe, table
from promptcraft_sdk.client import api
from promptcraft_sdk.client.schemas import Environment, Evaluation, EvaluationVerdict

_LONGEST = 60
_HOW = {"fused": "words and meaning", "bm25": "words alone"}


def evaluate(
    terminal: Terminal, name: str, file: Path, environment: Environment | None, *, calibrate: bool, every: bool
) -> None:
    questions = read_questions(file)
    with connect() as client:
        done = client.send(api.evaluate_agent(name, questions, environment=environment, calibrate=calibrate))
    terminal.data(done, _lines(done, every=every), rows=done.verdicts, columns=EvaluationVerdict)
    if done.enough is not None:
        terminal.say(f"It answers from a confidence of {done.enough:.2f} on, in a moment.")


def read_questions(file: Path) -> Any:
    """The question set, for the platform to judge. YAML holds JSON too."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not written in UTF-8"
        raise _unusable(file, f"cannot be read: {reason}") from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise _unusable(
            file, f"is not YAML: {where}{getattr(error, 'problem', None) or 'it cannot be read'}"
        ) from error
    except (ValueError, RecursionError) as error:  # what looks like a date and is none; lists without end in each other
        raise _unusable(file, f"is not YAML: {error}") from error


def _unusable(file: Path, what: str) -> Failure:
    return Failure(
        f"{file} {what}",
        exit_code=ExitCode.USAGE,
        next_step="Write a list of questions, each with file and answer, or answerable: false.",
    )


def _lines(done: Evaluation, *, every: bool) -> Iterator[str]:
    figures = done.figures
    yield (
        f"{safe(done.agent_name)} {safe(done.version)} in {safe(done.environment)}, "
        f"by {_HOW.get(done.retrieval, safe(done.retrieval))}: {plural(len(done.verdicts), 'question')}"
    )
    counted = (
        ("right file in 3", figures.right_file, figures.answerable),
        ("answer within the cited lines", figures.within_lines, figures.answerable),
        ("declined of the unanswerable", figures.declined, figures.unanswerable),
        ("wrongly declined", figures.wrongly_declined, figures.answerable),
    )
    rows = [
        (f"  {what}", f"{part} of {whole}", f"{part / whole:.0%}" if whole else "-") for what, part, whole in counted
    ]
    yield from list(table(("", "", ""), rows))[1:]
    shown = [verdict for verdict in done.verdicts if every or _outcome(verdict) != "right"]
    if shown:
        yield ""
        yield from table(
            ("OUTCOME", "CONFIDENCE", "QUESTION", "CITED"),
            [
                (
                    _outcome(verdict),
                    "-" if verdict.confidence is None else f"{verdict.confidence:.2f}",
                    clipped(safe(verdict.question), _LONGEST),
                    verdict.cited[0] if verdict.cited else "-",
                )
                for verdict in shown
            ],
        )


def _outcome(verdict: EvaluationVerdict) -> str:
    if not verdict.answerable:
        return "answered" if verdict.answered else "right"
    if not verdict.answered:
        return "declined"
    if verdict.within_lines is not None:
        return "right" if verdict.within_lines else "other lines"
    return "right" if verdict.right_file else "other file"
