"""Signed notes, checkpoints, tiles and entry bundles."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import checkpoints, notes, signer_names

from chainward.formats.checkpoint import Checkpoint, parse_checkpoint
from chainward.formats.codec import encode_base64
from chainward.formats.errors import Malformed, TooLarge, Unsupported, Unwritable
from chainward.formats.note import (
    MAX_NOTE,
    Note,
    NoteSignature,
    VerifierKey,
    ed25519_key_id,
    format_note,
    parse_note,
    parse_verifier_key,
    verifier_key,
)

LINE = f"\u2014 log.example {encode_base64(b'idNNsignature')}\n"
ROOT = hashlib.sha256(b"").digest()
ROOT_TEXT = encode_base64(ROOT)


@given(notes())
def test_a_note_reads_back_as_it_was_written(note: Note) -> None:
    data = format_note(note)
    assert parse_note(data) == note
    assert format_note(parse_note(data)) == data


def test_text_and_signatures_part_at_the_last_blank_line() -> None:
    note = parse_note(f"one\n\ntwo\n\n{LINE}".encode())
    assert note.text == "one\n\ntwo\n"
    assert note.signatures == (NoteSignature("log.example", b"idNN", b"signature"),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text\n\n",
        f"text\n{LINE}",
        f"text\n\n{LINE[:-1]}",
        f"text\n\n{LINE}\n",
        f"text\r\n\n{LINE}",
        f"te\0xt\n\n{LINE}",
        f"text\n\n{LINE}{LINE[2:]}",
        "text\n\n\u2014 log.example\n",
        "text\n\n\u2014 log.example aWROTg==\n",
        "text\n\n\u2014 log.example aWROTnM\n",
        "text\n\n\u2014  aWROTnM=\n",
        "text\n\n\u2014 log+example aWROTnM=\n",
        "text\n\n\u2014 log\u00a0example aWROTnM=\n",
        "text\n\n\u2014 log.example aWROTnM= \n",
        "text\n\n- log.example aWROTnM=\n",
    ],
)
def test_a_note_that_breaks_the_format_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_note(text.encode())


def test_a_note_that_is_not_utf8_is_malformed() -> None:
    with pytest.raises(Malformed):
        parse_note(b"\xff\n\n" + LINE.encode())


def test_a_note_of_a_hundred_signatures_is_read_and_one_of_more_is_not() -> None:
    assert len(parse_note(f"text\n\n{LINE * 100}".encode()).signatures) == 100
    with pytest.raises(Malformed, match="100"):
        parse_note(f"text\n\n{LINE * 101}".encode())
    with pytest.raises(TooLarge):
        parse_note(b"x" * (MAX_NOTE + 1))


@pytest.mark.parametrize(
    "note",
    [
        Note("no newline", (NoteSignature("a", b"1234", b"s"),)),
        Note("tab\t\n", (NoteSignature("a", b"1234", b"s"),)),
        Note("\ud800\n", (NoteSignature("a", b"1234", b"s"),)),
        Note("x\n", ()),
        Note("x\n", (NoteSignature("", b"1234", b"s"),)),
        Note("x\n", (NoteSignature("a b", b"1234", b"s"),)),
        Note("x\n", (NoteSignature("a\nb", b"1234", b"s"),)),
        Note("x\n", (NoteSignature("a+b", b"1234", b"s"),)),
        Note("x\n", (NoteSignature("a", b"123", b"s"),)),
        Note("x\n", (NoteSignature("a", b"1234", b""),)),
    ],
)
def test_a_note_that_could_not_be_read_back_is_not_written(note: Note) -> None:
    with pytest.raises(Unwritable):
        format_note(note)


def test_the_key_of_the_go_checksum_database_is_read() -> None:
    text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
    key = parse_verifier_key(text)
    assert key.name == "sum.golang.org"
    assert key.key_id == bytes.fromhex("033de0ae")
    assert verifier_key(key.name, key.raw) == text


@given(signer_names(), st.binary(min_size=32, max_size=32))
def test_a_verifier_key_reads_back_as_it_was_written(name: str, raw: bytes) -> None:
    assert parse_verifier_key(verifier_key(name, raw)) == VerifierKey(name, raw)
    assert ed25519_key_id(name, raw) == hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        "+f3e73440+" + encode_base64(b"\x01" + bytes(32)),
        "log.example+F3E73440+" + encode_base64(b"\x01" + bytes(32)),
        "log.example+f3e73440+" + encode_base64(b"\x01" + bytes(31)),
        "log.example+f3e73440+" + encode_base64(b"\x01" + bytes(31) + b"\x01"),
        "other.example+f3e73440+" + encode_base64(b"\x01" + bytes(32)),
        "log.example+f3e73440+" + encode_base64(b"\x01" + bytes(32)) + "+",
    ],
)
def test_a_verifier_key_with_a_wrong_part_is_malformed(text: str) -> None:
    with pytest.raises((Malformed, Unsupported)):
        parse_verifier_key(text)


def test_a_verifier_key_of_another_algorithm_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        parse_verifier_key("log.example+f3e73440+" + encode_base64(b"\x06" + bytes(32)))
    with pytest.raises(Unwritable):
        verifier_key("log example", bytes(32))
    with pytest.raises(Unwritable):
        verifier_key("log.example", bytes(31))


@given(checkpoints())
def test_a_checkpoint_reads_back_as_it_was_written(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(checkpoint.text()) == checkpoint


def test_a_checkpoint_is_three_lines_and_its_extensions() -> None:
    text = f"log.example/x\n1034\n{ROOT_TEXT}\nextension 1\nextension 2\n"
    checkpoint = parse_checkpoint(text)
    assert checkpoint == Checkpoint("log.example/x", 1034, ROOT, ("extension 1", "extension 2"))
    assert checkpoint.text() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"log.example\n1\n{ROOT_TEXT}",
        "log.example\n1\n",
        f"\n1\n{ROOT_TEXT}\n",
        f"log.example\n01\n{ROOT_TEXT}\n",
        f"log.example\n+1\n{ROOT_TEXT}\n",
        f"log.example\n-1\n{ROOT_TEXT}\n",
        f"log.example\n1 \n{ROOT_TEXT}\n",
        f"log.example\n\u0661\n{ROOT_TEXT}\n",
        f"log.example\n9223372036854775808\n{ROOT_TEXT}\n",
        f"log.example\n\n{ROOT_TEXT}\n",
        f"log.example\n1\n{ROOT_TEXT[:-1]}\n",
        f"log.example\n1\n{encode_base64(ROOT[:31])}\n",
        f"log.example\n1\n{encode_base64(ROOT + b'x')}\n",
        f"log.example\n1\n{ROOT_TEXT}\n\n",
        f"log.example\n1\n{ROOT_TEXT}\n\nx\n",
        f"log.example\r\n1\n{ROOT_TEXT}\n",
    ],
)
def test_a_checkpoint_that_breaks_the_format_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 1, ROOT),
        Checkpoint("a\nb", 1, ROOT),
        Checkpoint("a", -1, ROOT),
        Checkpoint("a", 2**63, ROOT),
        Checkpoint("a", 1, b""),
        Checkpoint("a", 1, ROOT, ("",)),
        Checkpoint("a", 1, ROOT, ("x\n",)),
    ],
)
def test_a_checkpoint_that_could_not_be_read_back_is_not_written(checkpoint: Checkpoint) -> None:
    with pytest.raises(Unwritable):
        checkpoint.text()
