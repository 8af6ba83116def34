"""What delivery needs from the world: folders, commands, a registry, and the state that gates decide on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chainward.kernel.digest import Digest

__all__ = ["BlobSink", "NodeKind", "SourceTree", "TreeNode"]


class NodeKind(StrEnum):
    """What a node of a folder is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One node: its path below the root with ``/``, and what an image keeps of it."""

    path: str
    kind: NodeKind
    size: int = 0
    executable: bool = False
    target: str = ""


class SourceTree(Protocol):
    """A folder as it is now; links are reported, never followed."""

    def nodes(self) -> Iterable[TreeNode]:
        """Yield every node below the root once, ordered by the parts of its path, so parents come first."""
        ...

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of one file in pieces of bounded size; raises SourceUnreadable."""
        ...


class BlobSink(Protocol):
    """Takes blobs by content."""

    def put(self, chunks: Iterable[bytes]) -> tuple[Digest, int]:
        """Keep what ``chunks`` yield and return its digest and size; if ``chunks`` raises, nothing is kept."""
        ...
