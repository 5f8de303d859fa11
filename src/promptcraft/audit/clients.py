"""Who seals personal fields: one key per organisation, derived from the platform's master key."""

import base64
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from promptcraft.kernel.audit import Sealed

_NONCE_BYTES = 12
_KEY_BYTES = 32
_VERSION = 1


class OrganisationSealer:
    """AES-256-GCM under HKDF-SHA256(master key, organisation); the key id is "org:<uuid>:1".

    Keys of single subjects, which can be destroyed alone, come with the audit log's own issue; the record's form
    (key id and ciphertext) is already theirs.
    """

    def __init__(self, master_key: bytes) -> None:
        self._master_key = master_key
        self._ciphers: dict[UUID, AESGCM] = {}

    def seal(self, org_id: UUID, subject_id: UUID | None, plaintext: str, context: str) -> Sealed:
        """Encrypt one field; `context` (event id and field name) is authenticated with it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        ciphertext = nonce + self._cipher(org_id).encrypt(nonce, plaintext.encode(errors="replace"), context.encode())
        return Sealed(_key_id(org_id), base64.urlsafe_b64encode(ciphertext).decode())

    def open(self, org_id: UUID, sealed: Sealed, context: str) -> str | None:
        """The plaintext; None where the key is not one of ours. Raises ValueError when it was tampered with."""
        if sealed.key_id != _key_id(org_id):
            return None
        raw = base64.urlsafe_b64decode(sealed.ciphertext)
        try:
            plain = self._cipher(org_id).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
        except InvalidTag:
            raise ValueError(f"the sealed field {context} was changed after it was written") from None
        return plain.decode()

    def _cipher(self, org_id: UUID) -> AESGCM:
        cipher = self._ciphers.get(org_id)
        if cipher is None:
            info = f"promptcraft audit {_key_id(org_id)}".encode()
            cipher = AESGCM(HKDF(SHA256(), _KEY_BYTES, org_id.bytes, info).derive(self._master_key))
            self._ciphers[org_id] = cipher
        return cipher


def _key_id(org_id: UUID) -> str:
    return f"org:{org_id}:{_VERSION}"
