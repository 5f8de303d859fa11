"""Personal fields are sealed inside the record before its bytes are hashed, so that destroying a key forgets a person
without breaking a proof. Who seals is installed by the composition root."""

from typing import NamedTuple, Protocol
from uuid import UUID


class Sealed(NamedTuple):
    """`key_id` names the key; `ciphertext` is base64url text."""

    key_id: str
    ciphertext: str


class Sealer(Protocol):
    def seal(self, org_id: UUID, subject_id: UUID | None, plaintext: str, context: str) -> Sealed:
        """Encrypt one field of a person; `context` (event id and field name) is authenticated with it."""
        ...

    def open(self, org_id: UUID, sealed: Sealed, context: str) -> str | None:
        """The plaintext, or None when its key was destroyed. Raises ValueError when it was tampered with."""
        ...


_installed: list[Sealer] = []


def install_sealer(sealer: Sealer) -> None:
    """Name the process's sealer; the composition root calls this before anything is recorded."""
    _installed[:] = [sealer]


def sealer() -> Sealer:
    if not _installed:
        raise RuntimeError("no sealer is installed: the composition root calls kernel.audit.install_sealer first")
    return _installed[0]
