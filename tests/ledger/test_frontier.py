"""The right edge of a tree: loading it from tiles is the same as having grown it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.ledger import naive
from tests.ledger.memory import ORIGIN, MemoryLog

from chainward.ledger.frontier import TILE_HEIGHT, TILE_WIDTH, Frontier
from chainward.ledger.proofs import leaf_hash, node_hash


def entries(count: int, start: int = 0) -> list[bytes]:
    return [b"%d" % number for number in range(start, start + count)]


def reloaded(log: MemoryLog) -> Frontier:
    size = log.frontier.size
    edges = []
    level = 0
    while size >> (TILE_HEIGHT * level):
        width = size >> (TILE_HEIGHT * level)
        edges.append(log.hashes(ORIGIN, level, width - width % TILE_WIDTH, width))
        level += 1
    return Frontier.load(size, edges)


@given(st.lists(st.integers(0, 200), max_size=8))
def test_growing_in_any_portions_gives_the_same_tree(portions: list[int]) -> None:
    total = sum(portions)
    grown = Frontier()
    for portion in portions:
        grown.append(entries(portion, grown.size))
    once = Frontier()
    once.append(entries(total))
    assert (grown.size, grown.root(), grown.edges) == (once.size, once.root(), once.edges)


@given(st.integers(0, 1100), st.integers(0, 600))
def test_a_loaded_frontier_goes_on_as_the_grown_one(size: int, more: int) -> None:
    log = MemoryLog(entries(size))
    loaded = reloaded(log)
    assert loaded.root() == log.frontier.root()
    assert loaded.append(entries(more, size)) == log.frontier.append(entries(more, size))
    assert loaded.root() == log.frontier.root()


def test_a_loaded_frontier_of_three_levels_goes_on_as_the_grown_one() -> None:
    log = MemoryLog(entries(65_535))
    for step in (1, 1, 255, 256, 1000):
        loaded = reloaded(log)
        expected = Frontier.copy(log.frontier)
        assert loaded.append(entries(step, log.frontier.size)) == expected.append(entries(step, log.frontier.size))
        assert loaded.root() == expected.root()
        log.append(entries(step, log.frontier.size))


@given(st.integers(0, 600), st.integers(1, 600))
def test_a_copy_leaves_the_original_alone(size: int, more: int) -> None:
    frontier = Frontier()
    frontier.append(entries(size))
    before = (frontier.size, frontier.root(), [list(edge) for edge in frontier.edges])
    frontier.copy().append(entries(more, size))
    assert (frontier.size, frontier.root(), frontier.edges) == before


@given(st.lists(st.integers(1, 400), min_size=1, max_size=6))
def test_complete_tiles_are_given_out_once_and_hold_the_right_hashes(portions: list[int]) -> None:
    frontier = Frontier()
    complete: dict[tuple[int, int], bytes] = {}
    for portion in portions:
        _, tiles = frontier.append(entries(portion, frontier.size))
        for tile in tiles:
            if len(tile.hashes) == TILE_WIDTH * 32:
                assert (tile.level, tile.index) not in complete
                complete[tile.level, tile.index] = tile.hashes
            else:
                assert tile.level > 0
    assert set(complete) == {(0, index) for index in range(frontier.size // TILE_WIDTH)}
    for (_, index), hashes in complete.items():
        leaves = entries(TILE_WIDTH, index * TILE_WIDTH)
        assert hashes == b"".join(leaf_hash(leaf) for leaf in leaves)
        assert log_node(hashes) == naive.root(leaves)


def log_node(hashes: bytes) -> bytes:
    row = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]
