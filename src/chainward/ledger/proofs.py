"""Merkle proofs over a log, as pure functions: who holds a checkpoint can check them without the log.

Hashing and verification follow RFC 9162, sections 2.1.1 (tree hash), 2.1.3.2 (inclusion) and 2.1.4.2 (consistency),
with SHA-256. Hashes are 32 raw bytes; proofs are sequences of such hashes, nearest sibling first. Every function here
either returns or raises :class:`ProofInvalid`; none returns a boolean.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, ClassVar, Final

from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EMPTY_ROOT", "ProofInvalid", "leaf_hash", "node_hash", "verify_consistency", "verify_inclusion"]

_HASH_SIZE = 32
_MAX_SIZE = 1 << 63

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


class ProofInvalid(Problem):
    """A Merkle proof does not prove what it claims."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "proof-invalid"
    hint = "Fetch the proof and the checkpoint again; if it still fails, treat the log as tampered with."


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 over 0x00 and the entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an interior node: SHA-256 over 0x01 and the two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def verify_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf stands at ``index`` in the tree of ``size`` leaves with hash ``root``.

    Raises:
        ProofInvalid: if it does not, or if any argument has an impossible shape.
    """
    if not 0 <= index < size <= _MAX_SIZE:
        raise ProofInvalid(f"index {index} lies outside a tree of size {size}")
    _check_hashes((leaf_hash, root, *proof))
    node, last = index, size - 1
    value = leaf_hash
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the inclusion proof is longer than the tree is high")
        if node & 1 or node == last:
            value = node_hash(sibling, value)
            node, last = _climb(node, last)
        else:
            value = node_hash(value, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the inclusion proof is shorter than the tree is high")
    _check_equal(value, root, "the inclusion proof leads to another root")


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Check that the tree of ``size1`` leaves is a prefix of the tree of ``size2`` leaves.

    Raises:
        ProofInvalid: if it is not, or if any argument has an impossible shape.
    """
    if not 0 <= size1 <= size2 <= _MAX_SIZE:
        raise ProofInvalid(f"a tree of size {size2} cannot extend one of size {size1}")
    _check_hashes((root1, root2, *proof))
    if size1 in {0, size2}:
        if proof:
            raise ProofInvalid("the consistency proof of equal or empty trees must be empty")
        if size1 == size2:
            _check_equal(root1, root2, "two trees of one size have different roots")
        if size1 == 0:
            _check_equal(root1, EMPTY_ROOT, "the root of the empty tree is another")
        return
    first, second = _fold_consistency(size1, size2, proof, root1)
    _check_equal(first, root1, "the consistency proof does not lead to the older root")
    _check_equal(second, root2, "the consistency proof does not lead to the newer root")


def _fold_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes) -> tuple[bytes, bytes]:
    if not proof:
        raise ProofInvalid("the consistency proof is empty")
    nodes = [root1, *proof] if size1 & (size1 - 1) == 0 else list(proof)
    node, last = size1 - 1, size2 - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = nodes[0]
    for value in nodes[1:]:
        if last == 0:
            raise ProofInvalid("the consistency proof is too long")
        if node & 1 or node == last:
            first, second = node_hash(value, first), node_hash(value, second)
            node, last = _climb(node, last)
        else:
            second = node_hash(second, value)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the consistency proof is too short")
    return first, second


def _climb(node: int, last: int) -> tuple[int, int]:
    """Skip the levels at which a node of the right edge has no sibling."""
    while node and not node & 1:
        node, last = node >> 1, last >> 1
    return node, last


def _check_hashes(values: Sequence[bytes]) -> None:
    if any(len(value) != _HASH_SIZE for value in values):
        raise ProofInvalid("a hash in a proof is not 32 bytes long")


def _check_equal(actual: bytes, expected: bytes, message: str) -> None:
    if not hmac.compare_digest(actual, expected):
        raise ProofInvalid(message, details={"actual": actual.hex(), "expected": expected.hex()})
