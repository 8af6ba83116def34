"""Proofs that are computed from the tiles of a published log, against RFC 6962 written down literally."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ledger import naive
from tests.ledger.published import ForeignLog, leaves

from chainward.ledger.proofs import EMPTY_ROOT, ProofInvalid, verify_consistency, verify_inclusion
from chainward.ledger.tiles import PublishedTree, fold_nodes

ENTRIES = leaves(700)
SIZES = st.integers(1, len(ENTRIES))
EDGES = st.sampled_from([1, 2, 3, 255, 256, 257, 511, 512, 513, 699, 700])


def tree(size: int) -> PublishedTree:
    return PublishedTree(ForeignLog(ENTRIES, shown=size), size)


@given(SIZES | EDGES, st.data())
@settings(max_examples=60)
def test_the_root_at_every_size_is_that_of_the_naive_tree(size: int, data: st.DataObject) -> None:
    published = tree(size)
    for part in (size, data.draw(st.integers(1, size))):
        assert published.root(part) == naive.root(ENTRIES[:part])
    assert published.root(0) == EMPTY_ROOT == naive.root([])


@given(SIZES | EDGES, st.data())
@settings(max_examples=60)
def test_inclusion_proofs_from_tiles_are_those_of_the_naive_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = tree(size).inclusion(index, size)
    assert list(proof) == naive.inclusion(index, ENTRIES[:size])
    verify_inclusion(index, size, naive.root([ENTRIES[index]]), proof, naive.root(ENTRIES[:size]))


@given(SIZES | EDGES, st.data())
@settings(max_examples=60)
def test_consistency_proofs_from_tiles_are_those_of_the_naive_tree(size: int, data: st.DataObject) -> None:
    older = data.draw(st.integers(0, size))
    proof = tree(size).consistency(older, size)
    assert list(proof) == (naive.consistency(older, ENTRIES[:size]) if older else [])
    verify_consistency(older, size, proof, naive.root(ENTRIES[:older]), naive.root(ENTRIES[:size]))


@given(SIZES | EDGES, st.data())
@settings(max_examples=60)
def test_two_roots_follow_from_the_nodes_between_them(size: int, data: st.DataObject) -> None:
    older = data.draw(st.integers(1, size))
    nodes = tree(size).nodes(older, size)
    assert fold_nodes(older, size, nodes) == (naive.root(ENTRIES[:older]), naive.root(ENTRIES[:size]))


@given(SIZES, st.data())
@settings(max_examples=60)
def test_no_changed_node_leads_to_both_roots(size: int, data: st.DataObject) -> None:
    older = data.draw(st.integers(1, size))
    nodes = list(tree(size).nodes(older, size))
    place = data.draw(st.integers(0, len(nodes) - 1))
    nodes[place] = bytes([nodes[place][0] ^ data.draw(st.integers(1, 255))]) + nodes[place][1:]
    assert fold_nodes(older, size, nodes) != (naive.root(ENTRIES[:older]), naive.root(ENTRIES[:size]))


@given(SIZES, st.data())
@settings(max_examples=30)
def test_another_number_of_nodes_is_refused(size: int, data: st.DataObject) -> None:
    older = data.draw(st.integers(1, size))
    nodes = tree(size).nodes(older, size)
    for wrong in (nodes[1:], (*nodes, bytes(32))):
        with pytest.raises(ProofInvalid):
            fold_nodes(older, size, wrong)


@given(st.integers(0, len(ENTRIES)), st.data())
@settings(max_examples=60)
def test_a_frontier_from_tiles_goes_on_where_the_log_stood(size: int, data: st.DataObject) -> None:
    newest = data.draw(st.integers(max(size, 1), len(ENTRIES)))
    frontier = tree(newest).frontier(size)
    assert frontier.root() == naive.root(ENTRIES[:size])
    frontier.append(ENTRIES[size:newest])
    assert frontier.root() == naive.root(ENTRIES[:newest])


@given(SIZES, st.data())
@settings(max_examples=60)
def test_entries_come_once_each_and_in_order(size: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    seen: list[bytes] = []
    for first, entries in tree(size).entries(start, stop):
        assert first == start + len(seen)
        seen += entries
    assert seen == ENTRIES[start:stop]


def test_a_tree_of_three_levels_is_read_with_few_tiles() -> None:
    entries = leaves(65_536 + 300)
    log = ForeignLog(entries)
    published = PublishedTree(log, len(entries))
    proof = published.inclusion(70, len(entries))
    verify_inclusion(70, len(entries), naive.root([entries[70]]), proof, naive.root(entries))
    assert published.leaf(70) == naive.root([entries[70]])
    assert len(log.asked) <= 5
    assert set(log.asked) <= {"tile/0/000", "tile/1/000", "tile/1/001.p/1", "tile/0/x001/257.p/44", "tile/0/257.p/44"}
