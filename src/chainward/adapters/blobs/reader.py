"""A stored blob, opened: one file descriptor, and the state of the file at that moment."""

from __future__ import annotations

import hmac
import os
import stat
from typing import TYPE_CHECKING, Final

from chainward.adapters.blobs.disk import on_disk
from chainward.registry.errors import IntegrityViolated
from chainward.registry.model import Seal

if TYPE_CHECKING:
    from pathlib import Path

    from chainward.kernel.digest import Digest

__all__ = ["LocalReader", "seal_of"]

_BATCH: Final = 1 << 20
_TRIES: Final = 3


def seal_of(status: os.stat_result) -> Seal:
    """Return the seal of a file: any write, rename or replacement changes it."""
    return Seal(status.st_size, f"{status.st_ino}:{status.st_mtime_ns}:{status.st_ctime_ns}")


class LocalReader:
    """One open file; implements BlobReader. Reads at offsets, so that threads do not disturb each other."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._opened = os.fstat(descriptor)
        if not stat.S_ISREG(self._opened.st_mode):
            raise IntegrityViolated(f"{path.name} is not a regular file any more")

    @property
    def seal(self) -> Seal:
        """State of the file when it was opened."""
        return seal_of(self._opened)

    @property
    def path(self) -> str:
        """Absolute path of the file."""
        return str(self._path)

    def read(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes; a file that was written to since it was opened is not read any further."""
        with on_disk("reading a blob"):
            data = os.pread(self._descriptor, count, offset)
            now = os.fstat(self._descriptor)
        # Not ctime: it also moves when the file is replaced by the same content while it is being read.
        if (now.st_size, now.st_mtime_ns) != (self._opened.st_size, self._opened.st_mtime_ns):
            raise IntegrityViolated(f"{self._path.name} was changed while it was read")
        return data

    def prove(self, digest: Digest) -> Seal:
        """Hash the whole file and return the seal under which it was read."""
        for _ in range(_TRIES):
            before = seal_of(os.fstat(self._descriptor))
            actual = self._hash(digest)
            if seal_of(os.fstat(self._descriptor)) != before:
                continue
            if not hmac.compare_digest(actual, digest.hex):
                raise IntegrityViolated(f"{digest} hashes to {actual}")
            return before
        raise IntegrityViolated(f"{digest} kept changing while it was hashed")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _hash(self, digest: Digest) -> str:
        hasher, offset = digest.algorithm.hasher(), 0
        with on_disk("reading a blob"):
            while data := os.pread(self._descriptor, _BATCH, offset):
                hasher.update(data)
                offset += len(data)
        return hasher.hexdigest()
