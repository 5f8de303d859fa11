"""Password hashes: argon2id in the shape OWASP recommends, a few at a time, off the event loop."""

import asyncio
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's password storage cheat sheet: 19 MiB, 2 passes, 1 lane.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Each hash holds its memory and one processor: more at once would let logins starve everything else.
_AT_ONCE = 2
_GENERATED_BYTES = 15


async def hash_password(password: str) -> str:
    """Hash a password for storing."""
    async with _turn():
        return await asyncio.to_thread(_hasher.hash, password)


async def verify_password(stored: str | None, password: str) -> bool:
    """Compare; without a stored hash (nobody by that name) it takes as long and is False."""
    async with _turn():
        return await asyncio.to_thread(_matches, stored, password)


def generate_password() -> str:
    """Make a password of 120 random bits."""
    return secrets.token_urlsafe(_GENERATED_BYTES)


def _matches(stored: str | None, password: str) -> bool:
    try:
        return _hasher.verify(stored or _nobody(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe())


_turns: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


def _turn() -> asyncio.Semaphore:
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE))
