"""Who seals personal fields: one key per organisation, derived from the platform's master key."""

import base64
from uuid import UUID

from cryptography.exceptions import InvalidTag

from promptcraft.kernel.audit import Sealed
from promptcraft.kernel.sealing import Seal

_VERSION = 1


class OrganisationSealer:
    """AES-256-GCM under HKDF-SHA256(master key, organisation); the key id is "org:<uuid>:1".

    Keys of single subjects, which can be destroyed alone, come with the audit log's own issue; the record's form
    (key id and ciphertext) is already theirs.
    """

    def __init__(self, master_key: bytes) -> None:
        self._master_key = master_key
        self._seals: dict[UUID, Seal] = {}

    def seal(self, org_id: UUID, subject_id: UUID | None, plaintext: str, context: str) -> Sealed:
        """Encrypt one field; `context` (event id and field name) is authenticated with it."""
        ciphertext = self._seal(org_id).close(plaintext.encode(errors="replace"), context.encode())
        return Sealed(_key_id(org_id), base64.urlsafe_b64encode(ciphertext).decode())

    def open(self, org_id: UUID, sealed: Sealed, context: str) -> str | None:
        """The plaintext; None where the key is not one of ours. Raises ValueError when it was tampered with."""
        if sealed.key_id != _key_id(org_id):
            return None
        try:
            plain = self._seal(org_id).open(base64.urlsafe_b64decode(sealed.ciphertext), context.encode())
        except InvalidTag:
            raise ValueError(f"the sealed field {context} was changed after it was written") from None
        return plain.decode()

    def _seal(self, org_id: UUID) -> Seal:
        seal = self._seals.get(org_id)
        if seal is None:
            purpose = f"promptcraft audit {_key_id(org_id)}".encode()
            seal = self._seals[org_id] = Seal(self._master_key, purpose, salt=org_id.bytes)
        return seal


def _key_id(org_id: UUID) -> str:
    return f"org:{org_id}:{_VERSION}"
