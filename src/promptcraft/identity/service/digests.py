"""What is stored of a credential."""

import hashlib


def digest(credential: str) -> bytes:
    """The SHA-256 of a credential: it is random and long enough that nobody guesses it from that."""
    return hashlib.sha256(credential.encode(errors="replace")).digest()
