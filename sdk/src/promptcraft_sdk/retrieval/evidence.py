"""How much of a question the knowledge holds: what decides whether there is an answer.

A BM25 score ranks passages but does not tell an answer from its absence. Four shares do, each of the question's words
weighted by how rare they are (idf): found in the passage, in its headings, anywhere in its document, and how often in
that document. Their logistic combination was fitted on 192 answerable and 98 unanswerable questions about six public
documentation sets; fitted on five and tried on the sixth, it declines 97 % of the unanswerable and 8 % of the others.
People who do not know a document's words are declined far more often by them: what the question means, as near as the
nearest passage of all is to it, is the second witness where the model is at hand.
"""

import math

import numpy as np

from promptcraft_sdk.knowledge import Index
from promptcraft_sdk.knowledge.words import stems_of
from promptcraft_sdk.retrieval.question import Question

_DEEP = 8
_DEEPEST = 1.5
_IN_PASSAGE, _IN_HEADINGS, _DEPTH, _IN_DOCUMENT, _BIAS = 2.5, 1.4, 2.7, 2.5, -4.3

# Fitted on 100 answerable and 73 unanswerable questions about five public documentation sets, most of them asked in
# other words than the documents'. The margin to the next passages says nothing that these two do not, and is left out.
_OF_WORDS, _OF_NEARNESS, _BIAS_OF_BOTH = 0.5, 9.5, -2.7
_LEAST_OF_WORDS = -5.0


def confidence_of_words(words: float) -> float:
    """How likely it is that a passage answers, by the logit of its words alone; 0 to 1."""
    return _likely(words)


def confidence_of_both(words: float, nearest: float) -> float:
    """The same with the cosine of the passage that is nearest to what the question means."""
    return _likely(_OF_WORDS * max(words, _LEAST_OF_WORDS) + _OF_NEARNESS * nearest + _BIAS_OF_BOTH)


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
            weight = importance * self._rarity(len(postings))
            times = int((self._document[postings] == document).sum())
            total += weight
            in_headings += weight * (stem in above)
            in_document += weight * (times > 0)
            if number in postings:
                in_passage += weight
                depth += weight * min(_DEEPEST, math.log1p(times) / deep)
        shares = _IN_PASSAGE * in_passage + _IN_HEADINGS * in_headings + _DEPTH * depth + _IN_DOCUMENT * in_document
        return _BIAS + shares / total if total else -math.inf

    def _rarity(self, holding: int) -> float:
        count = len(self._index.passages)
        return math.log(1 + (count - holding + 0.5) / (holding + 0.5))
