"""How much of a question the knowledge holds: what decides whether there is an answer.

A BM25 score ranks passages but does not tell an answer from its absence. Four shares do, each of the question's words
weighted by how rare they are (idf): found in the passage, in its headings, anywhere in its document, and how often in
that document. Their logistic combination was fitted on 192 answerable and 98 unanswerable questions about six public
documentation sets; fitted on five and tried on the sixth, it declines 97 % of the unanswerable and 8 % of the others.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from promptcraft_sdk.knowledge import Index
from promptcraft_sdk.knowledge.words import GENERAL_STEMS, stems_of

MOST_CHARACTERS = 4_000
MOST_STEMS = 32
ENOUGH = 0.45

_GENERAL = 0.5
_NAMED = 1.5
_ADDED = 0.5
_DEEP = 8
_DEEPEST = 1.5
_IN_PASSAGE, _IN_HEADINGS, _DEPTH, _IN_DOCUMENT, _BIAS = 2.5, 1.4, 2.7, 2.5, -4.3

_TOKEN = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True)
class Question:
    """The stems of a question and their importance before rarity; `required` are stems of which one must be there."""

    importance: Mapping[str, float]
    required: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, text: str, *, added: Iterable[str] = (), own: Collection[str] = (), require: bool = False
    ) -> "Question":
        """A question as asked, with `added` words to search by; `own` stems (the agent's name, domain) prove nothing.

        With `require`, a passage counts only if it holds one of the added words.
        """
        text = text[:MOST_CHARACTERS]
        asked = list(dict.fromkeys(stems_of(text)))[:MOST_STEMS]
        telling = [stem for stem in asked if stem not in own] or asked
        named = _names(text)
        importance = {stem: _NAMED if stem in named else _GENERAL if stem in GENERAL_STEMS else 1.0 for stem in telling}
        more = [stem for words in added for stem in stems_of(words[:MOST_CHARACTERS])][:MOST_STEMS]
        for stem in more:
            importance.setdefault(stem, _ADDED * (_GENERAL if stem in GENERAL_STEMS else 1.0))
        specific = frozenset(stem for stem in more if stem not in GENERAL_STEMS and stem not in own)
        return cls(importance, (specific or frozenset(more)) if require else frozenset())


def _names(text: str) -> set[str]:
    """Stems of words written like a name (a capital inside the sentence) or like an identifier."""
    words = _TOKEN.findall(text)
    written = (word for at, word in enumerate(words) if "_" in word or (at and word[0].isupper() and word != "I"))
    return {stem for word in written for stem in stems_of(word)}


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found: its number in the index, its BM25 score, and the confidence (0 to 1) that it answers."""

    number: int
    score: float
    confidence: float


class Searcher:
    """Finds passages in one index and says how far to trust them."""

    def __init__(self, index: Index) -> None:
        self.index = index
        files = {file: number for number, file in enumerate(dict.fromkeys(p.file for p in index.passages))}
        self._document = np.array([files[p.file] for p in index.passages], dtype=np.int32)
        self._sizes = np.bincount(self._document, minlength=len(files))

    def search(self, question: Question, limit: int = 3) -> list[Hit]:
        """At most `limit` passages, the best BM25 score first; none without any of the question's words."""
        scores = np.zeros(len(self.index.passages), dtype=np.float64)
        for stem, importance in question.importance.items():
            scores += self.index.scores([stem]) * min(importance, 1.0)
        if question.required:
            scores[~self._holding(question.required)] = 0.0
        best = np.argsort(-scores, kind="stable")[:limit]
        return [Hit(int(at), float(scores[at]), self._confidence(question, int(at))) for at in best if scores[at] > 0]

    def _holding(self, stems: Iterable[str]) -> "np.typing.NDArray[np.bool_]":
        holding = np.zeros(len(self.index.passages), dtype=np.bool_)
        for stem in stems:
            holding[self.index.postings(stem)] = True
        return holding

    def _confidence(self, question: Question, number: int) -> float:
        passage = self.index.passages[number]
        above = set(stems_of(" ".join((passage.file.rpartition(".")[0], *passage.headings))))
        document = self._document[number]
        deep = math.log1p(min(int(self._sizes[document]), _DEEP))
        total = in_passage = in_headings = in_document = depth = 0.0
        for stem, importance in question.importance.items():
            postings = self.index.postings(stem)
            weight = importance * self._rarity(len(postings))
            times = int((self._document[postings] == document).sum())
            total += weight
            in_headings += weight * (stem in above)
            in_document += weight * (times > 0)
            if number in postings:
                in_passage += weight
                depth += weight * min(_DEEPEST, math.log1p(times) / deep)
        shares = _IN_PASSAGE * in_passage + _IN_HEADINGS * in_headings + _DEPTH * depth + _IN_DOCUMENT * in_document
        return 1 / (1 + math.exp(-_BIAS - shares / total)) if total else 0.0

    def _rarity(self, holding: int) -> float:
        count = len(self.index.passages)
        return math.log(1 + (count - holding + 0.5) / (holding + 0.5))
