"""How much of a question the knowledge holds: what decides whether there is an answer.

A BM25 score ranks passages but does not tell an answer from its absence. Four shares do, each of the question's words
weighted by how rare they are (idf): found in the passage, in its headings, anywhere in its document, and how often in
that document. Their logistic combination was fitted on 192 answerable and 98 unanswerable questions about six public
documentation sets; fitted on five and tried on the sixth, it declines 97 % of the unanswerable and 8 % of the others.
People who do not know a document's words are declined far more often by them. Where the model is at hand it is the
second witness: how near a passage is to what the question means, as a whole and each of its words by itself.
"""

import math

import numpy as np
import numpy.typing as npt

from promptcraft_sdk.knowledge import Index
from promptcraft_sdk.knowledge.words import stems_of
from promptcraft_sdk.retrieval.question import Question

_DEEP = 8
_DEEPEST = 1.5
_IN_PASSAGE, _IN_HEADINGS, _DEPTH, _IN_DOCUMENT, _BIAS = 2.5, 1.4, 2.7, 2.5, -4.3

# Fitted on 200 answerable and 173 unanswerable questions about ten public documentation sets, many of them asked in
# other words than the documents'. The distance to the next passages, the mean nearness of all and their number say
# nothing that these do not.
_OF_WORDS, _OF_MEANING, _BIAS_OF_BOTH = 0.24, 6.6, -5.5
_LEAST_OF_WORDS = -5.0
_STRICTNESS = 5.0


def confidence_of_words(words: float) -> float:
    """How likely it is that a passage answers, by the logit of its words alone; 0 to 1."""
    return _likely(words)


def confidence_of_both(words: float, meaning: float) -> float:
    """The same with how near a passage is to what the question means, as a whole and word by word (0 to 2)."""
    return _likely(_OF_WORDS * max(words, _LEAST_OF_WORDS) + _OF_MEANING * meaning + _BIAS_OF_BOTH)


def covered(near: npt.NDArray[np.float32], weights: npt.NDArray[np.float32]) -> float:
    """How far every word of a question has its counterpart: a mean of the cosines that leans to the least of them.

    One word that a passage knows nothing like of ("How do I order *lunch* for a client meeting?") is what tells a
    neighbouring subject from an answer; a plain mean hides it.
    """
    return -math.log(float(weights @ np.exp(-_STRICTNESS * near) / weights.sum())) / _STRICTNESS


def _likely(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0


class WordEvidence:
    """What the words of a question say for a passage of one index."""

    def __init__(self, index: Index) -> None:
        self._index = index
        files = {file: number for number, file in enumerate(dict.fromkeys(p.file for p in index.passages))}
        self._document = np.array([files[p.file] for p in index.passages], dtype=np.int32)
        self._sizes = np.bincount(self._document, minlength=len(files))

    def of(self, question: Question, number: int) -> float:
        """The logit that passage `number` answers; minus infinity where the question has no words to go by."""
        passage = self._index.passages[number]
        above = set(stems_of(" ".join((passage.file.rpartition(".")[0], *passage.headings))))
        document = self._document[number]
        deep = math.log1p(min(int(self._sizes[document]), _DEEP))
        total = in_passage = in_headings = in_document = depth = 0.0
        for stem, importance in question.importance.items():
            postings = self._index.postings(stem)
            weight = importance * self.rarity(len(postings))
            times = int((self._document[postings] == document).sum())
            total += weight
            in_headings += weight * (stem in above)
            in_document += weight * (times > 0)
            if number in postings:
                in_passage += weight
                depth += weight * min(_DEEPEST, math.log1p(times) / deep)
        shares = _IN_PASSAGE * in_passage + _IN_HEADINGS * in_headings + _DEPTH * depth + _IN_DOCUMENT * in_document
        return _BIAS + shares / total if total else -math.inf

    def rarity(self, holding: int) -> float:
        """The idf of a stem that so many passages hold."""
        count = len(self._index.passages)
        return math.log(1 + (count - holding + 0.5) / (holding + 0.5))
