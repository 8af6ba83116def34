"""A newer proof for an old entry: under a witnessed checkpoint, from public tiles, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ledger.published import LOG, ORIGIN, ForeignLog, key, leaves

from chainward.formats.bundle import Bundle, InclusionProof, LogEntry, MessageSignature, decode_bundle, encode_bundle
from chainward.formats.note import format_signatures, parse_note
from chainward.ledger.checkpoint import CheckpointInvalid, NoteSigner
from chainward.ledger.cosign import Cosigner, verifier_of
from chainward.ledger.proofs import ProofInvalid, leaf_hash, verify_inclusion
from chainward.ledger.tiles import PublishedTree
from chainward.ledger.witness import NotWitnessed, WitnessPolicy, verify_cosigned
from chainward.trust.reprove import EntryNotCovered, reprove

CONTENT = leaves(600)
KEYS = (verifier_of(ORIGIN, LOG.signer.public_key),)
WITNESS = Cosigner("w.example", key(b"w"))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def entry(index: int, size: int, signer: NoteSigner = LOG) -> LogEntry:
    log = ForeignLog(CONTENT, signer=signer, shown=size)
    tree = PublishedTree(log, size)
    proof = InclusionProof(index, size, tree.root(size), tree.inclusion(index, size), log.signed().decode())
    return LogEntry(index, signer.key_id, "hashedrekord", "0.0.2", 0, proof, CONTENT[index])


def bundle(*entries: LogEntry) -> bytes:
    message = MessageSignature("SHA2_256", bytes(32), b"signature")
    return encode_bundle(Bundle(message_signature=message, key_hint="key", entries=entries, timestamps=(b"token",)))


def witnessed(size: int) -> bytes:
    note = ForeignLog(CONTENT, shown=size).signed()
    return note + format_signatures([WITNESS.cosign(parse_note(note).text, NOON)])


@given(st.data())
@settings(max_examples=40)
def test_an_entry_is_proven_under_the_witnessed_checkpoint_and_nothing_else_changes(data: st.DataObject) -> None:
    index = data.draw(st.integers(0, 500))
    first = data.draw(st.integers(index + 1, 550))
    second = data.draw(st.integers(index + 1, 600))
    old = bundle(entry(index, first))
    new = reprove(old, ForeignLog(CONTENT), witnessed(second), ORIGIN, KEYS)
    (proven,) = decode_bundle(new).entries
    verify_inclusion(index, second, leaf_hash(CONTENT[index]), proven.proof.hashes, proven.proof.root)
    policy = WitnessPolicy((WITNESS.key,), 1)
    assert verify_cosigned(proven.proof.checkpoint.encode(), policy).checkpoint.root == proven.proof.root
    with pytest.raises(NotWitnessed):
        verify_cosigned(decode_bundle(old).entries[0].proof.checkpoint.encode(), policy)
    assert reprove(new, ForeignLog(CONTENT), ForeignLog(CONTENT, shown=first).signed(), ORIGIN, KEYS) == old


def test_an_entry_that_is_newer_or_of_another_log_is_not_covered() -> None:
    other = NoteSigner("other.example", LOG.signer)
    for content in (bundle(entry(300, 301)), bundle(entry(5, 6, other)), bundle()):
        with pytest.raises(EntryNotCovered):
            reprove(content, ForeignLog(CONTENT), witnessed(300), ORIGIN, KEYS)
    both = decode_bundle(
        reprove(bundle(entry(5, 6), entry(7, 8, other)), ForeignLog(CONTENT), witnessed(300), ORIGIN, KEYS)
    )
    assert [each.proof.tree_size for each in both.entries] == [300, 8]


def test_an_entry_that_is_not_in_the_log_is_not_proven() -> None:
    from dataclasses import replace

    with pytest.raises(ProofInvalid):
        reprove(bundle(replace(entry(5, 6), body=b"another")), ForeignLog(CONTENT), witnessed(300), ORIGIN, KEYS)
    forked = ForeignLog([*CONTENT[:4], *leaves(596, "fork")])
    with pytest.raises(ProofInvalid):
        reprove(bundle(entry(5, 6)), forked, witnessed(300), ORIGIN, KEYS)


def test_a_checkpoint_that_the_log_did_not_sign_is_not_taken() -> None:
    stranger = NoteSigner(ORIGIN, key(b"x")).sign(300, bytes(32))
    with pytest.raises(CheckpointInvalid):
        reprove(bundle(entry(5, 6)), ForeignLog(CONTENT), stranger, ORIGIN, KEYS)
