"""A folder as a tree.

The walk follows no link. A file is opened step by step from the root, each step refusing links (``O_NOFOLLOW``), so
that a tree which is changed while it is read cannot lead outside. Only regular files are read; opening does not block
on pipes.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.adapters.tree.limits import Limits
from chainward.adapters.tree.links import resolve
from chainward.sbom.errors import TreeUnreadable, UnreadableFile
from chainward.sbom.model import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from chainward.kernel.digest import Digest

__all__ = ["DirectoryTree"]

_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class DirectoryTree:
    """The files below a folder, or one file alone."""

    def __init__(self, root: Path, *, limits: Limits | None = None) -> None:
        self._root = root
        self._limits = limits or Limits()
        self._unreadable: list[Unreadable] = []

    def select(self, wanted: Callable[[str], bool]) -> Iterator[_DirectoryFile]:
        """Give the files whose path is wanted, ordered by path; raises ``TreeUnreadable`` when there is nothing."""
        self._unreadable.clear()
        if self._root.is_file():
            parent, names = self._root.parent, [self._root.name]
            if not wanted(_printable(self._root.name)):
                self._unreadable.append(Unreadable(_printable(self._root.name), "no file of this name is looked at"))
        elif self._root.is_dir():
            parent, names = self._root, self._walk(wanted)
        else:
            raise TreeUnreadable(f"{self._root} is neither a folder nor a file")
        found = (_DirectoryFile(parent, name, _printable(name)) for name in names)
        yield from sorted((file for file in found if wanted(file.path)), key=lambda file: file.path)

    def unreadable(self) -> tuple[Unreadable, ...]:
        """The folders that could not be listed, or the one file that nobody wanted."""
        return tuple(self._unreadable)

    def _walk(self, wanted: Callable[[str], bool]) -> list[str]:
        found: list[str] = []
        pending = [""]
        seen = 0
        while pending:
            folder = pending.pop()
            try:
                with os.scandir(self._root / folder) as entries:
                    for entry in entries:
                        seen += 1
                        path = f"{folder}/{entry.name}" if folder else entry.name
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(path)
                        elif wanted(_printable(path)) and _may_be_file(entry):
                            found.append(path)
            except OSError as error:
                self._unreadable.append(Unreadable(_printable(folder) or ".", f"cannot be listed: {error.strerror}"))
            if seen > self._limits.entries:
                raise TreeUnreadable(f"the tree has more than {self._limits.entries} entries")
        return found


def _may_be_file(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() or entry.is_file(follow_symlinks=False)


def _printable(path: str) -> str:
    """Return the path as valid Unicode; bytes of another encoding are shown as escapes."""
    return path if path.isascii() else os.fsencode(path).decode(errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class _DirectoryFile:
    """A file by its name on disk and its name for people."""

    root: Path
    name: str
    path: str
    layer: Digest | None = None

    def read(self, limit: int) -> bytes:
        """Return the content; raises ``UnreadableFile``."""
        try:
            descriptor = self._open(resolve(self.name, self._target_of))
        except OSError as error:
            raise UnreadableFile(f"cannot be opened: {error.strerror}") from None
        try:
            return _content(descriptor, limit)
        except OSError as error:
            raise UnreadableFile(f"cannot be read: {error.strerror}") from None
        finally:
            os.close(descriptor)

    def _target_of(self, path: str) -> str | None:
        full = self.root / path
        return str(full.readlink()) if full.is_symlink() else None

    def _open(self, path: str) -> int:
        *folders, name = path.split("/")
        here = os.open(self.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                below = os.open(folder, _DIRECTORY, dir_fd=here)
                os.close(here)
                here = below
            return os.open(name, _FILE, dir_fd=here)
        finally:
            os.close(here)


def _content(descriptor: int, limit: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise UnreadableFile("is not a regular file")
    with open(descriptor, "rb", closefd=False) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise UnreadableFile(f"is larger than {limit} bytes")
    return data
