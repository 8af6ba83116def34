"""What a log grew by in one commit, kept just long enough to prove it to those who wait for their answer.

The writer has the right edge of the tree at hand, and the tiles that the commit completed. These prove every leaf that
the commit appended, at the very checkpoint that it made durable, so an answer costs no read of the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.ledger.errors import OutOfRange
from chainward.ledger.frontier import TILE_HEIGHT
from chainward.ledger.prove import inclusion_path, rows_above
from chainward.ledger.read import Inclusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chainward.ledger.frontier import Frontier, Tile

__all__ = ["Grown"]


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

    def inclusion(self, index: int) -> Inclusion:
        """Prove a leaf that the commit appended; raises OutOfRange for any other."""
        if not self.first <= index < self.size:
            raise OutOfRange(f"index {index} of log {self.origin} was not appended by this commit")
        path = inclusion_path(self._rows_of, index, self.size, self._ranges)
        leaf = self._leaves[index - self.first]
        return Inclusion(self.origin, index, self.size, self.root, tuple(path), leaf, self.checkpoint)

    def _rows_of(self, level: int, index: int) -> list[bytes]:
        key = (level, index)
        rows = self._rows.get(key)
        if rows is None:
            rows = self._rows[key] = rows_above(self._tiles[key])
        return rows
