"""What a commit proves of itself: every leaf that it appended, at whatever size it found the log."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.ledger.errors import OutOfRange
from chainward.ledger.frontier import Frontier
from chainward.ledger.grown import Grown
from chainward.ledger.proofs import verify_inclusion

SIZES = st.sampled_from([1, 2, 3, 15, 16, 17, 31, 128, 255, 256, 257, 600])


def _leaves(start: int, count: int) -> list[bytes]:
    return [hashlib.sha256(b"leaf %d" % number).digest() for number in range(start, start + count)]


@given(before=st.integers(0, 1_100), counts=st.lists(SIZES, min_size=1, max_size=3), data=st.data())
def test_every_leaf_of_every_commit_is_proved_in_whatever_order_they_ask(
    before: int, counts: list[int], data: st.DataObject
) -> None:
    frontier = Frontier()
    frontier.extend(_leaves(0, before))
    for count in counts:
        first, leaves = frontier.size, _leaves(frontier.size, count)
        tiles = frontier.extend(leaves)
        grown = Grown("log.test", frontier.copy(), b"checkpoint", leaves, tiles)
        for index in data.draw(st.permutations(range(first, first + count))):
            proof = grown.inclusion(index)
            assert (proof.index, proof.size, proof.checkpoint) == (index, first + count, b"checkpoint")
            verify_inclusion(index, proof.size, leaves[index - first], proof.hashes, proof.root)


def test_a_commit_proves_no_leaf_of_another() -> None:
    frontier = Frontier()
    frontier.extend(_leaves(0, 20))
    leaves = _leaves(20, 20)
    grown = Grown("log.test", frontier, b"checkpoint", leaves, frontier.extend(leaves))
    for index in (-1, 0, 19, 40):
        with pytest.raises(OutOfRange):
            grown.inclusion(index)
