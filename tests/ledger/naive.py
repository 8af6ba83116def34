"""RFC 6962 written down literally, slowly and independently: the oracle for everything about Merkle trees here."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["consistency", "inclusion", "root", "subproof"]


def _split(count: int) -> int:
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def root(entries: Sequence[bytes]) -> bytes:
    """MTH, RFC 6962 section 2.1."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    middle = _split(len(entries))
    return hashlib.sha256(b"\x01" + root(entries[:middle]) + root(entries[middle:])).digest()


def inclusion(index: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH, RFC 6962 section 2.1.1."""
    if len(entries) == 1:
        return []
    middle = _split(len(entries))
    if index < middle:
        return [*inclusion(index, entries[:middle]), root(entries[middle:])]
    return [*inclusion(index - middle, entries[middle:]), root(entries[:middle])]


def consistency(size: int, entries: Sequence[bytes]) -> list[bytes]:
    """PROOF, RFC 6962 section 2.1.2."""
    return subproof(size, entries, whole=True)


def subproof(size: int, entries: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF, RFC 6962 section 2.1.2."""
    if size == len(entries):
        return [] if whole else [root(entries)]
    middle = _split(len(entries))
    if size <= middle:
        return [*subproof(size, entries[:middle], whole=whole), root(entries[middle:])]
    return [*subproof(size - middle, entries[middle:], whole=False), root(entries[:middle])]
