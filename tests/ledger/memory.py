"""A log in memory that implements LogView for the prover: tiles as the frontier gives them out, nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chainward.ledger.frontier import TILE_WIDTH, Frontier
from chainward.ledger.model import LogHead
from chainward.ledger.prove import inner_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from chainward.ledger.model import Recorded

__all__ = ["ORIGIN", "MemoryLog"]

ORIGIN = "memory.test"


class MemoryLog:
    """Holds entries, leaf hashes and tiles; reading follows the same rules as the stores."""

    def __init__(self, entries: Iterable[bytes] = ()) -> None:
        self.frontier = Frontier()
        self.leaves: list[bytes] = []
        self.hashed: list[bytes] = []
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.append(entries)

    def append(self, entries: Iterable[bytes]) -> None:
        added = list(entries)
        hashes, tiles = self.frontier.append(added)
        self.leaves += added
        self.hashed += hashes
        for tile in tiles:
            self.tiles[tile.level, tile.index] = tile.hashes

    def head(self, origin: str) -> LogHead:
        assert origin == ORIGIN
        size, root = self.frontier.size, self.frontier.root()
        return LogHead(origin, "entries", size, root, b"", datetime(2026, 1, 1, tzinfo=UTC))

    def heads(self) -> Sequence[LogHead]:
        return [self.head(ORIGIN)]

    def hashes(self, origin: str, level: int, start: int, stop: int) -> Sequence[bytes]:
        assert origin == ORIGIN
        blob = self.tiles.get((level, start // TILE_WIDTH))
        if blob is None:
            return self.hashed[start:stop] if level == 0 else []
        hashes = [blob[at : at + 32] for at in range(0, len(blob), 32)]
        return hashes[start % TILE_WIDTH : start % TILE_WIDTH + stop - start]

    def tile_with_nodes(self, origin: str, level: int, index: int) -> tuple[bytes, bytes] | None:
        assert origin == ORIGIN
        blob = self.tiles.get((level, index), b"")
        return (blob, inner_nodes(blob)) if len(blob) == TILE_WIDTH * 32 else None

    def entries(self, origin: str, start: int, stop: int) -> Sequence[bytes]:
        assert origin == ORIGIN
        return self.leaves[start:stop]

    def position_of(self, origin: str, entry: bytes) -> int | None:
        assert origin == ORIGIN
        return self.leaves.index(entry) if entry in self.leaves else None

    def facts(self, after: int, limit: int, schemas: frozenset[str] | None = None) -> Sequence[Recorded]:
        del after, limit, schemas
        return []

    def facts_at(self, indexes: Sequence[int]) -> Sequence[Recorded]:
        del indexes
        return []

    def anchored(self) -> Mapping[str, int]:
        return {}
