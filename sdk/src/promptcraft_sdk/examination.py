"""Asks the agent of a repository the questions of its `tests/questions.yaml`: the share answered right is its accuracy.

    PYTHONPATH=src python -m promptcraft_sdk.examination NAME

Run in the repository. Its last line is one JSON object, an `Outcome`. It exits with 2 where the questions cannot be
read.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import TypeAdapter, ValidationError

from promptcraft_sdk.agent import Agent
from promptcraft_sdk.questions import HELD, MOST_QUESTIONS, AskedQuestion, Outcome, is_right, judge

_MOST_SHOWN: Final = 10


class QuestionsUnusableError(Exception):
    """A question set that cannot be asked; the text says where and why."""


def read_questions(file: Path) -> tuple[AskedQuestion, ...]:
    """The questions of a file, as `agent evaluate` takes them. Raises QuestionsUnusableError."""
    try:
        content: object = yaml.safe_load(file.read_text(encoding="utf-8"))
        questions = TypeAdapter(tuple[AskedQuestion, ...]).validate_python(content)
    except yaml.YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise QuestionsUnusableError(f"{file}{where}: {getattr(error, 'problem', None) or 'is not YAML'}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        raise QuestionsUnusableError(f"{file} at /{place}: {first['msg']}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise QuestionsUnusableError(f"{file}: {error}") from error
    if not 1 <= len(questions) <= MOST_QUESTIONS:
        raise QuestionsUnusableError(f"{file}: between 1 and {MOST_QUESTIONS} questions are asked")
    return questions


def examine(agent: Agent, questions: tuple[AskedQuestion, ...]) -> Outcome:
    """Ask an agent every question, in this process."""
    missed: list[str] = []
    for asked in questions:
        answer = agent.ask(asked.question)
        if not is_right(judge(asked, answer.answered, answer.confidence, answer.citations)):
            missed.append(asked.question[:200])
    return Outcome(questions=len(questions), right=len(questions) - len(missed), missed=tuple(missed[:_MOST_SHOWN]))


def main() -> int:
    """Examine the agent whose package is named."""
    try:
        questions = read_questions(HELD)
    except QuestionsUnusableError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    agent: Agent = import_module(f"{sys.argv[1]}.agent").make_agent()
    print(examine(agent, questions).model_dump_json())  # noqa: T201  the program's outcome
    return 0


if __name__ == "__main__":
    sys.exit(main())
