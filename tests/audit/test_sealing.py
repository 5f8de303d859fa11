"""The sealer: one key per organisation, each field bound to its place."""

from uuid import uuid4

import pytest

from promptcraft.audit import OrganisationSealer
from promptcraft.kernel.audit import Sealed

ACME, RIVAL = uuid4(), uuid4()
SEALER = OrganisationSealer(b"m" * 32)


def test_what_was_sealed_is_opened_by_whoever_has_the_master_key():
    sealed = SEALER.seal(ACME, None, "Zoë 🙂", "event/ip_address")

    assert OrganisationSealer(b"m" * 32).open(ACME, sealed, "event/ip_address") == "Zoë 🙂"
    assert sealed.key_id == f"org:{ACME}:1"


def test_the_same_text_is_never_sealed_the_same_way():
    assert SEALER.seal(ACME, None, "x", "e/f") != SEALER.seal(ACME, None, "x", "e/f")


def test_a_sealed_field_opens_in_its_place_alone():
    sealed = SEALER.seal(ACME, None, "x", "event/ip_address")

    with pytest.raises(ValueError, match="changed"):
        SEALER.open(ACME, sealed, "another event/ip_address")


def test_another_organisations_key_does_not_open_it():
    sealed = SEALER.seal(ACME, None, "x", "e/f")

    assert SEALER.open(RIVAL, sealed, "e/f") is None
    with pytest.raises(ValueError, match="changed"):
        SEALER.open(RIVAL, Sealed(f"org:{RIVAL}:1", sealed.ciphertext), "e/f")


def test_another_master_key_does_not_open_it():
    with pytest.raises(ValueError, match="changed"):
        OrganisationSealer(b"x" * 32).open(ACME, SEALER.seal(ACME, None, "x", "e/f"), "e/f")
