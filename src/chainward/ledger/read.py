"""Reading the logs from one snapshot: facts, tiles, entry bundles, and proofs with all that is needed to check them.

Tiles and bundles are served as C2SP tlog-tiles describes: complete ones, and partial ones of any width up to what the
newest checkpoint covers, also after they became complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.formats.tile import encode_entries, encode_tile
from chainward.ledger.errors import FactUnknown, LogTampered, OutOfRange
from chainward.ledger.frontier import TILE_HEIGHT, TILE_WIDTH

if TYPE_CHECKING:
    from chainward.formats.tile import EntriesPath, TilePath
    from chainward.ledger.model import Recorded
    from chainward.ledger.ports import LogView, SubjectIndex, TileReader
    from chainward.ledger.prove import Prover

__all__ = ["Consistency", "Inclusion", "consistency", "entries", "fact", "facts_about", "inclusion", "tile"]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a leaf stands at ``index`` of the tree of ``size`` leaves with hash ``root``.

    ``checkpoint`` is the newest signed note of the log; it is over this very tree when no size was asked for.
    """

    origin: str
    index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    leaf_hash: bytes
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Consistency:
    """That the tree of ``size1`` leaves with hash ``root1`` is a prefix of that of ``size2`` leaves with ``root2``."""

    origin: str
    size1: int
    size2: int
    root1: bytes
    root2: bytes
    hashes: tuple[bytes, ...]
    checkpoint: bytes


def fact(view: LogView, index: int) -> Recorded:
    """Return one fact; raises FactUnknown."""
    found = view.facts_at((index,))
    if not found:
        raise FactUnknown(f"there is no fact {index}")
    return found[0]


def facts_about(
    view: LogView, subjects: SubjectIndex, subject: str, limit: int, before: int | None = None
) -> tuple[Recorded, ...]:
    """Return the newest facts about a subject, newest first, below ``before``."""
    return tuple(reversed(view.facts_at(subjects.facts_about(subject, limit, before))))


def inclusion(reader: TileReader, prover: Prover, origin: str, index: int, size: int | None = None) -> Inclusion:
    """Prove that a leaf is in the log; raises LogUnknown or OutOfRange."""
    head = reader.head(origin)
    size = head.size if size is None else size
    hashes = prover.inclusion(reader, head, index, size)
    root = prover.root(reader, head, size)
    return Inclusion(origin, index, size, root, tuple(hashes), prover.leaf(reader, head, index), head.checkpoint)


def consistency(reader: TileReader, prover: Prover, origin: str, size1: int, size2: int | None = None) -> Consistency:
    """Prove that the log only grew from ``size1`` to ``size2`` leaves; raises LogUnknown or OutOfRange."""
    head = reader.head(origin)
    size2 = head.size if size2 is None else size2
    hashes = prover.consistency(reader, head, size1, size2)
    roots = (prover.root(reader, head, size1), prover.root(reader, head, size2))
    return Consistency(origin, size1, size2, *roots, tuple(hashes), head.checkpoint)


def tile(reader: TileReader, origin: str, path: TilePath) -> bytes:
    """Return the hashes of a tile."""
    start = _start(reader, origin, path.index, path.width, path.level)
    complete = reader.tile_with_nodes(origin, path.level, path.index) if path.width == TILE_WIDTH else None
    if complete is not None:
        return complete[0]
    hashes = reader.hashes(origin, path.level, start, start + path.width)
    if len(hashes) != path.width:
        raise LogTampered(f"tile {path} of log {origin} is shorter than its checkpoint says")
    return encode_tile(hashes)


def entries(view: LogView, origin: str, path: EntriesPath) -> bytes:
    """Return a bundle of entries."""
    start = _start(view, origin, path.index, path.width, 0)
    found = view.entries(origin, start, start + path.width)
    if len(found) != path.width:
        raise LogTampered(f"entry bundle {path} of log {origin} is shorter than its checkpoint says")
    return encode_entries(found)


def _start(reader: TileReader, origin: str, index: int, width: int, level: int) -> int:
    start = index * TILE_WIDTH
    if start + width > reader.head(origin).size >> (TILE_HEIGHT * level):
        raise OutOfRange(f"log {origin} does not reach that far yet")
    return start
