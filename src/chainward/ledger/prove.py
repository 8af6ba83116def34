"""Making inclusion and consistency proofs from stored tiles (RFC 9162, sections 2.1.3.1 and 2.1.4.1).

A proof needs few tiles: those on the way to the leaf, and those at the right edge of the tree. A tile of a given width
never changes, so tiles are kept in a bounded cache; a complete one comes from the store with its inner nodes, so that a
proof of any leaf hashes next to nothing.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.ledger.errors import LogTampered, OutOfRange
from chainward.ledger.frontier import TILE_HEIGHT, TILE_WIDTH
from chainward.ledger.proofs import EMPTY_ROOT, node_hash

if TYPE_CHECKING:
    from chainward.ledger.model import LogHead
    from chainward.ledger.ports import TileReader

__all__ = ["Prover", "inclusion_path", "inner_nodes", "rows_above", "rows_of_tile"]

_CACHED_TILES: Final = 4096  # the nodes of a million leaves
_KNOWN_EDGES: Final = 64
_HASH: Final = 32
_COMPLETE: Final = TILE_WIDTH * _HASH

Rows = Callable[[int, int], list[bytes]]
"""Gives, for a tile by level and index, its hashes and the complete nodes above them: one row for each height."""


class Prover:
    """Makes proofs for every log of a store; thread-safe, keeps at most 70 MB of the tiles that were asked for.

    Each method takes the head of the log, read before: the tree is the one of that head, whatever was appended since.
    """

    def __init__(self) -> None:
        self._cache = _TileCache()
        self._edges: dict[tuple[str, int], dict[tuple[int, int], bytes]] = {}

    def inclusion(self, reader: TileReader, head: LogHead, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of leaf ``index`` in the tree of ``size`` leaves.

        Raises:
            OutOfRange: if the log never had that size, or the index lies outside of it.
        """
        if not 0 <= index < size <= head.size:
            raise OutOfRange(f"index {index} of size {size} lies outside log {head.origin}")
        return inclusion_path(self._tree(reader, head).rows, index, size, self._edge(head.origin, size))

    def consistency(self, reader: TileReader, head: LogHead, size1: int, size2: int) -> list[bytes]:
        """Return the proof that the tree of ``size1`` leaves is a prefix of that of ``size2`` leaves.

        Raises:
            OutOfRange: if the log never had these sizes, or they are not in order.
        """
        if not 0 <= size1 <= size2 <= head.size:
            raise OutOfRange(f"sizes {size1} and {size2} lie outside log {head.origin}")
        if size1 in {0, size2}:
            return []
        rows = self._tree(reader, head).rows
        path: list[bytes] = []
        low, high, whole = 0, size2, True
        while size1 != high:
            middle = low + _split(high - low)
            if size1 <= middle:
                path.append(_range(rows, middle, high))
                high = middle
            else:
                path.append(_range(rows, low, middle))
                low, whole = middle, False
        if not whole:
            path.append(_range(rows, low, high))
        path.reverse()
        return path

    def root(self, reader: TileReader, head: LogHead, size: int) -> bytes:
        """Return the tree hash that the log had at ``size``; raises OutOfRange."""
        if not 0 <= size <= head.size:
            raise OutOfRange(f"size {size} lies outside log {head.origin}")
        if size == head.size:
            return head.root
        return _range(self._tree(reader, head).rows, 0, size) if size else EMPTY_ROOT

    def leaf(self, reader: TileReader, head: LogHead, index: int) -> bytes:
        """Return the hash of one leaf; raises OutOfRange."""
        if not 0 <= index < head.size:
            raise OutOfRange(f"index {index} lies outside log {head.origin}")
        return _node(self._tree(reader, head).rows, 0, index)

    def _edge(self, origin: str, size: int) -> dict[tuple[int, int], bytes]:
        """Return what is known of the right edge of one tree; many proofs ask for the same few trees."""
        known = self._edges.get((origin, size))
        if known is None:
            if len(self._edges) >= _KNOWN_EDGES:
                self._edges.clear()
            known = self._edges[origin, size] = {}
        return known

    def _tree(self, reader: TileReader, head: LogHead) -> _Tree:
        return _Tree(reader, head.origin, head.size, self._cache)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The tiles of one log at one size."""

    reader: TileReader
    origin: str
    size: int
    cache: _TileCache

    def rows(self, level: int, index: int) -> list[bytes]:
        """Return a tile as it stood at this size; a tile of a given width never changes."""
        width = min(TILE_WIDTH, (self.size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
        key = (self.origin, level, index, width)
        rows = self.cache.get(key)
        if rows is None:
            rows = self._read(level, index, width)
            self.cache.put(key, rows)
        return rows

    def _read(self, level: int, index: int, width: int) -> list[bytes]:
        if width == TILE_WIDTH:
            stored = self.reader.tile_with_nodes(self.origin, level, index)
            if stored is not None:
                return rows_of_tile(*stored)
        start = index * TILE_WIDTH
        hashes = self.reader.hashes(self.origin, level, start, start + width)
        if len(hashes) != width:
            raise LogTampered(f"tile {level}/{index} of log {self.origin} is shorter than its checkpoint says")
        return rows_above(b"".join(hashes))


def inclusion_path(rows: Rows, index: int, size: int, known: dict[tuple[int, int], bytes] | None = None) -> list[bytes]:
    """Return the siblings on the way from leaf ``index`` to the root of the tree of ``size`` leaves, nearest first.

    The way leads through one complete subtree, whose nodes stand in tiles, and from its root along the right edge.
    ``known`` keeps the hashes along that edge for other proofs in the same tree.
    """
    known = {} if known is None else known
    edge: list[bytes] = []
    low, high = 0, size
    while (high - low) & (high - low - 1):
        middle = low + _split(high - low)
        beside = (middle, high) if index < middle else (low, middle)
        value = known.get(beside)
        if value is None:
            value = known[beside] = _range(rows, *beside)
        edge.append(value)
        low, high = (low, middle) if index < middle else (middle, high)
    path = _path_within(rows, index, (high - low).bit_length() - 1)
    path.extend(reversed(edge))
    return path


def rows_of_tile(hashes: bytes, nodes: bytes) -> list[bytes]:
    """Return the rows of a complete tile from its hashes and its :func:`inner_nodes`.

    Raises:
        LogTampered: they are not as long as those of a complete tile.
    """
    if len(hashes) != _COMPLETE or len(nodes) != _COMPLETE - 2 * _HASH:
        raise LogTampered("a stored tile is not complete, though it must be")
    rows = [hashes]
    start, length = 0, _COMPLETE // 2
    for _ in range(TILE_HEIGHT - 1):
        rows.append(nodes[start : start + length])
        start, length = start + length, length // 2
    return rows


def inner_nodes(hashes: bytes) -> bytes:
    """Return the 254 nodes between the hashes of a complete tile and its root, row by row."""
    return b"".join(rows_above(hashes)[1:])


def rows_above(hashes: bytes) -> list[bytes]:
    """Return the hashes and all complete nodes above them, concatenated, one row for each height.

    This is ``node_hash`` written out over 64 bytes at a time, for it is most of the cost of a proof.
    """
    sha256 = hashlib.sha256
    row = hashes
    rows = [row]
    for _ in range(TILE_HEIGHT - 1):
        pairs = range(0, len(row) - _HASH, 2 * _HASH)
        row = b"".join([sha256(b"\x01" + row[at : at + 2 * _HASH]).digest() for at in pairs])
        rows.append(row)
    return rows


def _path_within(rows: Rows, index: int, height: int) -> list[bytes]:
    """Return the siblings of a leaf inside the complete subtree of this height that holds it."""
    path: list[bytes] = []
    for level in range(-(-height // TILE_HEIGHT)):
        base = level * TILE_HEIGHT
        tile = rows(level, index >> (base + TILE_HEIGHT))
        position = (index >> base) & (TILE_WIDTH - 1)
        for row in tile[: height - base]:
            at = (position ^ 1) * _HASH
            path.append(row[at : at + _HASH])
            position >>= 1
    return path


def _range(rows: Rows, low: int, high: int) -> bytes:
    """Return the tree hash of the leaves from ``low`` to ``high`` (exclusive); ``low`` is a multiple of the width."""
    count = high - low
    if count & (count - 1) == 0:
        return _node(rows, count.bit_length() - 1, low // count)
    middle = low + _split(count)
    return node_hash(_range(rows, low, middle), _range(rows, middle, high))


def _node(rows: Rows, height: int, index: int) -> bytes:
    level, inner = divmod(height, TILE_HEIGHT)
    tile, offset = divmod(index << inner, TILE_WIDTH)
    at = (offset >> inner) * _HASH
    return rows(level, tile)[inner][at : at + _HASH]


class _TileCache:
    """The tiles that were used last, with all nodes above their hashes."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[tuple[str, int, int, int], list[bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int, int, int]) -> list[bytes] | None:
        with self._lock:
            rows = self._tiles.get(key)
            if rows is not None:
                self._tiles.move_to_end(key)
            return rows

    def put(self, key: tuple[str, int, int, int], rows: list[bytes]) -> None:
        with self._lock:
            self._tiles[key] = rows
            while len(self._tiles) > _CACHED_TILES:
                self._tiles.popitem(last=False)


def _split(count: int) -> int:
    """Return the largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)
