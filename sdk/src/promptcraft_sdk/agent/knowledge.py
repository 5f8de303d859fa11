"""What an agent knows, by the newest version of its index: vectors and calibration may come while it answers."""

from pathlib import Path
from typing import Any

from promptcraft_sdk.configuration import CALIBRATION, INDEX, VECTORS, AgentConfig, Calibration, load_calibration
from promptcraft_sdk.dense import DenseUnavailableError, Encoder, load_encoder, load_vectors
from promptcraft_sdk.knowledge import Index
from promptcraft_sdk.retrieval import Answerer, Dense

_NO_REPOSITORY = "it has no repository to take vectors from"
_Stamp = tuple[tuple[int, int] | None, ...]


class Knowledge:
    """Answers from an index, by words alone until the repository at `root` has vectors of its passages.

    A change is taken up by `refresh`; a question that is being answered meanwhile is answered as it began.
    """

    def __init__(self, config: AgentConfig, index: Index, root: Path | None = None) -> None:
        self._config = config
        self._index = index
        self._root = root
        self._encoder: Encoder | None = None
        self._stamp: _Stamp = ()
        self._reason: str | None = _NO_REPOSITORY
        self._calibration: Calibration | None = None
        self.answerer = Answerer(index, config.own_words)
        self.refresh()

    def refresh(self) -> bool:
        """Take up vectors and calibration if there are new ones; says whether there were."""
        if self._root is None:
            return False
        stamp = (_stamp_of(self._root / VECTORS), _stamp_of(self._root / CALIBRATION))
        if stamp == self._stamp:
            return False
        dense: Dense | None = None
        try:
            dense = self._dense(self._root)
            self._reason = None
        except DenseUnavailableError as reason:
            self._reason = str(reason)
        self._calibration = load_calibration(self._root / CALIBRATION)
        self.answerer = Answerer(self._index, self._config.own_words, dense, self._calibration)
        self._stamp = stamp
        return True

    def health(self) -> dict[str, Any]:
        """How it retrieves: `fused` (words and meaning) or `bm25` (words alone), and then why."""
        return {
            "documents": len(self._index.documents),
            "passages": len(self._index.passages),
            "retrieval": self.answerer.retrieval,
            "reason": self._reason,
            "enough": self.answerer.enough,
        }

    def _dense(self, root: Path) -> Dense:
        vectors = load_vectors(root / INDEX, len(self._index.passages))
        self._encoder = self._encoder or load_encoder()
        return Dense(self._encoder, vectors)


def _stamp_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
