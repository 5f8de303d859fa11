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
        self._seals: dict[UUID, tuple[str, Seal]] = {}

    def seal(self, org_id: UUID, subject_id: UUID | None, plaintext: str, context: str) -> Sealed:
        """Encrypt one field; `context` (event id and field name) is authenticated with it."""
        key_id, seal = self._seal(org_id)
        ciphertext = seal.close(plaintext.encode(errors="replace"), context.encode())
        return Sealed(key_id, base64.urlsafe_b64encode(ciphertext).decode())

    def open(self, org_id: UUID, sealed: Sealed, context: str) -> str | None:
        """The plaintext; None where the key is not one of ours. Raises ValueError when it was tampered with."""
        key_id, seal = self._seal(org_id)
        if sealed.key_id != key_id:
            return None
        try:
            plain = seal.open(base64.urlsafe_b64decode(sealed.ciphertext), context.encode())
        except InvalidTag:
            raise ValueError(f"the sealed field {context} was changed after it was written") from None
        return plain.decode()

    def _seal(self, org_id: UUID) -> tuple[str, Seal]:
        """The organisation's key with its id."""
        found = self._seals.get(org_id)
        if found is None:
            key_id = f"org:{org_id}:{_VERSION}"
            seal = Seal(self._master_key, f"promptcraft audit {key_id}".encode(), salt=org_id.bytes)
            found = self._seals[org_id] = key_id, seal
        return found
