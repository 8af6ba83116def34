"""Notes of every kind of key, timestamped cosignatures, and the bodies of the witness protocol: vectors of C2SP."""

from __future__ import annotations

import hashlib
import struct
from base64 import b64decode
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import checkpoints, note_signatures, signer_names

from chainward.formats.checkpoint import Checkpoint, parse_checkpoint
from chainward.formats.codec import encode_base64
from chainward.formats.cosignature import (
    Cosignature,
    cosignature_key_id,
    cosigned_message,
    decode_cosignature,
    encode_cosignature,
)
from chainward.formats.errors import Malformed, TooLarge, Unsupported, Unwritable
from chainward.formats.note import (
    NoteSignature,
    SignatureType,
    VerifierKey,
    ecdsa_key_id,
    format_signatures,
    parse_note,
    parse_signatures,
)
from chainward.formats.witness import (
    MAX_ADD_CHECKPOINT,
    AddCheckpoint,
    format_add_checkpoint,
    format_size,
    parse_add_checkpoint,
    parse_size,
)

# Examples of the specifications, c2sp.org/signed-note, /tlog-cosignature and /tlog-witness (CC BY 4.0), and the
# note that the documentation of golang.org/x/mod/sumdb/note verifies.
COSIGNED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+"
    "zyWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5"
    "nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
REQUEST = (
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    "\n"
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+"
    "zyWE+xeMcTOAYQ8=\n"
    "\u2014 example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5"
    "Rovnzv++qbSzm9Q=\n"
).encode()
ANSWER = (
    "\u2014 witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2Hg"
    "LatVs0pWh6Up69HVOw==\n"
    "\u2014 witness.example/w2 AWui8Sk55XjYLOijihBjhqEH6nS1ndDymE0a+6idX7pLcnoB+dhnz0854aLZgrrKbYKA7nC3HNJhm/kWl7oJ"
    "lqU3rXXvpysAdyP3wQ==\n"
).encode()
SPEC_NOTE = (
    "This is an example message.\n\n"
    "\u2014 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


@pytest.mark.parametrize(("text", "key"), [(SPEC_NOTE, SPEC_KEY), (GO_NOTE, GO_KEY)])
def test_published_notes_verify_under_their_published_keys(text: str, key: str) -> None:
    note, verifier = parse_note(text.encode()), VerifierKey.parse(key)
    (line,) = note.signatures
    assert (line.name, line.key_id) == (verifier.name, verifier.key_id)
    public = Ed25519PublicKey.from_public_bytes(verifier.raw)
    public.verify(line.signature, note.text.encode())
    assert str(verifier) == key


def test_the_cosigned_checkpoint_of_the_specification_is_read() -> None:
    note = parse_note(COSIGNED.encode())
    assert parse_checkpoint(note.text).size == 20852163
    cosignature = decode_cosignature(note.signatures[1].signature)
    assert cosignature.timestamp == 1679315147
    assert cosignature.instant == datetime(2023, 3, 20, 12, 25, 47, tzinfo=UTC)
    assert cosigned_message(cosignature.timestamp, note.text) == (
        b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )
    assert encode_cosignature(cosignature) == note.signatures[1].signature


def test_a_cosignature_is_the_bytes_that_the_specification_lays_out() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
    raw = key.public_key().public_bytes_raw()
    text = Checkpoint("example.com/log", 5, bytes(32)).text()
    signature = key.sign(b"cosignature/v1\ntime 1700000000\n" + text.encode())
    line = struct.pack(">Q64s", 1_700_000_000, signature)
    assert decode_cosignature(line) == Cosignature(1_700_000_000, signature)
    assert encode_cosignature(Cosignature(1_700_000_000, signature)) == line
    key_id = hashlib.sha256(b"witness.example/w1\n\x04" + raw).digest()
    assert cosignature_key_id("witness.example/w1", raw) == key_id
    verifier = VerifierKey("witness.example/w1", raw, SignatureType.COSIGNATURE)
    assert verifier.key_id == key_id[:4]
    assert str(verifier) == f"witness.example/w1+{key_id[:4].hex()}+{encode_base64(bytes([4]) + raw)}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(71),
        bytes(73),
        bytes(72),  # no time: the cosigner does not say when
        b"\xff" * 72,
        struct.pack(">Q64s", 253_402_300_800, bytes(64)),  # the year 10000
    ],
)
def test_what_is_no_timestamped_signature_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_cosignature(data)


@pytest.mark.parametrize("timestamp", [0, -1, 253_402_300_800, 2**64])
def test_no_time_that_is_none_is_written(timestamp: int) -> None:
    with pytest.raises(Unwritable):
        encode_cosignature(Cosignature(timestamp, bytes(64)))
    with pytest.raises(Unwritable):
        cosigned_message(timestamp, "x\n")
    with pytest.raises(Unwritable):
        encode_cosignature(Cosignature(1, bytes(63)))


@given(st.integers(1, 253_402_300_799), st.binary(min_size=64, max_size=64))
def test_a_cosignature_reads_back_as_it_was_written(timestamp: int, signature: bytes) -> None:
    cosignature = Cosignature(timestamp, signature)
    assert decode_cosignature(encode_cosignature(cosignature)) == cosignature


@given(signer_names(), st.binary(min_size=32, max_size=32), st.binary(min_size=60, max_size=200))
def test_keys_of_every_type_read_back_and_have_ids_of_their_own(name: str, raw: bytes, der: bytes) -> None:
    keys = [VerifierKey(name, raw, kind) for kind in (SignatureType.ED25519, SignatureType.COSIGNATURE)]
    keys.append(VerifierKey(name, der, SignatureType.ECDSA))
    assert [VerifierKey.parse(str(key)) for key in keys] == keys
    assert len({key.key_id for key in keys}) == 3
    assert keys[2].key_id == ecdsa_key_id(der)[:4] == hashlib.sha256(der).digest()[:4]


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        (b"", Unsupported),
        (b"\x00" + bytes(32), Unsupported),
        (b"\x03" + bytes(32), Unsupported),
        (b"\x05" + bytes(32), Unsupported),
        (b"\x06" + bytes(1312), Unsupported),
        (b"\x04" + bytes(31), Malformed),
        (b"\x02" + bytes(32), Malformed),
        (b"\x02" + bytes(513), Malformed),
    ],
)
def test_keys_of_other_types_or_sizes_are_not_read(typed: bytes, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        VerifierKey.parse(f"name+00000000+{encode_base64(typed)}")
    if problem is Malformed:
        with pytest.raises(Unwritable):
            str(VerifierKey("name", typed[1:], SignatureType(typed[0])))


@given(st.lists(note_signatures(), min_size=1, max_size=20))
def test_signature_lines_that_stand_alone_read_back(signatures: list[NoteSignature]) -> None:
    assert parse_signatures(format_signatures(signatures)) == tuple(signatures)


def test_the_answer_of_a_witness_in_the_specification_is_read() -> None:
    lines = parse_signatures(ANSWER)
    assert [line.name for line in lines] == ["witness.example/w1", "witness.example/w2"]
    assert [len(line.signature) for line in lines] == [72, 72]


@pytest.mark.parametrize("data", [b"", b"\n", ANSWER[:-1], b"\n" + ANSWER, ANSWER + b"\n", b"\xff\n", b"x\0\n"])
def test_what_are_no_signature_lines_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_signatures(data)


def test_too_many_signature_lines_are_refused() -> None:
    line = ANSWER.splitlines(keepends=True)[0]
    assert len(parse_signatures(line * 100)) == 100
    with pytest.raises(Malformed, match="100"):
        parse_signatures(line * 101)
    with pytest.raises(TooLarge):
        parse_signatures(b"x" * (1 << 20) + b"\n")


def test_a_note_with_a_post_quantum_line_of_a_stranger_is_read() -> None:
    line = format_signatures([NoteSignature("pq.example/w", b"\x01\x02\x03\x04", bytes(8 + 2420))])
    note = parse_note(COSIGNED.encode() + line * 16)
    assert len(note.signatures) == 18


def test_the_request_of_the_specification_is_read_and_written() -> None:
    request = parse_add_checkpoint(REQUEST)
    assert (request.old_size, len(request.proof)) == (20852014, 4)
    assert request.proof[3] == b64decode("/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=")
    note = parse_note(request.note)
    assert len(note.signatures) == 2
    assert parse_checkpoint(note.text).size == 20852163
    assert format_add_checkpoint(request) == REQUEST


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    checkpoints(),
)
def test_a_request_reads_back_as_it_was_written(old: int, proof: list[bytes], checkpoint: Checkpoint) -> None:
    note = f"{checkpoint.text()}\n\u2014 log.example aWROTnM=\n".encode()
    request = AddCheckpoint(old, tuple(proof), note)
    assert parse_add_checkpoint(format_add_checkpoint(request)) == request


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"old",
        b"old ",
        b"old  1",
        b"old 01",
        b"old -1",
        b"old +1",
        b"OLD 1",
        b"old 1 ",
        b"old 1\r",
        b"old 9223372036854775808",
        b"old 1\nAAAA",
        b"old 1\n" + encode_base64(bytes(33)).encode(),
        b"old 1\n" + encode_base64(bytes(32)).encode() + b"\r",
        b"old 1" + (b"\n" + encode_base64(bytes(32)).encode()) * 64,
        b"new 1",
        "old \u0661".encode(),
    ],
)
def test_a_request_that_breaks_the_format_is_malformed(head: bytes) -> None:
    with pytest.raises(Malformed):
        parse_add_checkpoint(head + b"\n\nx\n1\n")


def test_a_request_without_a_checkpoint_or_of_any_size_is_refused() -> None:
    with pytest.raises(Malformed):
        parse_add_checkpoint(b"old 1\n")
    with pytest.raises(TooLarge):
        parse_add_checkpoint(b"old 1\n\n" + b"x" * MAX_ADD_CHECKPOINT)
    for request in (
        AddCheckpoint(-1, (), b""),
        AddCheckpoint(1, (bytes(31),), b""),
        AddCheckpoint(1, (bytes(32),) * 64, b""),
    ):
        with pytest.raises(Unwritable):
            format_add_checkpoint(request)


@given(st.integers(0, 2**63 - 1))
def test_a_size_reads_back_as_it_was_written(size: int) -> None:
    assert parse_size(format_size(size)) == size


@pytest.mark.parametrize("body", [b"", b"1", b"01\n", b"1\n\n", b"-1\n", b"1 \n", b"9223372036854775808\n", b"x\n"])
def test_what_is_no_size_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_size(body)
