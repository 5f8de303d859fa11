"""Finding passages by words and by meaning, and how far to trust what was found."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptcraft_sdk.dense import Encoder, Vectors
from promptcraft_sdk.knowledge import Index
from promptcraft_sdk.retrieval.evidence import WordEvidence, confidence_of_both, confidence_of_words
from promptcraft_sdk.retrieval.question import Question

# Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): weight / (_FLAT + rank) from each of two lists. Meaning
# counts more, as people seldom ask in the words of a document.
_FLAT = 10
_MEANING = 1.5
_DEEP = 50

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dense:
    """The model, and the vectors of the passages of one index."""

    encoder: Encoder
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found: its number in the index, a score to rank by, and the confidence (0 to 1) that it answers.

    `fit` says which of a few good ones answers best.
    """

    number: int
    score: float
    confidence: float
    fit: float


class Searcher:
    """Finds passages in one index; by BM25 alone without `dense`."""

    def __init__(self, index: Index, dense: Dense | None = None) -> None:
        self.index = index
        self.dense = dense
        self._evidence = WordEvidence(index)

    def search(self, question: Question, limit: int = 3) -> list[Hit]:
        """At most `limit` passages, the best first; none for a question without words that say anything."""
        if not question.importance:
            return []
        words = self._by_words(question)
        if self.dense is None:
            return [self._hit_by_words(question, number, words) for number in _best(words, limit)]
        near = self._by_meaning(self.dense, question)
        if question.required:
            near[~self._holding(question.required)] = -1.0
        fused = _fused(words, near + 1.0)
        nearest = float(near.max())
        return [
            Hit(number, float(fused[number]), self._confidence(question, number, nearest), float(near[number]))
            for number in _best(fused, limit)
        ]

    def _hit_by_words(self, question: Question, number: int, scores: Scores) -> Hit:
        confidence = confidence_of_words(self._evidence.of(question, number))
        return Hit(number, float(scores[number]), confidence, confidence)

    def _confidence(self, question: Question, number: int, nearest: float) -> float:
        return confidence_of_both(self._evidence.of(question, number), nearest)

    def _by_meaning(self, dense: Dense, question: Question) -> Scores:
        """Cosines. What a follow-up says by itself counts as much as with the question before it: else that one, which
        had its answer, would be answered again.
        """
        near = dense.vectors.similarities(dense.encoder.encode(question.text))
        if question.before:
            near = (near + dense.vectors.similarities(dense.encoder.encode(f"{question.before}\n{question.text}"))) / 2
        return near.astype(np.float64)

    def _by_words(self, question: Question) -> Scores:
        scores = np.zeros(len(self.index.passages), dtype=np.float64)
        for stem, importance in question.importance.items():
            scores += self.index.scores([stem]) * min(importance, 1.0)
        if question.required:
            scores[~self._holding(question.required)] = 0.0
        return scores

    def _holding(self, stems: Iterable[str]) -> "npt.NDArray[np.bool_]":
        holding = np.zeros(len(self.index.passages), dtype=np.bool_)
        for stem in stems:
            holding[self.index.postings(stem)] = True
        return holding


def _best(scores: Scores, limit: int) -> list[int]:
    """The numbers of the highest scores above zero, the highest first."""
    return [int(number) for number in np.argsort(-scores, kind="stable")[:limit] if scores[number] > 0]


def _fused(by_words: Scores, by_meaning: Scores) -> Scores:
    fused = np.zeros(len(by_words), dtype=np.float64)
    for weight, scores in ((1.0, by_words), (_MEANING, by_meaning)):
        for rank, number in enumerate(_best(scores, _DEEP)):
            fused[number] += weight / (_FLAT + rank + 1)
    return fused
