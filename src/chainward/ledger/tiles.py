"""The Merkle tree of a log as somebody else publishes it: computed from tiles that are not trusted.

Follows C2SP tlog-tiles and RFC 6962, section 2.1. Nothing here believes a tile: :meth:`PublishedTree.nodes` gives nodes
from which both an older and a newer root follow, so if the newer one is what the log signed, then the older one is what
that tree began with, whatever the log says about it elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.formats.tile import TILE_WIDTH, EntriesPath, TilePath, decode_entries, decode_tile
from chainward.ledger.frontier import TILE_HEIGHT, Frontier
from chainward.ledger.proofs import EMPTY_ROOT, ProofInvalid, node_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainward.ledger.neighbours import TileLog

__all__ = ["PublishedTree", "fold_nodes"]

_KEPT_TILES: Final = 4096


class PublishedTree:
    """The tree of ``size`` leaves of a published log. One reader at a time."""

    def __init__(self, log: TileLog, size: int) -> None:
        self.size = size
        self._log = log
        self._tiles: dict[tuple[int, int], tuple[bytes, ...]] = {}

    def root(self, size: int) -> bytes:
        """Return the tree hash at a size up to that of this tree."""
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """Return the inclusion proof of leaf ``index`` in the tree of ``size`` leaves."""
        path: list[bytes] = []
        low, high = 0, size
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        return tuple(reversed(path))

    def nodes(self, older: int, newer: int) -> tuple[bytes, ...]:
        """Return the nodes from which both the ``older`` and the ``newer`` root follow; see :func:`fold_nodes`."""
        path: list[bytes] = []
        low, high = 0, newer
        while older != high:
            middle = low + _split(high - low)
            if older <= middle:
                path.append(self._range(middle, high))
                high = middle
            else:
                path.append(self._range(low, middle))
                low = middle
        path.append(self._range(low, high))
        return tuple(reversed(path))

    def consistency(self, older: int, newer: int) -> tuple[bytes, ...]:
        """Return the proof that the tree of ``older`` leaves is the beginning of that of ``newer`` leaves."""
        if older in {0, newer}:
            return ()
        nodes = self.nodes(older, newer)
        # RFC 6962 leaves the first node out where it is the older root itself, which the verifier has.
        return nodes[1:] if older & (older - 1) == 0 else nodes

    def frontier(self, size: int) -> Frontier:
        """Return the right edge of the tree at ``size``, ready to be extended by the leaves that follow."""
        edges: list[Sequence[bytes]] = []
        while size >> (TILE_HEIGHT * len(edges)):
            level = len(edges)
            index, width = divmod(size >> (TILE_HEIGHT * level), TILE_WIDTH)
            edges.append(self._tile(level, index)[:width] if width else ())
        return Frontier.load(size, edges)

    def leaf(self, index: int) -> bytes:
        """Return the hash of one leaf."""
        return self._node(0, index)

    def entries(self, start: int, stop: int) -> Iterator[tuple[int, tuple[bytes, ...]]]:
        """Yield the entries from ``start`` to ``stop`` (exclusive), bundle by bundle, each with its first index."""
        for index in range(start // TILE_WIDTH, -(-stop // TILE_WIDTH)):
            first = index * TILE_WIDTH
            width = min(TILE_WIDTH, self.size - first)
            bundle = decode_entries(self._log.entries(EntriesPath(index, width)), width)
            skipped = max(0, start - first)
            yield first + skipped, bundle[skipped : stop - first]

    def _range(self, low: int, high: int) -> bytes:
        count = high - low
        if count & (count - 1) == 0 and low % count == 0:
            return self._node(count.bit_length() - 1, low // count)
        middle = low + _split(count)
        return node_hash(self._range(low, middle), self._range(middle, high))

    def _node(self, height: int, index: int) -> bytes:
        """Return the root of a complete subtree, folded from the hashes of one tile."""
        level, inner = divmod(height, TILE_HEIGHT)
        tile, offset = divmod(index << inner, TILE_WIDTH)
        row = list(self._tile(level, tile)[offset : offset + (1 << inner)])
        while len(row) > 1:
            row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        return row[0]

    def _tile(self, level: int, index: int) -> tuple[bytes, ...]:
        found = self._tiles.get((level, index))
        if found is None:
            width = min(TILE_WIDTH, (self.size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
            found = decode_tile(self._log.tile(TilePath(level, index, width)), width)
            if len(self._tiles) >= _KEPT_TILES:
                self._tiles.clear()
            self._tiles[level, index] = found
        return found


def fold_nodes(older: int, newer: int, nodes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the older and the newer root that follow from ``nodes``, 0 < ``older`` <= ``newer``.

    These are the hashes of an RFC 6962 consistency proof, but never without the first, so that they also convict a log
    whose older root does not follow from its newer one.

    Raises:
        ProofInvalid: another number of nodes than two such trees have.
    """
    steps: list[bool] = []  # from the root down: whether the border between old and new lies in the left half
    low, high = 0, newer
    while older != high:
        middle = low + _split(high - low)
        steps.append(older <= middle)
        low, high = (low, middle) if older <= middle else (middle, high)
    if len(nodes) != 1 + len(steps):
        raise ProofInvalid(f"{len(nodes)} nodes do not lead from size {older} to size {newer}")
    first = second = nodes[0]
    for sibling, is_left in zip(nodes[1:], reversed(steps), strict=True):
        if is_left:
            second = node_hash(second, sibling)
        else:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
    return first, second


def _split(count: int) -> int:
    """Return the largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)
