"""The vectors of an index's passages: made once, beside the index, and mapped by whoever searches."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from promptcraft_sdk.configuration import VECTORS
from promptcraft_sdk.dense.errors import DenseUnavailableError
from promptcraft_sdk.dense.model import DIMENSIONS, NAME, Array, Encoder
from promptcraft_sdk.knowledge import Passage, load_index
from promptcraft_sdk.knowledge.words import without_addresses

FORMAT: Final = 1

_HEAD = "vectors.json"
_NUMBERS = "vectors.npy"
_STARTS = "starts.npy"
# what the model reads of a text at once, with the headings before it
_WINDOW = 800
_LONGEST_HEADINGS = 160
_ROWS = 2_048


@dataclass(frozen=True, slots=True)
class Vectors:
    """One or more vectors for each passage, as half floats; those of passage n begin at row `starts[n]`."""

    numbers: npt.NDArray[np.float16]
    starts: npt.NDArray[np.int32]

    def similarities(self, asked: Array) -> Array:
        """How near each passage is to a vector, -1 to 1: the nearest of its own vectors counts."""
        near = np.empty(len(self.numbers), dtype=np.float32)
        for start in range(0, len(near), _ROWS):  # by and by: as floats they are larger than an agent should be
            rows = slice(start, start + _ROWS)
            near[rows] = self.numbers[rows].astype(np.float32) @ asked
        found: Array = np.maximum.reduceat(near, self.starts)
        return found


def build_vectors(
    index_dir: Path, encoder: Encoder, *, target: Path | None = None, before_each: Callable[[], None] | None = None
) -> int:
    """Write the vectors of an index's passages to its directory, or to `target`; returns how many.

    They are there whole or not at all. `before_each` is called before each passage, and may raise to give up.
    Raises KnowledgeError where the index cannot be read.
    """
    target = target or index_dir / VECTORS.name
    made: list[list[Array]] = []
    for passage in load_index(index_dir).passages:
        if before_each:
            before_each()
        made.append([encoder.encode(text) for text in _texts(passage)])
    numbers = np.array([vector for of_one in made for vector in of_one], dtype=np.float16)
    starts = np.cumsum([0, *(len(of_one) for of_one in made[:-1])], dtype=np.int32)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.") as directory:
        new = Path(directory) / target.name
        new.mkdir()
        np.save(new / _NUMBERS, numbers, allow_pickle=False)
        np.save(new / _STARTS, starts, allow_pickle=False)
        head = {
            "format": FORMAT,
            "model": NAME,
            "passages_sha256": _passages_sha256(index_dir),
            "vectors": len(numbers),
        }
        (new / _HEAD).write_text(json.dumps(head, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        new.rename(target)
    return len(numbers)


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
        numbers = np.load(directory / _NUMBERS, mmap_mode="r", allow_pickle=False).view(np.ndarray)
        starts = np.load(directory / _STARTS, allow_pickle=False)
    except FileNotFoundError:
        raise DenseUnavailableError("it has no vectors yet") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DenseUnavailableError(f"its vectors cannot be read ({error})") from error
    if not _fit(numbers, starts, passages):
        raise DenseUnavailableError("its vectors do not fit its passages")
    return Vectors(numbers, starts)


def _fit(numbers: npt.NDArray[Any], starts: npt.NDArray[Any], passages: int) -> bool:
    shaped = numbers.dtype == np.float16 and numbers.ndim == 2 and numbers.shape[1] == DIMENSIONS
    if not shaped or starts.dtype != np.int32 or starts.shape != (passages,):
        return False
    bounds = np.diff(starts, prepend=0, append=len(numbers))
    return bounds[0] == 0 and bool((bounds[1:] > 0).all())


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
