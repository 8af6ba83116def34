"""A stored blob, opened: one file descriptor, and the state of the file when its bytes were last known to be good.

All bytes come from that descriptor, never from the name of the file, which others may give to another file between a
check and a read.
"""

from __future__ import annotations

import hmac
import os
import stat
from typing import TYPE_CHECKING, Final

from chainward.adapters.blobs.disk import is_open_for_writing, on_disk
from chainward.registry.errors import BlobStoreUnavailable, IntegrityViolated
from chainward.registry.model import Seal

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest

__all__ = ["LocalReader", "seal_of"]

_BATCH: Final = 1 << 20
_TRIES: Final = 3


def seal_of(status: os.stat_result) -> Seal:
    """Return the seal of a file: any write, rename or replacement changes it."""
    return Seal(status.st_size, f"{status.st_ino}:{status.st_mtime_ns}:{status.st_ctime_ns}")


class LocalReader:
    """One open file; implements BlobReader. Reads at offsets, so that threads do not disturb each other."""

    def __init__(self, digest: Digest, descriptor: int) -> None:
        self._digest = digest
        self._descriptor = descriptor
        self._known = os.fstat(descriptor)
        if not stat.S_ISREG(self._known.st_mode):
            raise IntegrityViolated(f"{digest} is not a regular file any more")

    @property
    def seal(self) -> Seal:
        """State of the file when it was opened, or when it was last proven."""
        return seal_of(self._known)

    def read(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes; a file that was written to since it was opened is not read any further."""
        for _ in range(_TRIES):
            with on_disk("reading a blob"):
                data = os.pread(self._descriptor, count, offset)
                now = os.fstat(self._descriptor)
            if seal_of(now) == self.seal:
                return data
            if (now.st_size, now.st_mtime_ns) != (self._known.st_size, self._known.st_mtime_ns):
                break
            # Only ctime moved. Somebody replaced the file by the same content, or wrote to it and set mtime back.
            self.prove(self._digest)
        raise IntegrityViolated(f"{self._digest} was changed while it was read")

    def prove(self, digest: Digest) -> Seal:
        """Hash the whole file and return the seal under which it was read.

        Raises:
            IntegrityViolated: it does not hash to ``digest``, or kept changing.
            BlobStoreUnavailable: somebody has it open for writing. Whether it is good will be known when they are done:
                when a mapping was written to before, no time of the file tells that it is written to again.
        """
        for _ in range(_TRIES):
            before = os.fstat(self._descriptor)
            if is_open_for_writing(self._descriptor):
                raise BlobStoreUnavailable(f"the file of {digest} is open for writing, so it cannot be proven")
            actual = self._hash(digest)
            if seal_of(os.fstat(self._descriptor)) != seal_of(before):
                continue
            if not hmac.compare_digest(actual, digest.hex):
                raise IntegrityViolated(f"{digest} hashes to {actual}")
            self._known = before
            return seal_of(before)
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
