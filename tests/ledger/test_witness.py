"""Who may vouch for a checkpoint, and when enough of them do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.published import LOG, ORIGIN, ForeignLog, key, leaves

from chainward.formats.cosignature import Cosignature, encode_cosignature
from chainward.formats.note import (
    Note,
    NoteSignature,
    SignatureType,
    VerifierKey,
    format_note,
    format_signatures,
    parse_note,
)
from chainward.keys.errors import KeyUnsupported, SignatureInvalid
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.ledger.checkpoint import CheckpointInvalid, NoteSigner
from chainward.ledger.cosign import (
    CosignatureInvalid,
    Cosigner,
    open_signed,
    public_key_of,
    signed_by,
    verifier_of,
)
from chainward.ledger.witness import NamedWitness, NotWitnessed, WitnessInvalid, WitnessPolicy, verify_cosigned

WITNESSES = [Cosigner(f"w{number}.example/w", key(bytes([number]))) for number in range(1, 6)]
KEYS = tuple(witness.key for witness in WITNESSES)
CHECKPOINT = ForeignLog(leaves(7)).signed()
TEXT = parse_note(CHECKPOINT).text
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def cosigned(*numbers: int, text: str = TEXT) -> bytes:
    """Return the checkpoint with lines of these witnesses, each an hour after the one before."""
    lines = [WITNESSES[number].cosign(text, NOON + timedelta(hours=at)) for at, number in enumerate(numbers)]
    return CHECKPOINT + format_signatures(lines)


@given(st.permutations(range(5)), st.integers(0, 5), st.integers(1, 5))
def test_as_many_witnesses_as_the_threshold_says_are_enough(order: list[int], count: int, threshold: int) -> None:
    policy = WitnessPolicy(KEYS, threshold)
    note = cosigned(*order[:count])
    if count < threshold:
        with pytest.raises(NotWitnessed):
            verify_cosigned(note, policy)
        return
    found = verify_cosigned(note, policy)
    assert {name for name, _ in found.by} == {WITNESSES[number].name for number in order[:count]}
    assert found.since == NOON + timedelta(hours=threshold - 1)
    assert found.checkpoint.origin == ORIGIN


def test_lines_may_stand_in_any_order_around_that_of_the_log() -> None:
    own = parse_note(CHECKPOINT).signatures
    first, second = (witness.cosign(TEXT, NOON) for witness in WITNESSES[:2])
    stranger = NoteSignature("stranger.example", b"\x00\x01\x02\x03", bytes(2428))
    for lines in ((first, *own, second), (stranger, second, first, *own), (*own, first, stranger, second, stranger)):
        note = format_note(Note(TEXT, lines))
        assert len(verify_cosigned(note, WitnessPolicy(KEYS[:2], 2)).by) == 2
        assert open_signed(note, ORIGIN, (verifier_of(ORIGIN, LOG.signer.public_key),))[0].size == 7


def test_one_witness_that_signs_often_is_one_witness() -> None:
    with pytest.raises(NotWitnessed, match="cosigned by 1 of the 5"):
        verify_cosigned(cosigned(0, 0, 0), WitnessPolicy(KEYS, 2))
    assert verify_cosigned(cosigned(0, 0), WitnessPolicy(KEYS, 1)).since == NOON


def test_a_cosignature_of_another_witness_under_a_known_name_does_not_count() -> None:
    foreign = Cosigner(WITNESSES[0].name, key(b"f")).cosign(TEXT, NOON)
    with pytest.raises(NotWitnessed):
        verify_cosigned(CHECKPOINT + format_signatures([foreign]), WitnessPolicy(KEYS[:1], 1))
    disguised = NoteSignature(WITNESSES[0].name, KEYS[0].key_id, foreign.signature)
    with pytest.raises(CosignatureInvalid):
        verify_cosigned(CHECKPOINT + format_signatures([disguised]), WitnessPolicy(KEYS[:1], 1))


def test_a_false_line_of_a_known_witness_spoils_the_note_also_beside_a_true_one() -> None:
    true = WITNESSES[0].cosign(TEXT, NOON)
    false = NoteSignature(true.name, true.key_id, bytes(72))
    for lines in ([true, false], [false, true]):
        with pytest.raises(CosignatureInvalid):
            verify_cosigned(CHECKPOINT + format_signatures(lines), WitnessPolicy(KEYS, 1))
    later = Cosignature(int(NOON.timestamp()) + 60, true.signature[8:])
    moved = NoteSignature(true.name, true.key_id, encode_cosignature(later))
    with pytest.raises(CosignatureInvalid):
        verify_cosigned(CHECKPOINT + format_signatures([moved]), WitnessPolicy(KEYS, 1))


def test_a_cosignature_of_another_checkpoint_does_not_count() -> None:
    older = parse_note(ForeignLog(leaves(6)).signed()).text
    with pytest.raises(CosignatureInvalid):
        verify_cosigned(cosigned(0, text=older), WitnessPolicy(KEYS, 1))


def test_a_signature_of_the_log_is_no_cosignature_though_the_key_be_the_same() -> None:
    raw = verifier_of(ORIGIN, LOG.signer.public_key).raw
    as_witness = VerifierKey(ORIGIN, raw, SignatureType.COSIGNATURE)
    with pytest.raises(NotWitnessed):
        verify_cosigned(CHECKPOINT, WitnessPolicy((as_witness,), 1))


def test_a_policy_cannot_count_one_key_twice_or_demand_what_cannot_be() -> None:
    twice = VerifierKey("other.name", KEYS[0].raw, SignatureType.COSIGNATURE)
    for witnesses, threshold in (
        ((), 0),
        ((), 1),
        (KEYS, 0),
        (KEYS, 6),
        ((KEYS[0], KEYS[0]), 1),
        ((KEYS[0], twice), 2),
        ((VerifierKey("log.example", bytes(32)),), 1),
    ):
        with pytest.raises(WitnessInvalid):
            WitnessPolicy(witnesses, threshold)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("", "http://w.example"),
        ("Upper", "http://w.example"),
        ("x" * 65, "http://w.example"),
        ("w", "w.example"),
        ("w", "ftp://w.example"),
        ("w", "http://w.example/?x"),
        ("w", "http://w.example/#x"),
        ("w", "http://user:secret@w.example/"),
        ("w", "http://w.example/ x"),
    ],
)
def test_a_witness_needs_a_name_and_a_url(name: str, url: str) -> None:
    with pytest.raises(WitnessInvalid):
        NamedWitness(name, url, KEYS[0])


def test_a_witness_is_known_by_a_key_that_makes_cosignatures() -> None:
    with pytest.raises(WitnessInvalid):
        NamedWitness("w", "http://w.example", VerifierKey("w", bytes(32)))
    assert NamedWitness("w", "https://w.example:8443/prefix", KEYS[0]).key == KEYS[0]


def test_logs_sign_with_ed25519_or_p256_and_nothing_else() -> None:
    signer = NoteSigner(ORIGIN, generate(Scheme.ECDSA_P256_SHA256))
    verifier = verifier_of(ORIGIN, signer.signer.public_key)
    assert verifier.type is SignatureType.ECDSA
    note = signer.sign(7, bytes(32))
    assert open_signed(note, ORIGIN, (verifier,))[0].size == 7
    assert public_key_of(verifier) == signer.signer.public_key
    with pytest.raises(SignatureInvalid):
        open_signed(note.replace(b"\n7\n", b"\n8\n"), ORIGIN, (verifier,))
    larger = generate(Scheme.ECDSA_P384_SHA384).public_key
    with pytest.raises(KeyUnsupported):
        verifier_of(ORIGIN, larger)
    with pytest.raises(KeyUnsupported):
        public_key_of(VerifierKey(ORIGIN, larger.der, SignatureType.ECDSA))


def test_a_checkpoint_with_lines_of_an_old_and_a_new_key_of_its_log_is_believed_by_either() -> None:
    second = NoteSigner(ORIGIN, key(b"2"))
    lines = parse_note(second.sign(7, parse_root())).signatures
    both = CHECKPOINT + format_signatures(lines)
    old, new = (verifier_of(ORIGIN, each.signer.public_key) for each in (LOG, second))
    for keys in ((old,), (new,), (old, new), (new, old)):
        assert open_signed(both, ORIGIN, keys)[0].size == 7
    assert [each.key for each in signed_by(parse_note(both), (new, old))] == [new, old]
    with pytest.raises(CheckpointInvalid):
        open_signed(CHECKPOINT, ORIGIN, (new,))


def parse_root() -> bytes:
    return open_signed(CHECKPOINT, ORIGIN, (verifier_of(ORIGIN, LOG.signer.public_key),))[0].root
