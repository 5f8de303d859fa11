"""What crosses the public face of a context."""

import importlib
import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import promptcraft
from promptcraft.kernel.db import Base

NO_CONTEXTS = {"app", "kernel", "migrations", "settings", "ui"}
PACKAGE = Path(promptcraft.__file__).parent
CONTEXTS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py") if path.parent.name not in NO_CONTEXTS)


def _classes_in(annotation: object) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _classes_in(part)


def _crossing(face: ModuleType) -> Iterator[tuple[str, type]]:
    """Every class that a public name is, takes or gives."""
    for name in face.__all__:
        value = getattr(face, name)
        if inspect.isclass(value):
            yield name, value
        elif inspect.isfunction(value):
            for annotation in typing.get_type_hints(value).values():
                yield from ((name, crossing) for crossing in _classes_in(annotation))


@pytest.mark.parametrize("context", CONTEXTS)
def test_no_row_crosses_the_face_of(context: str) -> None:
    face = importlib.import_module(f"promptcraft.{context}")

    assert {name for name, crossing in _crossing(face) if issubclass(crossing, Base)} == set()


@pytest.mark.parametrize("context", CONTEXTS)
def test_face_says_what_the_context_is_for(context: str) -> None:
    face = importlib.import_module(f"promptcraft.{context}")

    assert face.__doc__, "the docstring of a context's __init__ says in a line what it does"
