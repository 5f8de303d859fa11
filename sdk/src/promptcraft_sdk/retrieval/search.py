"""Finding passages by words and by meaning, and how far to trust what was found."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptcraft_sdk.dense import Encoder, Vectors
from promptcraft_sdk.knowledge import Index
from promptcraft_sdk.knowledge.words import stem as stem_of
from promptcraft_sdk.retrieval.evidence import WordEvidence, confidence_of_both, confidence_of_words, covered
from promptcraft_sdk.retrieval.question import Question

# Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): weight / (_FLAT + rank) from each of two lists. Meaning
# counts more, as people seldom ask in the words of a document.
_FLAT = 10
_MEANING = 1.5
_DEEP = 50
_LEAST_RARITY = 0.3

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dense:
    """The model, and the vectors of the passages of one index."""

    encoder: Encoder
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found: its number in the index and a score to rank by."""

    number: int
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """Passages, the best first, and the confidence (0 to 1) that the first of them answer."""

    hits: tuple[Hit, ...] = ()
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class _Meant:
    """How near each passage is to a question, and the vectors of its words with what each of them weighs."""

    near: Scores
    words: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]


class Searcher:
    """Finds passages in one index; by BM25 alone without `dense`."""

    def __init__(self, index: Index, dense: Dense | None = None) -> None:
        self.index = index
        self.dense = dense
        self._evidence = WordEvidence(index)

    def search(self, question: Question, limit: int, first: int) -> Found:
        """At most `limit` passages; the `first` are those that are judged, and put in order by it.

        None for a question without words that say anything.
        """
        if not question.importance:
            return Found()
        words = self._by_words(question)
        if self.dense is None:
            return self._judged_by_words(question, _hits(words, limit), first)
        meant = self._meant(self.dense, question)
        return self._judged_by_both(self.dense, question, meant, _hits(_fused(words, meant.near + 1.0), limit), first)

    def _judged_by_words(self, question: Question, hits: list[Hit], first: int) -> Found:
        logits = {hit: self._evidence.of(question, hit.number) for hit in hits[:first]}
        if not logits:
            return Found()
        return Found(_best_first(hits, logits), confidence_of_words(max(logits.values())))

    def _judged_by_both(self, dense: Dense, question: Question, meant: _Meant, hits: list[Hit], first: int) -> Found:
        meanings = {hit: self._meaning(dense, meant, hit.number) for hit in hits[:first]}
        if not meanings:
            return Found()
        words = max(self._evidence.of(question, hit.number) for hit in meanings)
        return Found(_best_first(hits, meanings), confidence_of_both(words, max(meanings.values())))

    def _meaning(self, dense: Dense, meant: _Meant, number: int) -> float:
        near = float(meant.near[number])
        if not len(meant.words):
            return 2 * near
        return near + covered(dense.vectors.counterparts(number, meant.words), meant.weights)

    def _meant(self, dense: Dense, question: Question) -> _Meant:
        """What a follow-up says by itself counts as much as with the question before it: else that one, which had its
        answer, would be answered again.
        """
        reading = dense.encoder.read(question.text)
        near = dense.vectors.similarities(reading.vector)
        if question.before:
            both = dense.encoder.encode(f"{question.before}\n{question.text}")
            near = (near + dense.vectors.similarities(both)) / 2
        near = near.astype(np.float64)
        if question.required:
            near[~self._holding(question.required)] = -1.0
        stems = [stem_of(word) for word in reading.words]
        telling = [at for at, one in enumerate(stems) if one in question.asked]
        weights = np.array([self._weight(question, stems[at]) for at in telling], dtype=np.float32)
        return _Meant(near, reading.of_words[telling], weights)

    def _weight(self, question: Question, asked: str) -> float:
        rarity = self._evidence.rarity(len(self.index.postings(asked)))
        return question.importance[asked] * math.sqrt(max(rarity, _LEAST_RARITY))

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


def _hits(scores: Scores, limit: int) -> list[Hit]:
    return [Hit(number, float(scores[number])) for number in _best(scores, limit)]


def _best_first(hits: list[Hit], judged: Mapping[Hit, float]) -> tuple[Hit, ...]:
    """The best of those judged, then all others as they were."""
    best = max(judged, key=lambda hit: judged[hit])
    return best, *(hit for hit in hits if hit is not best)


def _best(scores: Scores, limit: int) -> list[int]:
    """The numbers of the highest scores above zero, the highest first."""
    return [int(number) for number in np.argsort(-scores, kind="stable")[:limit] if scores[number] > 0]


def _fused(by_words: Scores, by_meaning: Scores) -> Scores:
    fused = np.zeros(len(by_words), dtype=np.float64)
    for weight, scores in ((1.0, by_words), (_MEANING, by_meaning)):
        for rank, number in enumerate(_best(scores, _DEEP)):
            fused[number] += weight / (_FLAT + rank + 1)
    return fused
