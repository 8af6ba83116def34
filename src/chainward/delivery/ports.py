"""What delivery needs from the world: folders, commands, a registry, and the state that gates decide on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import timedelta

    from chainward.delivery.materials import FileDigest, SourceState
    from chainward.formats.oci import Descriptor
    from chainward.kernel.digest import Digest

__all__ = [
    "BlobSink",
    "Command",
    "NodeKind",
    "Outcome",
    "ResultFolder",
    "Runner",
    "SourceTree",
    "TreeNode",
    "Workspace",
]


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


@dataclass(frozen=True, slots=True)
class Command:
    """A command with what it may see: variables of ours by name, and settings made for it."""

    argv: tuple[str, ...]
    environment: frozenset[str]
    settings: Mapping[str, str]
    time_limit: timedelta


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its status (negative for a signal), and the names of the variables that it saw."""

    status: int
    timed_out: bool
    environment: tuple[str, ...]


class Runner(Protocol):
    """Runs one command at a time in the source folder."""

    def run(self, command: Command, tee: Callable[[bytes], None]) -> Outcome:
        """Run it to its end or its time limit, giving its output to ``tee``; nothing that it started stays behind.

        Raises:
            ToolMissing: there is no such command.
        """
        ...


class Workspace(Protocol):
    """The source folder of a build."""

    def source(self, outputs: tuple[str, ...]) -> SourceState:
        """Return the state of the source now; ``outputs`` are not source."""
        ...

    def lock_files(self) -> tuple[FileDigest, ...]:
        """Return every lock file of the source."""
        ...

    def files(self, path: str) -> tuple[FileDigest, ...]:
        """Return the files at or below ``path``; none when it is not there. Raises SourceRefused outside the source."""
        ...


class ResultFolder(BlobSink, Protocol):
    """What a build leaves behind: an image layout and documents; it appears as a whole, or not at all."""

    def index(self, manifest: Descriptor, name: str) -> None:
        """Name the manifest of the image."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a document."""
        ...

    def append(self, name: str, content: bytes) -> None:
        """Add to a document that grows."""
        ...

    def complete(self) -> None:
        """Put the folder in place; called last."""
        ...

    def abandon(self) -> None:
        """Remove everything; called instead of ``complete``."""
        ...
