"""A question set: what people ask an agent, where the answer stands, and what it does not know.

An agent is measured by it, and finds out by it from which confidence on to answer. Nothing heavy is imported here.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Where an agent's repository holds the set that its accuracy is measured by.
HELD: Final = Path("tests") / "questions.yaml"
MOST_QUESTIONS: Final = 500
# With fewer a threshold says more about the questions than about the agent.
LEAST_ANSWERABLE: Final = 10
LEAST_UNANSWERABLE: Final = 5

_LINES: Final = r"^[1-9]\d{0,6}-[1-9]\d{0,6}$"
_Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class AskedQuestion(BaseModel):
    """One question: either what it is answered by, or `answerable: false`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: _Text = Field(examples=["When is the VAT return due?"])
    file: Annotated[str, Field(max_length=1_000)] | None = Field(
        default=None, description="the document that answers it, its path below knowledge/documents"
    )
    answer: Annotated[tuple[_Text, ...], Field(max_length=20)] | _Text | None = Field(
        default=None, description="words that stand where the answer is; one of several will do"
    )
    lines: Annotated[str, Field(pattern=_LINES)] | None = Field(
        default=None, description="or the lines of the file that it stands on", examples=["14-19"]
    )
    answerable: bool = Field(default=True, description="false: the knowledge does not hold the answer")

    @model_validator(mode="after")
    def _whole(self) -> "AskedQuestion":
        if not self.answerable and (self.file or self.answer or self.lines):
            raise ValueError("answerable is false, so nothing can answer it: leave out file, answer and lines")
        if self.answerable and not (self.file or self.answer):
            raise ValueError("needs file or answer, or answerable: false")
        if self.lines and not self.file:
            raise ValueError("lines are of a file: name it")
        return self


class Cited(Protocol):
    """A citation, whoever made it."""

    @property
    def file(self) -> str: ...
    @property
    def start_line(self) -> int: ...
    @property
    def end_line(self) -> int: ...
    @property
    def text(self) -> str: ...


class Verdict(BaseModel):
    """How one question was answered; `right_file` and `within_lines` are null where the question does not say."""

    model_config = ConfigDict(frozen=True)

    question: str
    answerable: bool
    answered: bool
    right_file: bool | None
    within_lines: bool | None
    confidence: float
    cited: tuple[str, ...] = Field(description="file:first-last of each citation, the best first")


class Figures(BaseModel):
    """A question set's outcome, in numbers of questions."""

    model_config = ConfigDict(frozen=True)

    answerable: int
    unanswerable: int
    right_file: int = Field(description="one of at most 3 citations is of the right file")
    within_lines: int = Field(description="the answer stands within the lines of one of them")
    declined: int = Field(description="of the unanswerable")
    wrongly_declined: int = Field(description="of the answerable")


class Outcome(BaseModel):
    """So many questions, so many of them answered right; the first of those that were not."""

    model_config = ConfigDict(frozen=True)

    questions: int = Field(ge=1, le=MOST_QUESTIONS)
    right: int = Field(ge=0, le=MOST_QUESTIONS)
    missed: tuple[str, ...] = ()


def judge(asked: AskedQuestion, answered: bool, confidence: float, citations: Sequence[Cited]) -> Verdict:
    """What an answer is worth: does it cite the file, and the lines, that the question says?"""
    return Verdict(
        question=asked.question,
        answerable=asked.answerable,
        answered=answered,
        right_file=any(one.file == asked.file for one in citations) if asked.file else None,
        within_lines=any(_holds(asked, one) for one in citations) if asked.answer or asked.lines else None,
        confidence=confidence,
        cited=tuple(f"{one.file}:{one.start_line}-{one.end_line}" for one in citations),
    )


def is_right(verdict: Verdict) -> bool:
    """Answered within the cited lines, or from the right file where the question says no more; or rightly declined."""
    if not verdict.answerable:
        return not verdict.answered
    return verdict.answered and bool(verdict.right_file if verdict.within_lines is None else verdict.within_lines)


def tally(verdicts: Sequence[Verdict]) -> Figures:
    """The figures over all of a set's questions."""
    answerable = [one for one in verdicts if one.answerable]
    others = [one for one in verdicts if not one.answerable]
    return Figures(
        answerable=len(answerable),
        unanswerable=len(others),
        right_file=sum(bool(one.right_file) for one in answerable),
        within_lines=sum(bool(one.within_lines) for one in answerable),
        declined=sum(not one.answered for one in others),
        wrongly_declined=sum(not one.answered for one in answerable),
    )


def calibrated(verdicts: Sequence[Verdict], default: float) -> float | None:
    """The threshold that declines the unanswerable and answers the others best, both counting the same.

    Of equally good ones, that in the middle of those nearest to the default. None where there are too few questions.
    """
    held = sorted(one.confidence for one in verdicts if one.answerable)
    others = sorted(one.confidence for one in verdicts if not one.answerable)
    if len(held) < LEAST_ANSWERABLE or len(others) < LEAST_UNANSWERABLE:
        return None
    bounds = [0.0, *sorted({*held, *others}), 1.0]
    middles = [(low + high) / 2 for low, high in zip(bounds, bounds[1:], strict=False)]

    def loss(threshold: float) -> float:
        return _share(held, threshold) + 1 - _share(others, threshold)

    return min([default, *middles], key=lambda threshold: (loss(threshold), abs(threshold - default)))


def _share(confidences: Iterable[float], threshold: float) -> float:
    """The share that lies below."""
    below = [confidence < threshold for confidence in confidences]
    return sum(below) / len(below)


def _holds(asked: AskedQuestion, citation: Cited) -> bool:
    if asked.file and citation.file != asked.file:
        return False
    if asked.lines:
        first, last = (int(part) for part in asked.lines.split("-"))
        if citation.start_line <= first and last <= citation.end_line:
            return True
    answers = (asked.answer,) if isinstance(asked.answer, str) else asked.answer or ()
    text = _plain(citation.text)
    return any(_plain(answer) in text for answer in answers)


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).casefold().strip()
