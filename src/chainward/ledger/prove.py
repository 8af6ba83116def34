"""Making inclusion and consistency proofs from stored tiles (RFC 9162, sections 2.1.3.1 and 2.1.4.1).

A proof needs few tiles: those on the way to the leaf, and those at the right edge of the tree. A tile of a given width
never changes, so tiles are kept with their inner nodes in a bounded cache.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.ledger.errors import LogTampered, OutOfRange
from chainward.ledger.frontier import TILE_HEIGHT, TILE_WIDTH
from chainward.ledger.proofs import EMPTY_ROOT, node_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.ledger.ports import LogView

__all__ = ["Prover"]

_CACHED_TILES: Final = 1024
_HASH: Final = 32


class Prover:
    """Makes proofs for every log of a store; thread-safe, holds at most about 17 MB of tiles."""

    def __init__(self) -> None:
        self._cache = _TileCache()

    def inclusion(self, view: LogView, origin: str, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of leaf ``index`` in the tree of ``size`` leaves.

        Raises:
            OutOfRange: if the log never had that size, or the index lies outside of it.
        """
        tree = self._tree(view, origin)
        if not 0 <= index < size <= tree.size:
            raise OutOfRange(f"index {index} of size {size} lies outside log {origin}")
        path: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(tree.range(middle, high))
                high = middle
            else:
                path.append(tree.range(low, middle))
                low = middle
        path.reverse()
        return path

    def consistency(self, view: LogView, origin: str, size1: int, size2: int) -> list[bytes]:
        """Return the proof that the tree of ``size1`` leaves is a prefix of that of ``size2`` leaves.

        Raises:
            OutOfRange: if the log never had these sizes, or they are not in order.
        """
        tree = self._tree(view, origin)
        if not 0 <= size1 <= size2 <= tree.size:
            raise OutOfRange(f"sizes {size1} and {size2} lie outside log {origin}")
        if size1 in {0, size2}:
            return []
        path: list[bytes] = []
        low, high, whole = 0, size2, True
        while size1 != high:
            middle = low + _split(high - low)
            if size1 <= middle:
                path.append(tree.range(middle, high))
                high = middle
            else:
                path.append(tree.range(low, middle))
                low, whole = middle, False
        if not whole:
            path.append(tree.range(low, high))
        path.reverse()
        return path

    def root(self, view: LogView, origin: str, size: int) -> bytes:
        """Return the tree hash that the log had at ``size``; raises OutOfRange."""
        tree = self._tree(view, origin)
        if not 0 <= size <= tree.size:
            raise OutOfRange(f"size {size} lies outside log {origin}")
        return tree.range(0, size) if size else EMPTY_ROOT

    def leaf(self, view: LogView, origin: str, index: int) -> bytes:
        """Return the hash of one leaf; raises OutOfRange."""
        tree = self._tree(view, origin)
        if not 0 <= index < tree.size:
            raise OutOfRange(f"index {index} lies outside log {origin}")
        return tree.range(index, index + 1)

    def _tree(self, view: LogView, origin: str) -> _Tree:
        return _Tree(view, origin, view.head(origin).size, self._cache)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The tree of one log in one snapshot."""

    view: LogView
    origin: str
    size: int
    cache: _TileCache

    def range(self, low: int, high: int) -> bytes:
        """Return the tree hash of the leaves from ``low`` to ``high`` (exclusive)."""
        count = high - low
        if count & (count - 1) == 0 and low % count == 0:
            return self._node(count.bit_length() - 1, low // count)
        middle = low + _split(count)
        return node_hash(self.range(low, middle), self.range(middle, high))

    def _node(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, TILE_HEIGHT)
        tile, offset = divmod(index << inner, TILE_WIDTH)
        at = (offset >> inner) * _HASH
        value = self._tile(level, tile)[inner][at : at + _HASH]
        if len(value) != _HASH:
            raise LogTampered(f"tile {level}/{tile} of log {self.origin} is shorter than its checkpoint says")
        return value

    def _tile(self, level: int, index: int) -> list[bytes]:
        """Return a tile as it stands in this snapshot; a tile of a given width never changes."""
        start = index * TILE_WIDTH
        width = min(TILE_WIDTH, (self.size >> (TILE_HEIGHT * level)) - start)
        key = (self.origin, level, index, width)
        rows = self.cache.get(key)
        if rows is None:
            hashes = self.view.hashes(self.origin, level, start, start + width)
            rows = _rows_above(hashes)
            if len(hashes) == width:
                self.cache.put(key, rows)
        return rows


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


def _rows_above(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes and all complete nodes above them, concatenated, one row for each height.

    This is ``node_hash`` written out over 64 bytes at a time, for it is most of the cost of a proof.
    """
    sha256 = hashlib.sha256
    row = b"".join(hashes)
    rows = [row]
    for _ in range(TILE_HEIGHT - 1):
        pairs = range(0, len(row) - _HASH, 2 * _HASH)
        row = b"".join([sha256(b"\x01" + row[at : at + 2 * _HASH]).digest() for at in pairs])
        rows.append(row)
    return rows
