"""Making inclusion and consistency proofs from stored tiles (RFC 9162, sections 2.1.3.1 and 2.1.4.1).

A proof needs at most one tile of every level on its path; complete tiles are immutable, so their inner nodes are kept
in a bounded cache and a proof in a tree of a million leaves costs a handful of look-ups.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from chainward.ledger.errors import LogTampered, OutOfRange
from chainward.ledger.frontier import TILE_HEIGHT, TILE_WIDTH
from chainward.ledger.proofs import EMPTY_ROOT, node_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.ledger.ports import LogView

__all__ = ["Prover"]

_CACHED_TILES = 1024


class Prover:
    """Makes proofs for every log of a store; thread-safe, holds at most about 16 MB of complete tiles."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[tuple[str, int, int], list[list[bytes]]] = OrderedDict()
        self._lock = threading.Lock()

    def inclusion(self, view: LogView, origin: str, index: int, size: int) -> list[bytes]:
        """Return the inclusion proof of leaf ``index`` in the tree of ``size`` leaves.

        Raises:
            OutOfRange: if the log never had that size, or the index lies outside of it.
        """
        if not 0 <= index < size <= view.head(origin).size:
            raise OutOfRange(f"index {index} of size {size} lies outside log {origin}")
        path: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._range(view, origin, middle, high))
                high = middle
            else:
                path.append(self._range(view, origin, low, middle))
                low = middle
        path.reverse()
        return path

    def consistency(self, view: LogView, origin: str, size1: int, size2: int) -> list[bytes]:
        """Return the proof that the tree of ``size1`` leaves is a prefix of that of ``size2`` leaves."""
        if not 0 <= size1 <= size2 <= view.head(origin).size:
            raise OutOfRange(f"sizes {size1} and {size2} lie outside log {origin}")
        if size1 in {0, size2}:
            return []
        path: list[bytes] = []
        low, high, whole = 0, size2, True
        while size1 != high:
            middle = low + _split(high - low)
            if size1 <= middle:
                path.append(self._range(view, origin, middle, high))
                high = middle
            else:
                path.append(self._range(view, origin, low, middle))
                low, whole = middle, False
        if not whole:
            path.append(self._range(view, origin, low, high))
        path.reverse()
        return path

    def leaf(self, view: LogView, origin: str, index: int) -> bytes:
        """Return the hash of one leaf that the log has."""
        return self._node(view, origin, 0, index)

    def root(self, view: LogView, origin: str, size: int) -> bytes:
        """Return the tree hash that the log had at ``size``."""
        if not 0 <= size <= view.head(origin).size:
            raise OutOfRange(f"size {size} lies outside log {origin}")
        return self._range(view, origin, 0, size) if size else EMPTY_ROOT

    def _range(self, view: LogView, origin: str, low: int, high: int) -> bytes:
        """Return the tree hash of the leaves from ``low`` to ``high`` (exclusive)."""
        count = high - low
        if count & (count - 1) == 0 and low % count == 0:
            return self._node(view, origin, count.bit_length() - 1, low // count)
        middle = low + _split(count)
        return node_hash(self._range(view, origin, low, middle), self._range(view, origin, middle, high))

    def _node(self, view: LogView, origin: str, height: int, index: int) -> bytes:
        level, inner = divmod(height, TILE_HEIGHT)
        tile, offset = divmod(index << inner, TILE_WIDTH)
        rows = self._tile(view, origin, level, tile)
        try:
            return rows[inner][offset >> inner]
        except IndexError:
            raise LogTampered(f"tile {level}/{tile} of log {origin} is shorter than its checkpoint says") from None

    def _tile(self, view: LogView, origin: str, level: int, index: int) -> list[list[bytes]]:
        key = (origin, level, index)
        with self._lock:
            rows = self._tiles.get(key)
            if rows is not None:
                self._tiles.move_to_end(key)
                return rows
        rows = _tree_of(view.hashes(origin, level, index * TILE_WIDTH, (index + 1) * TILE_WIDTH))
        if len(rows[0]) == TILE_WIDTH:
            with self._lock:
                self._tiles[key] = rows
                while len(self._tiles) > _CACHED_TILES:
                    self._tiles.popitem(last=False)
        return rows


def _split(count: int) -> int:
    """Return the largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def _tree_of(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Return all complete nodes above a tile's hashes, one row for each height."""
    rows = [list(hashes)]
    for _ in range(TILE_HEIGHT - 1):
        below = rows[-1]
        rows.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return rows
