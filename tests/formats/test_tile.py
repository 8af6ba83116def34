"""Tiles, entry bundles and their paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.formats.errors import Malformed, Unwritable
from chainward.formats.tile import (
    EntriesPath,
    TilePath,
    decode_entries,
    decode_tile,
    encode_entries,
    encode_tile,
    parse_entries_path,
    parse_tile_path,
)

indexes = st.integers(0, 2**55 - 1)
widths = st.integers(1, 256)


@given(st.integers(0, 63), indexes, widths)
def test_a_path_reads_back_as_it_was_written(level: int, index: int, width: int) -> None:
    assert parse_tile_path(str(TilePath(level, index, width))) == TilePath(level, index, width)
    assert parse_entries_path(str(EntriesPath(index, width))) == EntriesPath(index, width)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (TilePath(0, 0), "0/000"),
        (TilePath(0, 1234067), "0/x001/x234/067"),
        (TilePath(63, 999, 1), "63/999.p/1"),
        (TilePath(1, 1000, 255), "1/x001/000.p/255"),
    ],
)
def test_indexes_are_written_in_groups_of_three_digits(path: TilePath, text: str) -> None:
    assert str(path) == text
    assert parse_tile_path(text) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0/",
        "0/0",
        "0/00",
        "0/0000",
        "00/000",
        "64/000",
        "-1/000",
        "x/000",
        "0/x000/001",
        "0/x001",
        "0/x001/67",
        "0/001/067",
        "0/000.p/0",
        "0/000.p/01",
        "0/000.p/256",
        "0/000.p/300",
        "0/000.p/",
        "0/000.p",
        "0/000/",
        "0/000\n",
        "0/../000",
        "0/\u0661\u0661\u0661",
        "0/x036/x028/x797/x018/x963/968",
        "0/x001/x001/x001/x001/x001/x001/x001/001",
    ],
)
def test_a_path_in_another_spelling_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_tile_path(text)


@pytest.mark.parametrize(
    "path",
    [TilePath(64, 0), TilePath(-1, 0), TilePath(0, -1), TilePath(0, 2**55), TilePath(0, 0, 0), TilePath(0, 0, 257)],
)
def test_there_is_no_path_to_a_tile_that_cannot_be(path: TilePath) -> None:
    with pytest.raises(Unwritable):
        str(path)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=256))
def test_a_tile_reads_back_as_it_was_written(hashes: list[bytes]) -> None:
    data = encode_tile(hashes)
    assert decode_tile(data, len(hashes)) == tuple(hashes)
    for wrong in (len(hashes) - 1, len(hashes) + 1, 0, 257):
        with pytest.raises(Malformed):
            decode_tile(data, wrong)


@pytest.mark.parametrize("hashes", [[], [bytes(31)], [bytes(32), b""], [bytes(32)] * 257])
def test_a_tile_of_anything_but_hashes_is_not_written(hashes: list[bytes]) -> None:
    with pytest.raises(Unwritable):
        encode_tile(hashes)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
def test_a_bundle_reads_back_as_it_was_written(entries: list[bytes]) -> None:
    data = encode_entries(entries)
    assert decode_entries(data, len(entries)) == tuple(entries)
    for broken in (data[:-1], data + b"\0", data + b"\0\0"):
        with pytest.raises(Malformed):
            decode_entries(broken, len(entries))
    with pytest.raises(Malformed):
        decode_entries(data, len(entries) + 1)


def test_a_bundle_is_written_with_sixteen_bit_lengths() -> None:
    assert encode_entries([b"ab", b""]) == b"\0\2ab\0\0"
    assert decode_entries(encode_entries([b"x" * 65_535]), 1) == (b"x" * 65_535,)
    with pytest.raises(Unwritable):
        encode_entries([b"x" * 65_536])


@pytest.mark.parametrize("count", [0, 257])
def test_a_bundle_holds_one_to_256_entries(count: int) -> None:
    with pytest.raises(Unwritable):
        encode_entries([b""] * count)
    with pytest.raises(Malformed):
        decode_entries(bytes(2 * count), count)
