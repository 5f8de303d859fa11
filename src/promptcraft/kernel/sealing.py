"""Sealing what is kept or handed out: AES-256-GCM under keys derived from the platform's master key."""

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_NONCE_BYTES = 12


class Seal:
    """One key for one purpose: HKDF-SHA256 (RFC 5869) of the master key with `purpose` as info."""

    def __init__(self, master_key: bytes, purpose: bytes, salt: bytes | None = None) -> None:
        self._cipher = AESGCM(HKDF(SHA256(), _KEY_BYTES, salt, purpose).derive(master_key))

    def close(self, plain: bytes, bound_to: bytes | None = None) -> bytes:
        """Nonce and ciphertext; it opens with the same `bound_to` alone."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, bound_to)

    def open(self, sealed: bytes, bound_to: bytes | None = None) -> bytes:
        """Raises cryptography.exceptions.InvalidTag where it was changed, or belongs elsewhere."""
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
