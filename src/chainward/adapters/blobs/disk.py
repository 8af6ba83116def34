"""The disk: its errors in the words of the registry, what makes a folder's names durable, and who writes to a file."""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chainward.registry.errors import BlobStoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Folders", "is_open_for_writing", "on_disk", "sync_folder"]


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


def is_open_for_writing(descriptor: int) -> bool:
    """Whether anybody, ourselves included, has a file open for writing or mapped so; False where that cannot be told.

    Linux gives a read lease on a file only while nobody does (fcntl(2), F_SETLEASE). It is given back at once; should
    somebody open the file within that moment, the signal that says so is one that is ignored.
    """
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN  # anything else: a file system without leases, or a file of somebody else
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


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
