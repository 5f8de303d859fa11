"""Text from outside, as PostgreSQL can keep it: it holds every character but U+0000. And numbers, as they were sent."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator


def storable(text: str) -> str:
    """The text of a machine, whose other words are still worth keeping."""
    return text.replace("\x00", "\ufffd")


def _refuse_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not hold the character U+0000")
    return text


# What a person wrote is taken as it stands or not at all. After the other constraints, which are of a plain string.
Storable = AfterValidator(_refuse_nul)
Quoted = Annotated[str, AfterValidator(storable)]


def _number(value: object) -> object:
    if isinstance(value, bool | str | bytes):
        raise ValueError("must be a number")
    return value


# Of a body's numbers, beside their bounds: without it `true` is 1 and "5" is 5.
Number = BeforeValidator(_number)
