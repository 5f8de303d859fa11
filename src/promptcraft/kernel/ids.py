"""Identifiers: UUIDv7 (RFC 9562 §5.7), so that primary keys follow time without asking the database."""

import secrets
import time
from datetime import UTC, datetime
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT_RFC = 0b10 << 62
_LOW_64_BITS = (1 << 64) - 1
_RANDOM_A = ((1 << 12) - 1) << 64
_RANDOM_B = (1 << 62) - 1


def new_id() -> UUID:
    """A UUIDv7 of now: 48 bits of Unix milliseconds, 74 random bits."""
    random = secrets.randbits(80)
    milliseconds = time.time_ns() // 1_000_000
    return UUID(int=milliseconds << 80 | _VERSION_7 | (random & _RANDOM_A) | _VARIANT_RFC | (random & _RANDOM_B))


def time_of(identifier: UUID) -> datetime:
    """The UTC time inside a UUIDv7; ValueError for any other version."""
    if identifier.version != 7:
        raise ValueError(f"{identifier} is not a UUIDv7")
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
