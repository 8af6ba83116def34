"""DSSE envelopes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.formats.dsse import (
    MAX_ENVELOPE,
    PAYLOAD_TYPE_INTOTO,
    Envelope,
    Signature,
    decode_envelope,
    encode_envelope,
    pae,
)
from chainward.formats.errors import Malformed, TooLarge

envelopes = st.builds(
    Envelope,
    st.binary(max_size=60),
    st.text(min_size=1, max_size=30),
    st.lists(st.builds(Signature, st.binary(max_size=80), st.text(max_size=5)), min_size=1, max_size=3).map(tuple),
)
DOCUMENT = {"payload": "aGk=", "payloadType": PAYLOAD_TYPE_INTOTO, "signatures": [{"sig": "c2ln"}]}


def test_the_encoding_to_be_signed_counts_bytes_not_letters() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


@given(st.text(max_size=10), st.binary(max_size=20), st.text(max_size=10), st.binary(max_size=20))
def test_a_payload_cannot_be_passed_off_as_another_type(one: str, left: bytes, two: str, right: bytes) -> None:
    assert (pae(one, left) == pae(two, right)) == ((one, left) == (two, right))


@given(envelopes)
def test_an_envelope_reads_back_as_it_was_written(envelope: Envelope) -> None:
    again = decode_envelope(encode_envelope(envelope))
    assert again == envelope
    assert again.pae() == pae(envelope.payload_type, envelope.payload)


def test_both_base64_alphabets_and_unknown_members_are_read() -> None:
    signatures = [{"sig": "_-8=", "keyid": None, "cert": "x"}]
    document = DOCUMENT | {"payload": "/+8=", "signatures": signatures, "unknown": [1]}
    assert decode_envelope(json.dumps(document).encode()) == Envelope(
        b"\xff\xef", PAYLOAD_TYPE_INTOTO, (Signature(b"\xff\xef"),)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": "aGk"},
        {"payload": "aGl="},
        {"payload": "aG k="},
        {"payload": None},
        {"payloadType": ""},
        {"payloadType": 1},
        {"signatures": []},
        {"signatures": [{}]},
        {"signatures": [{"sig": "*"}]},
        {"signatures": {"sig": "c2ln"}},
    ],
)
def test_an_envelope_with_a_wrong_or_missing_part_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match=r"^dsse envelope"):
        decode_envelope(json.dumps(DOCUMENT | changes).encode())


@pytest.mark.parametrize("missing", sorted(DOCUMENT))
def test_no_member_of_an_envelope_is_optional(missing: str) -> None:
    with pytest.raises(Malformed, match=missing):
        decode_envelope(json.dumps({name: DOCUMENT[name] for name in DOCUMENT if name != missing}).encode())


def test_an_envelope_above_its_limit_is_too_large() -> None:
    with pytest.raises(TooLarge):
        decode_envelope(json.dumps(DOCUMENT).encode(), limit=20)
    with pytest.raises(TooLarge):
        decode_envelope(b" " * (MAX_ENVELOPE + 1))
