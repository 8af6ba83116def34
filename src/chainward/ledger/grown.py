"""What a log grew by in one commit, kept just long enough to prove it to those who wait for their answer.

The writer has the right edge of the tree at hand, and the tiles that the commit completed. These prove every leaf that
the commit appended, at the very checkpoint that it made durable, so an answer costs no read of the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.ledger.errors import OutOfRange
from chainward.ledger.frontier import TILE_HEIGHT, TILE_WIDTH
from chainward.ledger.prove import inclusion_path, rows_above
from chainward.ledger.read import Inclusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chainward.ledger.frontier import Frontier, Tile

__all__ = ["Grown"]

_HASH: Final = 32
_LOW: Final = 4  # levels of a proof that are not shared


class Grown:
    """A log as a commit left it: it grew from ``first`` to ``size`` leaves. Immutable to its users; any thread.

    ``tiles`` are those that the commit completed, ``frontier`` is the edge behind them, ``leaves`` the hashes appended.
    """

    def __init__(
        self, origin: str, frontier: Frontier, checkpoint: bytes, leaves: Sequence[bytes], tiles: Iterable[Tile]
    ) -> None:
        self.origin = origin
        self.size = frontier.size
        self.root = frontier.root()
        self.checkpoint = checkpoint
        self.first = frontier.size - len(leaves)
        self._leaves = leaves
        self._tiles = {(tile.level, tile.index): tile.hashes for tile in tiles}
        for level in range(len(frontier.edges)):
            self._tiles[level, frontier.size >> (TILE_HEIGHT * (level + 1))] = b"".join(frontier.edges[level])
        self._rows: dict[tuple[int, int], list[bytes]] = {}
        self._ranges: dict[tuple[int, int], bytes] = {}
        self._above: dict[int, tuple[bytes, ...]] = {}

    def inclusion(self, index: int) -> Inclusion:
        """Prove a leaf that the commit appended; raises OutOfRange for any other."""
        if not self.first <= index < self.size:
            raise OutOfRange(f"index {index} of log {self.origin} was not appended by this commit")
        leaf = self._leaves[index - self.first]
        return Inclusion(self.origin, index, self.size, self.root, self._path(index), leaf, self.checkpoint)

    def _path(self, index: int) -> tuple[bytes, ...]:
        """Return the siblings of a leaf; those above a complete subtree of 16 leaves are the same for all of them."""
        group = index >> _LOW
        above = self._above.get(group)
        if above is None:
            path = tuple(inclusion_path(self._rows_of, index, self.size, self._ranges))
            if (group + 1) << _LOW <= self.size:
                self._above[group] = path[_LOW:]
            return path
        position = index & (TILE_WIDTH - 1)
        rows = self._rows_of(0, index >> TILE_HEIGHT)
        below: list[bytes] = []
        for row in rows[:_LOW]:
            at = (position ^ 1) * _HASH
            below.append(row[at : at + _HASH])
            position >>= 1
        return (*below, *above)

    def _rows_of(self, level: int, index: int) -> list[bytes]:
        key = (level, index)
        rows = self._rows.get(key)
        if rows is None:
            rows = self._rows[key] = rows_above(self._tiles[key])
        return rows
