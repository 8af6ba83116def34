"""Signed checkpoints: what the log's own key signed is believed, nothing else."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.databases import FACTS, SIGNATURES

from chainward.formats.checkpoint import Checkpoint
from chainward.formats.note import Note, NoteSignature, format_note, parse_note
from chainward.kernel.problem import Problem
from chainward.keys.errors import SignatureInvalid
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.ledger.checkpoint import CheckpointInvalid, FixedSigners, NoteSigner, open_checkpoint
from chainward.ledger.errors import LogUnknown

ROOT = bytes(range(32))
KEY = FACTS.signer.public_key
P256 = NoteSigner("ct.test", generate(Scheme.ECDSA_P256_SHA256))


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_a_signed_checkpoint_is_believed(size: int, root: bytes) -> None:
    assert FACTS.open(FACTS.sign(size, root)) == Checkpoint(FACTS.origin, size, root)


@given(st.data())
def test_no_changed_byte_of_a_checkpoint_goes_unnoticed(data: st.DataObject) -> None:
    note = bytearray(FACTS.sign(1234, ROOT))
    at = data.draw(st.integers(0, len(note) - 1))
    note[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Problem):
        open_checkpoint(bytes(note), FACTS.origin, KEY)


def test_other_signatures_beside_the_log_are_ignored() -> None:
    own = parse_note(FACTS.sign(7, ROOT))
    witness = NoteSignature("witness.test", b"wwww", b"w" * 64)
    for signatures in ((witness, *own.signatures), (*own.signatures, witness)):
        assert FACTS.open(format_note(Note(own.text, signatures))).size == 7
    with pytest.raises(CheckpointInvalid, match="0 signatures"):
        FACTS.open(format_note(Note(own.text, (witness,))))


def test_a_note_with_two_signatures_of_the_log_is_refused() -> None:
    own = parse_note(FACTS.sign(7, ROOT))
    with pytest.raises(CheckpointInvalid, match="2 signatures"):
        FACTS.open(format_note(Note(own.text, own.signatures * 2)))


def test_a_stranger_under_the_name_of_the_log_is_refused() -> None:
    stranger = NoteSigner(FACTS.origin, generate(Scheme.ED25519))
    with pytest.raises(CheckpointInvalid):
        FACTS.open(stranger.sign(7, ROOT))
    forged = parse_note(stranger.sign(7, ROOT))
    (signature,) = forged.signatures
    disguised = NoteSignature(FACTS.origin, FACTS.key_id[:4], signature.signature)
    with pytest.raises(SignatureInvalid):
        FACTS.open(format_note(Note(forged.text, (disguised,))))


def test_a_checkpoint_of_one_log_does_not_pass_for_another_with_the_same_key() -> None:
    other = NoteSigner("other.test", FACTS.signer)
    own_name = parse_note(other.sign(7, ROOT))
    text = own_name.text
    signature = NoteSignature(FACTS.origin, FACTS.key_id[:4], FACTS.signer.sign(text.encode()))
    with pytest.raises(CheckpointInvalid, match=r"is of other\.test"):
        FACTS.open(format_note(Note(text, (signature,))))


def test_a_log_key_must_be_one_that_notes_know() -> None:
    with pytest.raises(Problem, match="cannot sign checkpoints"):
        NoteSigner("log.test", generate(Scheme.ECDSA_P384_SHA384))


def test_a_log_may_sign_with_p256_and_is_then_known_by_the_hash_of_its_key() -> None:
    assert P256.key_id == hashlib.sha256(P256.signer.public_key.der).digest()
    note = P256.sign(7, ROOT)
    assert parse_note(note).signatures[0].key_id == P256.key_id[:4]
    assert open_checkpoint(note, "ct.test", P256.signer.public_key) == Checkpoint("ct.test", 7, ROOT)
    with pytest.raises(CheckpointInvalid):
        open_checkpoint(note, "other.test", P256.signer.public_key)
    with pytest.raises(SignatureInvalid):
        P256.open(note.replace(b"ct.test\n7\n", b"ct.test\n8\n"))


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_every_checkpoint_that_a_p256_log_signs_is_read_back_as_it_was(size: int, root: bytes) -> None:
    assert P256.open(P256.sign(size, root)) == Checkpoint("ct.test", size, root)


def test_an_unknown_log_has_no_signer() -> None:
    assert FixedSigners([FACTS]).signer_of(FACTS.origin) is FACTS
    with pytest.raises(LogUnknown):
        FixedSigners([FACTS]).signer_of("log.test")


def test_logs_have_keys_of_their_own() -> None:
    assert FACTS.key_id != SIGNATURES.key_id
    assert len(FACTS.key_id) == 32
