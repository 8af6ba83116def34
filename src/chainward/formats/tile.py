"""Tiles and entry bundles: the static files a log is served as, and their paths.

Follows C2SP tlog-tiles v1.0.0. A tile is up to 256 hashes of one level, an entry bundle up to 256 entries, each with a
16-bit length before it. Indexes are written in groups of three digits, all but the last behind an ``x``:
``x001/x234/067``. A partial tile says how many it holds: ``x001/x234/067.p/8``. Paths have one spelling.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.formats.errors import Malformed, Unwritable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "HASH_SIZE",
    "MAX_ENTRY",
    "TILE_WIDTH",
    "EntriesPath",
    "TilePath",
    "decode_entries",
    "decode_tile",
    "encode_entries",
    "encode_tile",
    "parse_entries_path",
    "parse_tile_path",
]

TILE_WIDTH: Final = 256
HASH_SIZE: Final = 32
MAX_ENTRY: Final = 2**16 - 1
_MAX_LEVEL: Final = 63
_MAX_INDEX: Final = 2**63 // TILE_WIDTH - 1
_PATH: Final = "tile path"
_TILE: Final = "tile"
_BUNDLE: Final = "entry bundle"
_LEVEL: Final = re.compile(r"(?:0|[1-9][0-9]?)\Z")
_INDEX: Final = re.compile(r"((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?\Z")


@dataclass(frozen=True, slots=True)
class EntriesPath:
    """Which entry bundle, and how many entries of it are there; as text, what follows ``tile/entries/``."""

    index: int
    width: int = TILE_WIDTH

    def __str__(self) -> str:
        if not 0 <= self.index <= _MAX_INDEX or not 1 <= self.width <= TILE_WIDTH:
            raise Unwritable(_PATH, f"there is no tile {self.index} of width {self.width}")
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
        path = "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]
        return path if self.width == TILE_WIDTH else f"{path}.p/{self.width}"


@dataclass(frozen=True, slots=True)
class TilePath:
    """Which tile of which level, and how many hashes of it are there; as text, what follows ``tile/``."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def __str__(self) -> str:
        if not 0 <= self.level <= _MAX_LEVEL:
            raise Unwritable(_PATH, f"there is no level {self.level}")
        return f"{self.level}/{EntriesPath(self.index, self.width)}"


def parse_tile_path(text: str) -> TilePath:
    """Read ``level/index[.p/width]``; raises Malformed.

    >>> parse_tile_path("0/x001/067.p/5")
    TilePath(level=0, index=1067, width=5)
    """
    level, _, rest = text.partition("/")
    if _LEVEL.match(level) is None or int(level) > _MAX_LEVEL:
        raise Malformed(_PATH, f"{level[:20]!r} is not a level")
    bundle = parse_entries_path(rest)
    return TilePath(int(level), bundle.index, bundle.width)


def parse_entries_path(text: str) -> EntriesPath:
    """Read ``index[.p/width]``; raises Malformed.

    >>> str(parse_entries_path("x001/x234/067"))
    'x001/x234/067'
    """
    match = _INDEX.match(text)
    if match is None:
        raise Malformed(_PATH, f"{text[:60]!r} is not a tile")
    index = int(match[1].replace("x", "").replace("/", ""))
    width = int(match[2] or TILE_WIDTH)
    if match[1].startswith("x000/") or index > _MAX_INDEX or (match[2] and width >= TILE_WIDTH):
        raise Malformed(_PATH, f"{text[:60]!r} is not a tile in its only spelling")
    return EntriesPath(index, width)


def encode_tile(hashes: Sequence[bytes]) -> bytes:
    """Write the hashes of a tile one after the other; raises Unwritable."""
    if not 1 <= len(hashes) <= TILE_WIDTH or any(len(each) != HASH_SIZE for each in hashes):
        raise Unwritable(_TILE, "holds 1 to 256 hashes of 32 bytes")
    return b"".join(hashes)


def decode_tile(data: bytes, width: int) -> tuple[bytes, ...]:
    """Read a tile of exactly ``width`` hashes; raises Malformed."""
    if not 1 <= width <= TILE_WIDTH or len(data) != width * HASH_SIZE:
        raise Malformed(_TILE, f"{len(data)} bytes are not {width} hashes")
    return tuple(data[start : start + HASH_SIZE] for start in range(0, len(data), HASH_SIZE))


def encode_entries(entries: Iterable[bytes]) -> bytes:
    """Write an entry bundle; raises Unwritable for an entry above 65,535 bytes or more than 256 of them."""
    prefixed: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise Unwritable(_BUNDLE, f"an entry of {len(entry)} bytes does not fit")
        prefixed.append(len(entry).to_bytes(2, "big") + entry)
    if not 1 <= len(prefixed) <= TILE_WIDTH:
        raise Unwritable(_BUNDLE, "holds 1 to 256 entries")
    return b"".join(prefixed)


def decode_entries(data: bytes, width: int) -> tuple[bytes, ...]:
    """Read a bundle of exactly ``width`` entries; raises Malformed."""
    if not 1 <= width <= TILE_WIDTH:
        raise Malformed(_BUNDLE, f"there is none with {width} entries")
    entries: list[bytes] = []
    position = 0
    while position < len(data) and len(entries) < width:
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")
        entries.append(data[start:position])
    if position != len(data) or len(entries) != width:
        raise Malformed(_BUNDLE, f"{len(data)} bytes are not {width} entries")
    return tuple(entries)
