"""Keys sealed under one random key: they open under their name, and under nothing else."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.adapters.system import SystemEntropy
from chainward.keys.errors import KeyMalformed, PassphraseWrong
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.keys.sealing import SealingKey

SEAL = SealingKey.fresh(SystemEntropy())
KEY = generate(Scheme.ECDSA_P256_SHA256)
SEALED = SEAL.seal(KEY, "ca-1")
PASSPHRASE = b"correct horse battery"
WRAPPED = SEAL.wrapped(PASSPHRASE)
SCHEMES = [Scheme.ED25519, Scheme.ECDSA_P256_SHA256, Scheme.ECDSA_P384_SHA384]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_sealed_key_opens_under_its_name(scheme: Scheme) -> None:
    sealed, key = SEAL.make("log-1", scheme)
    assert key.public_key.scheme is scheme
    assert SEAL.open(sealed, "log-1").public_key == key.public_key


@pytest.mark.parametrize("name", ["ca-2", "ca-1 ", "", "CA-1"])
def test_a_key_that_was_moved_to_another_row_does_not_open(name: str) -> None:
    with pytest.raises(KeyMalformed):
        SEAL.open(SEALED, name)


def test_a_key_of_another_platform_does_not_open() -> None:
    with pytest.raises(KeyMalformed):
        SealingKey.fresh(SystemEntropy()).open(SEALED, "ca-1")


def test_one_key_is_never_sealed_the_same_way_twice() -> None:
    assert SEAL.seal(KEY, "ca-1") != SEALED


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_a_sealed_key_with_one_byte_changed_does_not_open(position: int, change: int) -> None:
    broken = bytearray(SEALED)
    broken[position] ^= change
    with pytest.raises(KeyMalformed):
        SEAL.open(bytes(broken), "ca-1")


@given(st.binary(max_size=400))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(KeyMalformed):
        SEAL.open(data, "ca-1")
    with pytest.raises(KeyMalformed):
        SealingKey.unwrap(data, PASSPHRASE, SystemEntropy())


def test_a_sealed_key_of_any_length_but_its_own_is_refused() -> None:
    for data in (SEALED[:-1], SEALED + b"\0", SEALED + bytes(20_000)):
        with pytest.raises(KeyMalformed):
            SEAL.open(data, "ca-1")


def test_the_sealing_key_opens_with_its_passphrase_only() -> None:
    assert SealingKey.unwrap(WRAPPED, PASSPHRASE, SystemEntropy()).open(SEALED, "ca-1").public_key == KEY.public_key
    with pytest.raises(PassphraseWrong):
        SealingKey.unwrap(WRAPPED, b"another passphrase", SystemEntropy())
    with pytest.raises(PassphraseWrong):
        SealingKey.unwrap(WRAPPED[:-1] + bytes([WRAPPED[-1] ^ 1]), PASSPHRASE, SystemEntropy())


def test_a_sealing_key_has_its_size_and_is_never_shown_or_pickled() -> None:
    with pytest.raises(KeyMalformed):
        SealingKey(b"short", SystemEntropy())
    assert repr(SEAL) == "<sealing key>"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(SEAL)


def test_what_is_derived_for_one_purpose_says_nothing_about_another() -> None:
    same = SealingKey.unwrap(WRAPPED, PASSPHRASE, SystemEntropy())
    assert SEAL.derived("sessions") == same.derived("sessions")
    assert SEAL.derived("sessions") != SEAL.derived("session")
