"""What this room needs from outside: trees of files, and the blobs that image layers are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chainward.kernel.digest import Digest
    from chainward.sbom.model import Unreadable

__all__ = ["Blob", "BlobReader", "File", "Tree"]


class File(Protocol):
    """One regular file of a tree, or a symbolic link to one that stays within the tree."""

    @property
    def path(self) -> str:
        """The path from the tree's root, with ``/`` and without a leading one; valid Unicode."""
        ...

    @property
    def layer(self) -> Digest | None:
        """The image layer that the file's content comes from."""
        ...

    def read(self, limit: int) -> bytes:
        """Return the whole content; raises ``UnreadableFile`` when it is longer than ``limit`` or cannot be read."""
        ...


class Tree(Protocol):
    """A set of files as a scanner sees it: nothing outside the root can be reached through it, whatever the tree holds.

    Devices, sockets and pipes are never opened. A tree is read by one thread.
    """

    def select(self, wanted: Callable[[str], bool]) -> Iterator[File]:
        """Give the files whose path is wanted, ordered by path; raises ``TreeUnreadable`` when there is no tree."""
        ...

    def unreadable(self) -> tuple[Unreadable, ...]:
        """What ``select`` could not look into so far."""
        ...


class Blob(Protocol):
    """One blob, opened: every open binary file is one."""

    def read(self, count: int, /) -> bytes:
        """Return the next ``count`` bytes, fewer only at the end."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class BlobReader(Protocol):
    """Gives content by digest: an image layout on disk, or the registry's own store.

    The content need not be proven; who reads it compares the digest.
    """

    def open(self, digest: Digest) -> Blob:
        """Open a blob for reading from its beginning; the caller closes it. Raises a Problem when it is absent."""
        ...
