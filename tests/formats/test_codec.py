"""JSON and base64 with limits."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import json_objects, json_values

from chainward.formats.codec import (
    MAX_DEPTH,
    canonical_json,
    convert,
    decode_base64,
    decode_json,
    decode_object,
    deterministic_json,
    encode_base64,
)
from chainward.formats.errors import Malformed, TooLarge, Unwritable
from chainward.kernel.problem import Kind

LIMIT = 1_000_000


class Sample(msgspec.Struct, frozen=True):
    number: int = 0
    anything: Any = None


def read(data: bytes, depth: int | None = MAX_DEPTH) -> Sample:
    return decode_json(data, Sample, limit=LIMIT, what="sample", depth=depth)


def test_a_document_at_its_limit_is_read_and_one_byte_more_is_refused() -> None:
    data = b'{"number":1}'
    assert decode_json(data, Sample, limit=len(data), what="sample") == Sample(1)
    with pytest.raises(TooLarge) as caught:
        decode_json(data, Sample, limit=len(data) - 1, what="sample")
    assert caught.value.kind is Kind.TOO_LARGE
    assert caught.value.details == {"what": "sample", "limit": len(data) - 1}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"number":}',
        b'{"number":1} x',
        b'{"number":"1"}',
        b'{"number":1.5}',
        b'{"anything":NaN}',
        b'{"anything":1e999}',
        b'{"anything":"\\ud800"}',
        b'{"anything":"\xff"}',
        b"\xef\xbb\xbf{}",
        b"[]",
        b'{"number":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_a_document_of_the_type_is_malformed_and_the_error_names_it(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"^sample: ") as caught:
        read(data)
    assert caught.value.code == "input-malformed"


@pytest.mark.parametrize("data", [b'{"unknown":"\xff"}', b'{"\xff":1}', b'{"unknown":"\xed\xa0\x80"}'])
def test_text_that_is_not_utf8_is_malformed_even_in_a_member_nobody_reads(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data)


def test_of_repeated_keys_the_last_one_counts() -> None:
    assert read(b'{"number":1,"number":2}').number == 2
    assert decode_object(b'{"a":1,"a":2}', limit=LIMIT, what="sample") == {"a": 2}


@pytest.mark.parametrize("depth", [None, MAX_DEPTH])
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("closed", [True, False])
def test_a_hundred_thousand_nested_brackets_are_malformed_and_harm_nobody(
    *, depth: int | None, opening: bytes, closed: bool
) -> None:
    closing = bytes(reversed(opening.translate(bytes.maketrans(b"[{", b"]}"), b'"a:'))) if closed else b""
    nest = opening * 100_000 + b"1" + closing * 100_000
    for data in (nest, b'{"anything":' + nest + b"}", b'{"unknown":' + nest + b"}"):
        with pytest.raises(Malformed):
            read(data[:LIMIT], depth)
    with pytest.raises(Malformed):
        decode_object(nest[:LIMIT], limit=LIMIT, what="sample")


def test_the_deepest_allowed_nesting_is_exact() -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        inner = opening * (MAX_DEPTH - 1) + b"1" + closing * (MAX_DEPTH - 1)
        assert read(b'{"anything":' + inner + b"}").anything
        with pytest.raises(Malformed, match="128 levels"):
            read(b'{"anything":' + opening + inner + closing + b"}")


@given(st.lists(st.sampled_from(["[", "]", "{", "}", '"', "\\", '\\"', "a", "\n"]), max_size=400).map("".join))
def test_brackets_inside_strings_do_not_count_as_nesting(text: str) -> None:
    data = msgspec.json.encode({"anything": [text] * 200, text: "[" * 200})
    assert read(data).anything == [text] * 200
    hidden = msgspec.json.encode(text + "]" * 500)
    with pytest.raises(Malformed, match="128 levels"):
        read(b'{"anything":[' + hidden + b"," + b"[" * 200 + b"]" * 200 + b"]}")


def test_an_object_of_another_shape_is_not_converted() -> None:
    assert convert({"number": 3}, Sample, what="sample") == Sample(3)
    with pytest.raises(Malformed, match=r"sample: Expected `int`"):
        convert({"number": "3"}, Sample, what="sample")


@given(json_values())
def test_canonical_json_is_what_rfc_8785_says(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


@given(json_objects(floats=True))
def test_deterministic_json_reads_back_and_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    data = deterministic_json(value)
    assert decode_object(data, limit=LIMIT, what="sample") == value
    assert deterministic_json(dict(reversed(value.items()))) == data


@pytest.mark.parametrize("value", [1.0, {"a": [0.5]}, 2**53, -(2**53), {"é": 1}, {1: 1}, "\ud800", b"x", {"a": {1}}])
def test_what_has_no_single_canonical_form_is_not_written(value: object) -> None:
    with pytest.raises(Unwritable):
        canonical_json(value)


def test_a_value_that_contains_itself_is_not_written() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(Unwritable, match="nested"):
        canonical_json(loop)
    with pytest.raises(Unwritable):
        deterministic_json(loop)


@given(st.binary(max_size=100))
def test_base64_round_trips_in_both_alphabets(data: bytes) -> None:
    assert decode_base64(encode_base64(data), what="x") == data
    assert decode_base64(base64.urlsafe_b64encode(data).decode(), what="x", url_safe_too=True) == data


@pytest.mark.parametrize(
    "text", ["Q", "QQ", "QQ=", "QQ===", "Q Q==", "QQ==\n", "\nQQ==", "QQ==QQ==", "=QQ=", "QR==", "QUJ=", "_-8=", "QÉ=="]
)
def test_base64_with_anything_out_of_place_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        decode_base64(text, what="x")


def test_base64_does_not_mix_alphabets() -> None:
    assert decode_base64("_-8=", what="x", url_safe_too=True) == b"\xff\xef"
    with pytest.raises(Malformed):
        decode_base64("/-8=", what="x", url_safe_too=True)


@given(st.text("ABQRab01+/-_= \n", max_size=12))
def test_base64_has_one_spelling(text: str) -> None:
    try:
        data = decode_base64(text, what="x")
    except Malformed:
        return
    assert encode_base64(data) == text
