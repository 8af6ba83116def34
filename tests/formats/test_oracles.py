"""Our encodings held against independent ones: the standard library, the RFC 8785 package, the words of the specs."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import checkpoints, digests, json_objects, json_values, notes

from chainward.formats.checkpoint import Checkpoint, parse_checkpoint
from chainward.formats.codec import (
    MAX_DEPTH,
    canonical_json,
    decode_base64,
    decode_json,
    decode_object,
    deterministic_json,
    encode_base64,
)
from chainward.formats.dsse import Envelope, Signature, decode_envelope, encode_envelope, pae
from chainward.formats.errors import Malformed, Unwritable
from chainward.formats.intoto import ResourceDescriptor, Statement, decode_statement, encode_statement
from chainward.formats.note import Note, format_note, parse_note
from chainward.formats.oci import (
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    decode_manifest,
    encode_manifest,
)
from chainward.formats.tile import (
    EntriesPath,
    TilePath,
    decode_entries,
    encode_entries,
    parse_entries_path,
    parse_tile_path,
)
from chainward.kernel.digest import Digest

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


# --- JSON ------------------------------------------------------------------------------------------------------------


@given(json_values())
def test_canonical_json_is_what_another_implementation_of_rfc_8785_writes(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(json_values(floats=True))
def test_deterministic_json_means_the_same_to_the_standard_library(value: Any) -> None:
    assert json.loads(deterministic_json(value)) == value


@given(json_objects(floats=True))
def test_what_the_standard_library_writes_is_read_as_it_was_meant(value: dict[str, Any]) -> None:
    for data in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=2)):
        assert decode_object(data.encode(), limit=1_000_000, what="object") == value


@given(st.recursive(st.just(b"0"), lambda inner: inner.map(lambda text: b"[" + text + b"]"), max_leaves=1))
def test_nesting_is_counted_by_brackets_and_not_by_text(value: bytes) -> None:
    data = b'{"a":' + value + b',"b":"' + b"[" * 500 + b'","c":"\\"' + b"{" * 500 + b'\\\\"}'
    assert decode_object(data, limit=10_000, what="object")["b"] == "[" * 500


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_the_deepest_nesting_that_is_allowed_is_read_and_one_more_is_not(opening: str) -> None:
    closing = {"[": "]", '{"a":': "}"}[opening]
    deepest = f'{{"x":{opening * (MAX_DEPTH - 1)}0{closing * (MAX_DEPTH - 1)}}}'
    assert decode_object(deepest.encode(), limit=10_000, what="object")
    deeper = f'{{"x":{opening * MAX_DEPTH}0{closing * MAX_DEPTH}}}'
    with pytest.raises(Malformed, match="levels"):
        decode_object(deeper.encode(), limit=10_000, what="object")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"{}x",
        b"{} {}",
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":1.}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":"\t"}',
        b'{"a":"\\x41"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xc0\xaf"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":1}\x00',
        b"{a:1}",
        b'{"a" 1}',
        b"// x\n{}",
        '{"a":1}'.encode("utf-16"),
        b'{"a":tru}',
        b"[]",
        b"null",
        b'"x"',
    ],
)
def test_what_rfc_8259_does_not_allow_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_object(data, limit=1000, what="object")


def test_text_that_is_not_utf_8_is_refused_even_where_nobody_looks() -> None:
    with pytest.raises(Malformed):
        decode_json(b'{"unknown":"\xff"}', dict[str, None], limit=1000, what="x", depth=None)


@pytest.mark.parametrize("value", [1.0, math.nan, 2**53, -(2**53), {1: 2}, {"ä": 1}, b"x", {"a"}, "\ud800", object()])
def test_what_has_no_one_canonical_form_is_not_written(value: Any) -> None:
    with pytest.raises(Unwritable):
        canonical_json({"a": [value]})


# --- base64 ----------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=40))
def test_base64_is_what_the_standard_library_writes_and_reads(data: bytes) -> None:
    assert encode_base64(data) == base64.b64encode(data).decode()
    assert decode_base64(encode_base64(data), what="x") == data
    assert decode_base64(base64.urlsafe_b64encode(data).decode(), what="x", url_safe_too=True) == data


@given(st.text("AB+/-_=wQ\n ", max_size=10), st.booleans())
def test_every_text_that_is_read_as_base64_is_the_only_spelling_of_its_bytes(text: str, lenient: bool) -> None:  # noqa: FBT001
    try:
        data = decode_base64(text, what="x", url_safe_too=lenient)
    except Malformed:
        return
    assert text in {base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()}
    assert lenient or text == base64.b64encode(data).decode()


@given(st.text(max_size=12))
def test_text_that_the_standard_library_refuses_is_refused(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        with pytest.raises(Malformed):
            decode_base64(text, what="x")


# --- DSSE and in-toto ------------------------------------------------------------------------------------------------


def _pae(payload_type: str, payload: bytes) -> bytes:
    """The specification's own words, protocol.md of DSSE v1: LEN is the length in bytes, ASCII decimal."""
    kind = payload_type.encode()
    return b" ".join([b"DSSEv1", str(len(kind)).encode(), kind, str(len(payload)).encode(), payload])


@given(TEXT, st.binary(max_size=40))
def test_the_pre_authentication_encoding_follows_the_words_of_the_specification(kind: str, payload: bytes) -> None:
    assert pae(kind, payload) == _pae(kind, payload)


@given(TEXT, st.binary(max_size=10), TEXT, st.binary(max_size=10))
def test_no_two_payloads_share_an_encoding(kind: str, payload: bytes, other: str, another: bytes) -> None:
    assert (pae(kind, payload) == pae(other, another)) == ((kind, payload) == (other, another))


@given(
    st.binary(max_size=30), TEXT.filter(bool), st.lists(st.tuples(st.binary(max_size=9), TEXT), min_size=1, max_size=3)
)
def test_an_envelope_reads_back_and_signs_the_same_bytes(
    payload: bytes, kind: str, signatures: list[tuple[bytes, str]]
) -> None:
    envelope = Envelope(payload, kind, tuple(Signature(*each) for each in signatures))
    data = encode_envelope(envelope)
    read = decode_envelope(data)
    assert read == envelope
    assert read.pae() == _pae(kind, payload)
    assert encode_envelope(read) == data


@given(st.dictionaries(TEXT, TEXT, max_size=2), digests(), json_objects(floats=True), TEXT)
def test_a_statement_reads_back_and_is_about_its_subjects_alone(
    annotations: dict[str, str], digest: Digest, predicate: dict[str, Any], name: str
) -> None:
    subject = ResourceDescriptor(name, {digest.algorithm.value: digest.hex}, annotations=annotations)
    statement = Statement((subject,), "https://example.com/predicate", predicate)
    read = decode_statement(encode_statement(statement))
    assert read == statement
    assert read.is_about(digest)
    assert not read.is_about(Digest.of(digest.raw))


@pytest.mark.parametrize("value", ["", "A" * 64, "a" * 63, "a" * 65, "g" * 64, "a" * 64 + "\n", "sha256:" + "a" * 57])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_digest_in_another_spelling_does_not_pass_for_a_subject(algorithm: str, value: str) -> None:
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"gitCommit": "abc", algorithm: value}}],
        "predicateType": "x",
        "predicate": {},
    }
    with pytest.raises(Malformed):
        decode_statement(json.dumps(document).encode())


# --- OCI -------------------------------------------------------------------------------------------------------------

DESCRIPTORS = st.builds(
    Descriptor,
    st.just(OCI_LAYER),
    digests(),
    st.integers(0, 2**53),
    st.dictionaries(TEXT, TEXT, max_size=2),
    st.none() | st.from_regex(r"[!-~][ -~]{0,20}", fullmatch=True),
    urls=st.lists(TEXT, max_size=2).map(tuple),
)


@given(DESCRIPTORS, st.lists(DESCRIPTORS, max_size=3).map(tuple), st.none() | DESCRIPTORS, st.dictionaries(TEXT, TEXT))
def test_a_manifest_reads_back_and_is_the_same_bytes_again(
    config: Descriptor, layers: tuple[Descriptor, ...], subject: Descriptor | None, annotations: dict[str, str]
) -> None:
    manifest = Manifest(media_type=OCI_MANIFEST, config=config, layers=layers, subject=subject, annotations=annotations)
    data = encode_manifest(manifest)
    assert decode_manifest(data, OCI_MANIFEST) == manifest
    assert encode_manifest(decode_manifest(data, OCI_MANIFEST)) == data
    with pytest.raises(Malformed):
        decode_manifest(data, OCI_INDEX)


@given(st.binary(max_size=30))
def test_embedded_data_must_be_the_content_that_the_descriptor_names(data: bytes) -> None:
    good = Manifest(
        media_type=OCI_INDEX, manifests=(Descriptor(OCI_MANIFEST, Digest.of(data), len(data), data=data or None),)
    )
    assert decode_manifest(encode_manifest(good), OCI_INDEX) == good


# --- C2SP ------------------------------------------------------------------------------------------------------------


@given(notes())
def test_a_note_has_one_spelling(note: Note) -> None:
    data = format_note(note)
    assert parse_note(data) == note
    assert format_note(parse_note(data)) == data


@given(checkpoints())
def test_a_checkpoint_has_one_spelling(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(checkpoint.text()) == checkpoint
    first, second, third = checkpoint.text().split("\n")[:3]
    assert (first, int(second), base64.b64decode(third)) == (checkpoint.origin, checkpoint.size, checkpoint.root)


@given(st.integers(0, 2**55 - 1), st.integers(1, 256), st.integers(0, 63))
def test_a_tile_has_one_path(index: int, width: int, level: int) -> None:
    path = EntriesPath(index, width)
    assert parse_entries_path(str(path)) == path
    assert parse_tile_path(str(TilePath(level, index, width))) == TilePath(level, index, width)
    digits = str(path).partition(".p/")[0].replace("x", "").replace("/", "")
    assert int(digits) == index
    assert len(digits) % 3 == 0
    assert not (len(digits) > 3 and digits.startswith("000"))


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=8))
def test_an_entry_bundle_is_cut_nowhere_unnoticed(entries: list[bytes]) -> None:
    data = encode_entries(entries)
    assert decode_entries(data, len(entries)) == tuple(entries)
    for cut in range(len(data)):
        with pytest.raises(Malformed):
            decode_entries(data[:cut], len(entries))
    with pytest.raises(Malformed):
        decode_entries(data + b"\0", len(entries))
