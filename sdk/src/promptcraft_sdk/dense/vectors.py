"""The vectors of an index's passages and of their words: made once, beside the index, and mapped by whoever searches.

A passage's words are kept as they are meant there, so that a question's words can look for their counterparts. They are
many, so each takes 96 bytes: its coordinates along the directions in which the words of this index differ most.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from promptcraft_sdk.configuration import VECTORS
from promptcraft_sdk.dense.errors import DenseUnavailableError
from promptcraft_sdk.dense.model import DIMENSIONS, NAME, Array, Encoder, Reading
from promptcraft_sdk.knowledge import Passage, load_index
from promptcraft_sdk.knowledge.words import without_addresses

FORMAT: Final = 2

_HEAD = "vectors.json"
_NUMBERS = "vectors.npy"
_STARTS = "starts.npy"
_WORDS = "words.npy"
_WORD_STARTS = "word_starts.npy"
_BASIS = "basis.npy"
# what the model reads of a text at once, with the headings before it
_WINDOW = 800
_LONGEST_HEADINGS = 160
_ROWS = 2_048
_WORD_DIMENSIONS = 96
_WORD_SCALE = 127
# so many words say in which directions they differ; the memory of the job that writes vectors is bounded by it
_WORDS_FOR_BASIS = 20_000


@dataclass(frozen=True, slots=True)
class Vectors:
    """One or more vectors for each passage, as half floats; those of passage n begin at row `starts[n]`.

    The words of passage n are the rows of `words` from `word_starts[n]` to the next start, in
    the coordinates of `basis`.
    """

    numbers: npt.NDArray[np.float16]
    starts: npt.NDArray[np.int32]
    words: npt.NDArray[np.int8]
    word_starts: npt.NDArray[np.int32]
    basis: Array

    def similarities(self, asked: Array) -> Array:
        """How near each passage is to a vector, -1 to 1: the nearest of its own vectors counts."""
        near = np.empty(len(self.numbers), dtype=np.float32)
        for start in range(0, len(near), _ROWS):  # by and by: as floats they are larger than an agent should be
            rows = slice(start, start + _ROWS)
            near[rows] = self.numbers[rows].astype(np.float32) @ asked
        found: Array = np.maximum.reduceat(near, self.starts)
        return found

    def counterparts(self, passage: int, words: Array) -> Array:
        """For each of some words' vectors how near the nearest word of a passage is to it, -1 to 1."""
        held = self.words[self.word_starts[passage] : self.word_starts[passage + 1]].astype(np.float32)
        if not len(held):
            return np.zeros(len(words), dtype=np.float32)
        held /= np.maximum(np.linalg.norm(held, axis=1, keepdims=True), 1)
        asked = words @ self.basis
        asked /= np.maximum(np.linalg.norm(asked, axis=1, keepdims=True), np.float32(1e-6))
        found: Array = (asked @ held.T).max(axis=1)
        return found


@dataclass(slots=True)
class _Made:
    """What has been encoded so far. Words wait as they are until there are enough to choose a basis by."""

    vectors: list[npt.NDArray[np.float16]] = field(default_factory=list[npt.NDArray[np.float16]])
    starts: list[int] = field(default_factory=list[int])
    word_starts: list[int] = field(default_factory=lambda: [0])
    _basis: Array | None = None
    _waiting: list[Array] = field(default_factory=list[Array])
    _words: list[npt.NDArray[np.int8]] = field(default_factory=list[npt.NDArray[np.int8]])

    def add(self, readings: Sequence[Reading]) -> None:
        self.starts.append(len(self.vectors))
        self.vectors += [reading.vector.astype(np.float16) for reading in readings]
        words = np.concatenate([reading.of_words for reading in readings])
        self.word_starts.append(self.word_starts[-1] + len(words))
        self._waiting.append(words)
        if self._basis is not None or self.word_starts[-1] >= _WORDS_FOR_BASIS:
            self._settle()

    def words(self) -> tuple[npt.NDArray[np.int8], Array]:
        """All words in the coordinates of a basis, and that basis."""
        basis = self._settle()
        return np.concatenate(self._words), basis

    def _settle(self) -> Array:
        words = np.concatenate([np.empty((0, DIMENSIONS), dtype=np.float32), *self._waiting])
        self._waiting.clear()
        if self._basis is None:
            _, directions = np.linalg.eigh(words.T @ words)
            self._basis = np.ascontiguousarray(directions[:, ::-1][:, :_WORD_DIMENSIONS], dtype=np.float32)
        coordinates = words @ self._basis
        coordinates /= np.maximum(np.abs(coordinates).max(axis=1, keepdims=True), np.float32(1e-6))
        self._words.append(np.rint(coordinates * _WORD_SCALE).astype(np.int8))
        return self._basis


def build_vectors(
    index_dir: Path, encoder: Encoder, *, target: Path | None = None, before_each: Callable[[], None] | None = None
) -> int:
    """Write the vectors of an index's passages to its directory, or to `target`; returns how many.

    They are there whole or not at all. `before_each` is called before each passage, and may raise to give up.
    Raises KnowledgeError where the index cannot be read.
    """
    target = target or index_dir / VECTORS.name
    made = _Made()
    for passage in load_index(index_dir).passages:
        if before_each:
            before_each()
        made.add([encoder.read(text) for text in _texts(passage)])
    words, basis = made.words()
    arrays = {
        _NUMBERS: np.array(made.vectors, dtype=np.float16),
        _STARTS: np.array(made.starts, dtype=np.int32),
        _WORDS: words,
        _WORD_STARTS: np.array(made.word_starts, dtype=np.int32),
        _BASIS: basis,
    }
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.") as directory:
        new = Path(directory) / target.name
        new.mkdir()
        for name, array in arrays.items():
            np.save(new / name, array, allow_pickle=False)
        head = {
            "format": FORMAT,
            "model": NAME,
            "passages_sha256": _passages_sha256(index_dir),
            "vectors": len(made.vectors),
        }
        (new / _HEAD).write_text(json.dumps(head, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        new.rename(target)
    return len(made.vectors)


def load_vectors(index_dir: Path, passages: int) -> Vectors:
    """The vectors that were written for this index, mapped.

    Raises DenseUnavailableError where there are none, or those of other passages, another model or format.
    """
    directory = index_dir / VECTORS.name
    try:
        head: dict[str, Any] = json.loads((directory / _HEAD).read_text(encoding="utf-8"))
        if (head["format"], head["model"]) != (FORMAT, NAME):
            raise DenseUnavailableError("its vectors are of another model or format")
        if head["passages_sha256"] != _passages_sha256(index_dir):
            raise DenseUnavailableError("its vectors are of other passages")
        vectors = Vectors(
            numbers=np.load(directory / _NUMBERS, mmap_mode="r", allow_pickle=False).view(np.ndarray),
            starts=np.load(directory / _STARTS, allow_pickle=False),
            words=np.load(directory / _WORDS, mmap_mode="r", allow_pickle=False).view(np.ndarray),
            word_starts=np.load(directory / _WORD_STARTS, allow_pickle=False),
            basis=np.load(directory / _BASIS, allow_pickle=False),
        )
    except FileNotFoundError:
        raise DenseUnavailableError("it has no vectors yet") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DenseUnavailableError(f"its vectors cannot be read ({error})") from error
    if not _fit(vectors, passages):
        raise DenseUnavailableError("its vectors do not fit its passages")
    return vectors


def _fit(vectors: Vectors, passages: int) -> bool:
    expected = (
        (vectors.numbers, np.float16, (len(vectors.numbers), DIMENSIONS)),
        (vectors.starts, np.int32, (passages,)),
        (vectors.words, np.int8, (len(vectors.words), _WORD_DIMENSIONS)),
        (vectors.word_starts, np.int32, (passages + 1,)),
        (vectors.basis, np.float32, (DIMENSIONS, _WORD_DIMENSIONS)),
    )
    if any(array.dtype != kind or array.shape != shape for array, kind, shape in expected):
        return False
    rows = np.diff(vectors.starts, prepend=0, append=len(vectors.numbers))
    words = np.diff(vectors.word_starts, prepend=0, append=len(vectors.words))
    whole = rows[0] == words[0] == words[-1] == 0
    return bool(whole and (rows[1:] > 0).all() and (words >= 0).all())


def _passages_sha256(index_dir: Path) -> str:
    return hashlib.sha256((index_dir / "passages.jsonl").read_bytes()).hexdigest()


def _texts(passage: Passage) -> Iterator[str]:
    """What is encoded of a passage: its text in windows that the model can read, each under the headings."""
    name = PurePosixPath(passage.file).stem.replace("_", " ").replace("-", " ")
    above = (" > ".join(passage.headings) or name)[-_LONGEST_HEADINGS:]
    for window in _windows(without_addresses(passage.reading)):
        yield f"{above}\n{window}"


def _windows(text: str) -> list[str]:
    """A text in runs of lines; a short last one stays with the one before it, a very long line is cut."""
    windows: list[str] = []
    for line in _lines(text):
        if windows and len(windows[-1]) + len(line) < _WINDOW:
            windows[-1] += "\n" + line
        else:
            windows.append(line)
    return windows or [""]


def _lines(text: str) -> Sequence[str]:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [line[at : at + _WINDOW] for line in lines if line for at in range(0, len(line), _WINDOW)]
