"""Meaning as vectors: the dense model, and the vectors of an index's passages."""

from promptcraft_sdk.dense.errors import DenseUnavailableError
from promptcraft_sdk.dense.model import DIMENSIONS, Encoder, load_encoder
from promptcraft_sdk.dense.vectors import Vectors, build_vectors, load_vectors

__all__ = [
    "DIMENSIONS",
    "DenseUnavailableError",
    "Encoder",
    "Vectors",
    "build_vectors",
    "load_encoder",
    "load_vectors",
]
