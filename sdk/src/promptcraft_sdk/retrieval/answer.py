"""An answer in the words of the knowledge, or an honest refusal."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from promptcraft_sdk.configuration import ENOUGH, Calibration, Retrieval
from promptcraft_sdk.knowledge import Index, Passage
from promptcraft_sdk.knowledge.words import stems_of
from promptcraft_sdk.retrieval.question import MOST_CHARACTERS, Question, leans
from promptcraft_sdk.retrieval.search import Dense, Hit, Searcher

MOST_CITATIONS = 3

_ANSWER_UP_TO = 900
_RELATED = 0.35
_LOOK_AT = 12
_MOST_QUESTIONS = 5
_LONGEST_BEFORE = 300
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)|\n")


@dataclass(frozen=True, slots=True)
class Finding:
    """What the knowledge says. Without `answered` there are no passages and `answer` is empty."""

    answered: bool
    answer: str
    passages: tuple[Passage, ...]
    confidence: float


class Answerer:
    """Answers questions from one index; `own` are words of the agent itself, which prove nothing.

    With `dense`, passages are found by meaning too. `calibration` says from which confidence on to answer.
    """

    def __init__(
        self,
        index: Index,
        own: Sequence[str] = (),
        dense: Dense | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self._searcher = Searcher(index, dense)
        self.retrieval: Retrieval = "bm25" if dense is None else "fused"
        fits = calibration is not None and calibration.retrieval == self.retrieval
        self.enough = calibration.enough if calibration and fits else ENOUGH[self.retrieval]
        self._passages = index.passages
        self._own = frozenset(stem for words in own for stem in stems_of(words))

    def answer(
        self, text: str, *, added: Sequence[str] = (), context: Sequence[str] = (), limit: int = MOST_CITATIONS
    ) -> Finding:
        """Answer from the passages that hold enough of the question, else decline.

        `added` words (a capability's) are searched with, and one of them must be in the passage. Of a text that holds
        too much else, each question in it is tried by itself. `context` (what was said before, the latest last) is
        read with a text that leans on it.
        """
        questions = [
            Question.of(asked, added=added, own=self._own, require=bool(added))
            for asked in (*_questions_in(text), text)
        ]
        if context and leans(text):
            questions.insert(0, self._followed(text, added, context))
        finding = Finding(False, "", (), 0.0)
        for question in questions:
            finding = self._find(question, limit)
            if finding.answered:
                break
        return finding

    def _followed(self, text: str, added: Sequence[str], context: Sequence[str]) -> Question:
        """The question together with those before it, back to the latest that stands by itself."""
        asked = [one for one in context if one.rstrip().endswith("?")] or list(context[:1])
        begin = max((at for at, one in enumerate(asked) if not leans(one)), default=0)
        before = " ".join(one[:_LONGEST_BEFORE] for one in asked[begin:])[-2 * _LONGEST_BEFORE :]
        both = Question.of(text, added=[*added, before], own=self._own)
        alone = Question.of(text, added=added, own=self._own, require=bool(added))
        return replace(both, required=alone.required, text=alone.text, before=before)

    def _find(self, question: Question, limit: int) -> Finding:
        found = self._searcher.search(question, _LOOK_AT, MOST_CITATIONS)
        if not found.hits or found.confidence < self.enough:
            return Finding(False, "", (), found.confidence)
        cited = [self._passages[hit.number] for hit in self._cited(found.hits, limit)]
        return Finding(True, _extract(cited[0].reading, question.importance), tuple(cited), found.confidence)

    def _cited(self, hits: Sequence[Hit], limit: int) -> list[Hit]:
        """The best passage, then the next ones; by words alone only those near it, other files before more of one."""
        best, *others = hits
        near = [hit for hit in others if hit.score >= _RELATED * best.score]
        if self.retrieval == "fused":
            return [best, *near][:limit]
        chosen, files = [best], {self._passages[best.number].file}
        for hit in near:
            if self._passages[hit.number].file not in files:
                chosen.append(hit)
                files.add(self._passages[hit.number].file)
        chosen += [hit for hit in near if hit not in chosen]
        return chosen[: max(1, min(limit, MOST_CITATIONS))]


def topics(index: Index, most: int = 8) -> list[str]:
    """What an index is about: the titles of its largest documents."""
    titles: dict[str, str] = {}
    for passage in index.passages:
        name = passage.file.rpartition("/")[2].rpartition(".")[0].replace("_", " ").replace("-", " ")
        titles.setdefault(passage.file, passage.headings[0] if passage.headings else name)
    sizes = {document.file: document.passages for document in index.documents}
    largest = sorted(titles, key=lambda file: (-sizes[file], file))
    return list(dict.fromkeys(titles[file][:80] for file in largest))[:most]


def _questions_in(text: str) -> list[str]:
    """The sentences of a longer text that end in a question mark."""
    sentences = _SENTENCE.split(text[:MOST_CHARACTERS])
    asking = [sentence for sentence in sentences if sentence.rstrip().endswith("?")]
    return asking[:_MOST_QUESTIONS] if len(sentences) > 1 else []


def _extract(text: str, stems: Collection[str]) -> str:
    """The passage itself if it is short, else the run of its paragraphs or sentences that covers the question best."""
    text = text.strip("\n")
    if len(text) <= _ANSWER_UP_TO:
        return text
    joint, parts = "\n\n", _PARAGRAPH.split(text)
    if max(map(len, parts)) > _ANSWER_UP_TO:
        joint, parts = "\n", [part for part in _SENTENCE.split(text) if part.strip()]
    held = [frozenset(stems_of(part)) & frozenset(stems) for part in parts]
    start, end = max(_windows(parts), key=lambda window: (_covered(held, window), window[0] - window[1], -window[0]))
    return joint.join(parts[start:end]).strip("\n")[: 2 * _ANSWER_UP_TO]


def _windows(parts: Sequence[str]) -> list[tuple[int, int]]:
    """Every run of neighbouring parts that fits, as (first, one past the last)."""
    found: list[tuple[int, int]] = []
    for start in range(len(parts)):
        end, size = start + 1, len(parts[start])
        found.append((start, end))
        while end < len(parts) and size + len(parts[end]) <= _ANSWER_UP_TO:
            size += len(parts[end])
            end += 1
            found.append((start, end))
    return found


def _covered(held: Sequence[frozenset[str]], window: tuple[int, int]) -> int:
    return len(frozenset[str]().union(*held[window[0] : window[1]]))
