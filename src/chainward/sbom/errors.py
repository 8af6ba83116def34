"""What can go wrong when a tree is read. A problem with one file never ends a run; it becomes an ``Unreadable``."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = ["AmbiguousImage", "TreeUnreadable", "UnreadableFile"]


class UnreadableFile(Problem):
    """One file of a tree cannot be read or understood."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "file-unreadable"
    hint = "Repair or remove the file; until then the inventory is incomplete."


class TreeUnreadable(Problem):
    """The tree as a whole cannot be read: no such folder, no image, or a layer beyond the limits."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "tree-unreadable"
    hint = "Name a folder, or an image whose layers are complete and within the limits."


class AmbiguousImage(Problem):
    """Several images are there and none was chosen."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "image-ambiguous"
    hint = "Name the digest of one image manifest."
