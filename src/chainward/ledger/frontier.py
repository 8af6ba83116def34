"""The right edge of a Merkle tree: all that is needed to append to it.

A frontier holds the compact range of the tree (the roots of its maximal complete subtrees, RFC 9162 section 2.1.1) and,
for each tile level, the hashes of the last, still incomplete tile (C2SP tlog-tiles: tiles are 256 hashes wide, level
*L* holds the roots of subtrees of height 8 *L*). Appending costs about two hashes a leaf and never reads the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from chainward.ledger.proofs import EMPTY_ROOT, leaf_hash, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["TILE_HEIGHT", "TILE_WIDTH", "Frontier", "Tile"]

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 256


@dataclass(frozen=True, slots=True)
class Tile:
    """Hashes ``index * 256`` and following of tile level ``level``, concatenated; complete when 256 of them."""

    level: int
    index: int
    hashes: bytes


@dataclass(slots=True)
class Frontier:
    """The growing edge of one log. Not thread-safe: one writer owns it.

    ``edges[L]`` are the hashes of the last incomplete tile of level L (fewer than 256 of them).
    """

    size: int = 0
    edges: list[list[bytes]] = field(default_factory=list)
    _peaks: list[tuple[int, bytes]] = field(default_factory=list)

    @classmethod
    def load(cls, size: int, edges: Sequence[Sequence[bytes]]) -> Frontier:
        """Rebuild a frontier from its size and the incomplete tile of every level."""
        frontier = cls(size, [list(edge) for edge in edges])
        for level in reversed(range(len(edges))):
            frontier._peaks.extend(_peaks_of(frontier.edges[level], level * TILE_HEIGHT))
        return frontier

    def copy(self) -> Frontier:
        """Return an independent copy; appending to it leaves this one as it is."""
        return Frontier(self.size, [list(edge) for edge in self.edges], list(self._peaks))

    def append(self, entries: Iterable[bytes]) -> tuple[list[bytes], list[Tile]]:
        """Append entries; returns their leaf hashes and every tile that was completed or, above level 0, extended."""
        hashes = [leaf_hash(entry) for entry in entries]
        return hashes, self.extend(hashes)

    def extend(self, hashes: Iterable[bytes]) -> list[Tile]:
        """Append leaf hashes; returns every tile that was completed or, above level 0, extended."""
        complete: list[Tile] = []
        touched: set[int] = set()
        for value in hashes:
            self._push(value, complete, touched)
        return complete + [self.partial(level) for level in sorted(touched) if self.edges[level]]

    def root(self) -> bytes:
        """Return the tree hash."""
        if not self._peaks:
            return EMPTY_ROOT
        *rest, (_, value) = self._peaks
        for _, peak in reversed(rest):
            value = node_hash(peak, value)
        return value

    def partial(self, level: int) -> Tile:
        """Return the last, incomplete tile of a level."""
        return Tile(level, self.size >> (TILE_HEIGHT * (level + 1)), b"".join(self.edges[level]))

    def _push(self, value: bytes, complete: list[Tile], touched: set[int]) -> None:
        height = 0
        self._extend(0, value, complete, touched)
        while self._peaks and self._peaks[-1][0] == height:
            _, left = self._peaks.pop()
            value = node_hash(left, value)
            height += 1
            if height % TILE_HEIGHT == 0:
                self._extend(height // TILE_HEIGHT, value, complete, touched)
        self._peaks.append((height, value))
        self.size += 1

    def _extend(self, level: int, value: bytes, complete: list[Tile], touched: set[int]) -> None:
        if level == len(self.edges):
            self.edges.append([])
        edge = self.edges[level]
        edge.append(value)
        if level:
            touched.add(level)
        if len(edge) == TILE_WIDTH:
            index = self.size >> (TILE_HEIGHT * (level + 1))
            complete.append(Tile(level, index, b"".join(edge)))
            edge.clear()


def _peaks_of(hashes: Sequence[bytes], base: int) -> list[tuple[int, bytes]]:
    """Fold an incomplete tile into the roots of its maximal complete subtrees, largest first."""
    peaks: list[tuple[int, bytes]] = []
    for value in hashes:
        height, node = base, value
        while peaks and peaks[-1][0] == height:
            node = node_hash(peaks.pop()[1], node)
            height += 1
        peaks.append((height, node))
    return peaks
