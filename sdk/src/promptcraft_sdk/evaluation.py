"""Questions with the document that answers each: what an agent is measured by before it is let out."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from promptcraft_sdk.knowledge import Index, Passage
from promptcraft_sdk.knowledge.words import FUNCTION_WORDS, stem, without_addresses, words_of
from promptcraft_sdk.retrieval import Answerer

QUESTIONS = Path("tests") / "questions.json"

_MOST_QUESTIONS = 200
_FOR_EACH_DOCUMENT = 3
_RARE_WORDS = 2


class HeldQuestion(BaseModel):
    """A question and the document (path below knowledge/documents) that one of its citations must name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    file: str


class HeldQuestions(BaseModel):
    """The content of tests/questions.json. `accuracy` is the share that was answered right when it was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: Annotated[float, Field(ge=0, le=1)]
    questions: tuple[HeldQuestion, ...]


def hold_questions(index: Index) -> HeldQuestions:
    """Make questions from the headings and rare words of every document, and measure how many are answered right.

    They depend on the knowledge alone, not on what the agent is called.
    """
    by_document: dict[str, list[Passage]] = {}
    for passage in index.passages:
        by_document.setdefault(passage.file, []).append(passage)
    fair_share = max(1, min(_FOR_EACH_DOCUMENT, _MOST_QUESTIONS // len(by_document)))
    questions = tuple(
        HeldQuestion(question=question, file=file)
        for file, passages in islice(by_document.items(), _MOST_QUESTIONS)
        for question in islice(_questions(index, passages), fair_share)
    )
    return HeldQuestions(accuracy=accuracy(index, questions), questions=questions)


def accuracy(index: Index, questions: Sequence[HeldQuestion]) -> float:
    """The share of questions answered with a citation of their document; 1 if there are none."""
    answerer = Answerer(index)
    right = [any(cited.file == held.file for cited in answerer.answer(held.question).passages) for held in questions]
    return sum(right) / len(right) if right else 1.0


def _questions(index: Index, passages: Sequence[Passage]) -> Iterator[str]:
    asked: set[tuple[str, ...]] = set()
    for passage in passages:
        words = _rare_words(index, passage)
        if passage.headings not in asked and (passage.headings or words):
            asked.add(passage.headings)
            yield " ".join((*passage.headings[-2:], *words))[:300]


def _rare_words(index: Index, passage: Passage) -> list[str]:
    words = dict.fromkeys(words_of(without_addresses(passage.reading)[:2_000]))
    telling = [word for word in words if word.isalpha() and word not in FUNCTION_WORDS]
    return sorted(telling, key=lambda word: len(index.postings(stem(word))))[:_RARE_WORDS]
