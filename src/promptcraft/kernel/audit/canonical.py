"""The one serialisation of an event, whose bytes will be hashed: RFC 8785 as far as we use it.

Keys are ASCII and there are no floats, for which sorted orjson and RFC 8785 agree byte for byte (notes/audit.md).
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import orjson

# RFC 8785 numbers are IEEE doubles: beyond this an integer would not survive another implementation.
_MAX_INTEGER = 2**53


def canonical_bytes(document: dict[str, Any]) -> bytes:
    """The bytes of the document; TypeError or ValueError for what has no canonical form."""
    _check(document, "")
    return bytes_of_plain(document)


def bytes_of_plain(document: dict[str, Any]) -> bytes:
    """The same, unsearched, for a document of ASCII keys, text, integers, booleans, UUIDs and None alone.

    Raises TypeError for an integer that another implementation would round.
    """
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)


def decimal_text(amount: Decimal) -> str:
    """An amount of money as the record writes it: plain decimal digits, no exponent."""
    return format(amount, "f")


def _check(value: object, path: str) -> None:
    match value:
        case dict():
            for key, inner in cast("dict[object, object]", value).items():
                if not (isinstance(key, str) and key.isascii()):
                    raise ValueError(f"key {key!r} at {path or '/'} is not ASCII text")
                _check(inner, f"{path}/{key}")
        case list() | tuple():
            for position, inner in enumerate(cast("Sequence[object]", value)):
                _check(inner, f"{path}/{position}")
        case bool() | str() | UUID() | None:
            return
        case int() if abs(value) < _MAX_INTEGER:
            return
        case _:
            raise TypeError(f"{type(value).__name__} at {path or '/'} has no canonical form")
