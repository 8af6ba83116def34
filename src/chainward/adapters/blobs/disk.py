"""The disk: its errors in the words of the registry, and what makes a change of a folder survive a power loss."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chainward.registry.errors import BlobStoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Folders", "on_disk", "sync_folder"]


@contextmanager
def on_disk(doing: str) -> Iterator[None]:
    """Turn errors of the operating system into BlobStoreUnavailable; paths stay out of its message."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        why = "the disk is full" if full else os.strerror(error.errno or 0)
        raise BlobStoreUnavailable(f"{doing} failed: {why}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Folders:
    """Makes folders below ``root`` whose names survive a power loss.

    That a folder is there does not say so: whoever made it, another thread or a process that was killed, may not have
    come to sync it. So the name of every folder is synced once by this process before something in it is relied on.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: set[Path] = set()
        self.make(root)

    def make(self, folder: Path) -> None:
        """Make a folder and its parents, unless they are there, and return when their names are durable."""
        if folder in self._durable:
            return
        if self._root in folder.parents or not folder.parent.is_dir():
            self.make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)
        self._durable.add(folder)
