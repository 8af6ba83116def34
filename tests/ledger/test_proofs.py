"""Proofs hold exactly for what is in the log: made by the prover, checked by the public functions, against RFC 6962."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.ledger import naive
from tests.ledger.memory import ORIGIN, MemoryLog

from chainward.ledger.errors import LogTampered, OutOfRange
from chainward.ledger.frontier import Frontier
from chainward.ledger.proofs import (
    EMPTY_ROOT,
    ProofInvalid,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from chainward.ledger.prove import Prover

SIZES = st.integers(0, 300)


def entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


LOG = MemoryLog(entries(300))
ROOTS = [naive.root(entries(size)) for size in range(301)]


def other(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def test_the_hashes_are_those_of_the_published_test_vectors() -> None:
    # RFC 6962 reference vectors of the certificate-transparency project: the empty tree, one empty leaf.
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert node_hash(leaf_hash(b""), leaf_hash(b"\x00")).hex() == (
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    )


@given(SIZES)
def test_the_frontier_gives_the_root_of_rfc_6962(size: int) -> None:
    frontier = Frontier()
    frontier.append(entries(size))
    assert frontier.root() == ROOTS[size]


@given(st.data())
def test_an_inclusion_proof_is_that_of_rfc_6962_and_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    proof = Prover().inclusion(LOG, LOG.head(ORIGIN), index, size)
    assert proof == naive.inclusion(index, entries(size))
    verify_inclusion(index, size, leaf_hash(b"entry %d" % index), proof, ROOTS[size])


@given(st.data())
def test_a_consistency_proof_is_that_of_rfc_6962_and_verifies(data: st.DataObject) -> None:
    size2 = data.draw(SIZES)
    size1 = data.draw(st.integers(0, size2))
    proof = Prover().consistency(LOG, LOG.head(ORIGIN), size1, size2)
    assert proof == (naive.consistency(size1, entries(size2)) if size1 else [])
    verify_consistency(size1, size2, proof, ROOTS[size1], ROOTS[size2])


@given(st.data())
def test_no_change_to_an_inclusion_proof_goes_unnoticed(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    proof = Prover().inclusion(LOG, LOG.head(ORIGIN), index, size)
    leaf, root = leaf_hash(b"entry %d" % index), ROOTS[size]
    at = data.draw(st.integers(0, max(0, len(proof) - 1)))
    changed = [
        (index, size, other(leaf), proof, root),
        (index, size, leaf, proof, other(root)),
        (index, size, leaf, [*proof, leaf], root),
        (index, size, leaf, [*proof[:at], leaf, *proof[at:]], root),
        (size, size, leaf, proof, root),
        (-1, size, leaf, proof, root),
        (index, size, leaf[:-1], proof, root),
    ]
    if proof:
        changed += [
            (index, size, leaf, proof[:-1], root),
            (index, size, leaf, proof[1:], root),
            (index, size, leaf, [*proof[:at], other(proof[at]), *proof[at + 1 :]], root),
            (index, size, leaf, [*proof[:at], proof[at] + b"\x00", *proof[at + 1 :]], root),
        ]
    for attempt in changed:
        with pytest.raises(ProofInvalid):
            verify_inclusion(*attempt)


@given(st.data())
def test_a_leaf_is_not_proven_at_another_place(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 300))
    index = data.draw(st.integers(0, size - 1))
    claimed = data.draw(st.integers(0, size - 1).filter(lambda place: place != index))
    proof = Prover().inclusion(LOG, LOG.head(ORIGIN), index, size)
    with pytest.raises(ProofInvalid):
        verify_inclusion(claimed, size, leaf_hash(b"entry %d" % index), proof, ROOTS[size])


@given(st.data())
def test_no_change_to_a_consistency_proof_goes_unnoticed(data: st.DataObject) -> None:
    size2 = data.draw(st.integers(2, 300))
    size1 = data.draw(st.integers(1, size2 - 1))
    proof = Prover().consistency(LOG, LOG.head(ORIGIN), size1, size2)
    root1, root2 = ROOTS[size1], ROOTS[size2]
    at = data.draw(st.integers(0, len(proof) - 1))
    for attempt in (
        (size1, size2, proof, other(root1), root2),
        (size1, size2, proof, root1, other(root2)),
        (size1, size2, proof[:-1], root1, root2),
        (size1, size2, [*proof, root1], root1, root2),
        (size1, size2, [], root1, root2),
        (size1, size2, [*proof[:at], other(proof[at]), *proof[at + 1 :]], root1, root2),
        (size1, size2, [*proof[:at], proof[at][1:], *proof[at + 1 :]], root1, root2),
        (size2 + 1, size2, proof, root1, root2),
        (-1, size2, proof, root1, root2),
    ):
        with pytest.raises(ProofInvalid):
            verify_consistency(*attempt)


@given(size=st.integers(1, 300))
@example(size=1)
def test_trees_of_one_size_are_consistent_only_when_equal(size: int) -> None:
    verify_consistency(size, size, [], ROOTS[size], ROOTS[size])
    with pytest.raises(ProofInvalid, match="different roots"):
        verify_consistency(size, size, [], ROOTS[size], other(ROOTS[size]))
    with pytest.raises(ProofInvalid, match="must be empty"):
        verify_consistency(size, size, [ROOTS[size]], ROOTS[size], ROOTS[size])


def test_the_empty_tree_is_a_prefix_of_every_tree_but_has_only_one_root() -> None:
    verify_consistency(0, 7, [], EMPTY_ROOT, ROOTS[7])
    with pytest.raises(ProofInvalid, match="empty tree"):
        verify_consistency(0, 7, [], other(EMPTY_ROOT), ROOTS[7])


def test_a_rewritten_history_is_not_consistent() -> None:
    forged = MemoryLog([b"entry 0", b"forged", *entries(300)[2:]])
    for size in (2, 3, 100, 256, 257, 299):
        proof = Prover().consistency(forged, forged.head(ORIGIN), size, 300)
        with pytest.raises(ProofInvalid):
            verify_consistency(size, 300, proof, ROOTS[size], forged.frontier.root())


def test_a_proof_beyond_the_log_is_refused() -> None:
    prover = Prover()
    with pytest.raises(OutOfRange):
        prover.inclusion(LOG, LOG.head(ORIGIN), 5, 301)
    with pytest.raises(OutOfRange):
        prover.inclusion(LOG, LOG.head(ORIGIN), 7, 7)
    with pytest.raises(OutOfRange):
        prover.consistency(LOG, LOG.head(ORIGIN), 301, 302)
    with pytest.raises(OutOfRange):
        prover.root(LOG, LOG.head(ORIGIN), 301)


def test_a_log_that_lost_a_tile_proves_nothing() -> None:
    log = MemoryLog(entries(70_000))
    del log.tiles[1, 0]
    with pytest.raises(LogTampered, match="shorter than its checkpoint"):
        Prover().inclusion(log, log.head(ORIGIN), 0, 70_000)


@settings(max_examples=25)
@given(st.data())
def test_proofs_hold_across_three_tile_levels(data: st.DataObject) -> None:
    size = data.draw(st.integers(60_000, BIG.frontier.size))
    index = data.draw(st.integers(0, size - 1))
    prover = Prover()
    root = prover.root(BIG, BIG.head(ORIGIN), size)
    verify_inclusion(
        index,
        size,
        prover.leaf(BIG, BIG.head(ORIGIN), index),
        prover.inclusion(BIG, BIG.head(ORIGIN), index, size),
        root,
    )
    older = data.draw(st.integers(1, size))
    proof = prover.consistency(BIG, BIG.head(ORIGIN), older, size)
    verify_consistency(older, size, proof, prover.root(BIG, BIG.head(ORIGIN), older), root)


BIG = MemoryLog(entries(66_000))
