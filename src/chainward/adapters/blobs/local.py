"""Blobs as local files: ``<algorithm>/<first two hex>/<hex>`` below one folder, uploads in another on the same disk.

A blob is written to an upload file while it is hashed, synced, linked into place, and its folder synced, in that
order; so after a power loss a name either leads to all of its bytes or does not exist. A file in place is never
written to again, only replaced as a whole. Its seal is made of inode, size, mtime and ctime: every write, rename or
replacement by others changes at least one of them, and no program can set ctime back. While a file is proven nobody may
have it open for writing, because the kernel notes only the time of the first write to a page through a mapping.
"""

from __future__ import annotations

import errno
import fcntl
import hmac
import os
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.adapters.blobs.disk import Folders, on_disk, sync_folder
from chainward.adapters.blobs.reader import LocalReader, seal_of
from chainward.kernel.digest import Algorithm, DigestMismatch
from chainward.registry.errors import (
    BlobStoreUnavailable,
    BlobUnknown,
    IntegrityViolated,
    UploadBusy,
    UploadRangeWrong,
    UploadUnknown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from hashlib import _Hash
    from pathlib import Path

    from chainward.kernel.digest import Digest
    from chainward.registry.model import Seal

__all__ = ["LocalBlobs"]

_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_BATCH: Final = 1 << 20
_RUNNING: Final = 4096
_NO_FOLLOW: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(slots=True)
class _Running:
    """The hash over the first ``size`` bytes of an upload, which holds for as long as the file has this ``seal``."""

    hasher: _Hash
    size: int = 0
    seal: Seal | None = None


class _Hold:
    """The lock on the file of an upload; to release it twice is harmless."""

    def __init__(self, descriptor: int) -> None:
        self._descriptors = [descriptor]

    def take(self, path: Path) -> None:
        """Lock the file, which ``path`` must still lead to: who held it before may have made a blob of it."""
        (descriptor,) = self._descriptors
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_there = os.fstat(descriptor).st_ino == path.stat().st_ino
        except BlockingIOError:
            raise UploadBusy("another request is writing to this upload") from None
        except FileNotFoundError:
            is_there = False
        if not is_there:
            raise _unknown(path.name)

    def release(self) -> None:
        """Unlock it."""
        while self._descriptors:
            os.close(self._descriptors.pop())


class LocalBlobs:
    """Files below two folders; implements BlobStore and UploadStore. Replicas may share them."""

    def __init__(self, blobs: Path, uploads: Path) -> None:
        self._blobs = blobs.absolute()
        self._uploads = uploads.absolute()
        with on_disk("opening the folders of the blobs"):
            self._folders = Folders(self._blobs)
            Folders(self._uploads)
            if self._blobs.stat().st_dev != self._uploads.stat().st_dev:
                raise BlobStoreUnavailable(
                    "uploads and blobs lie on different disks, so that an upload cannot become a blob in one step",
                    hint="Let both folders lie on one file system.",
                )
            # NFS locks only what is open for writing; elsewhere that would be in the way of whoever proves the blob.
            self._hold_mode = os.O_RDONLY if _locks_readers(self._uploads) else os.O_RDWR
        self._lock = threading.Lock()
        self._running: OrderedDict[str, _Running] = OrderedDict()

    def open(self, digest: Digest) -> LocalReader:
        """Open a blob."""
        path = self._place(digest)
        try:
            descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW)
        except FileNotFoundError:
            raise BlobUnknown(f"there is no file for {digest}") from None
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENXIO}:
                raise IntegrityViolated(f"{digest} is not a regular file any more") from error
            raise BlobStoreUnavailable(f"a blob cannot be opened: {error.strerror}") from error
        try:
            return LocalReader(digest, descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def create(self, upload: str) -> None:
        """Begin an empty upload."""
        path = self._file(upload)
        with on_disk("starting an upload"):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600)
            try:
                seal = seal_of(os.fstat(descriptor))
            finally:
                os.close(descriptor)
        self._remember(upload, _Running(Algorithm.SHA256.hasher(), seal=seal))

    def hold(self, upload: str) -> Callable[[], None]:
        """Lock the file of an upload; the operating system lets go of it when this process ends, however it ends."""
        with on_disk("locking an upload"):
            held = _Hold(self._open(upload, self._hold_mode))
            try:
                held.take(self._file(upload))
            except BaseException:
                held.release()
                raise
        return held.release

    def size(self, upload: str) -> int:
        """Return how many bytes were received."""
        with on_disk("looking at an upload"):
            try:
                return self._file(upload).stat().st_size
            except FileNotFoundError:
                raise _unknown(upload) from None

    def append(self, upload: str, offset: int, chunks: Sequence[bytes]) -> int:
        """Add bytes at the end; what was written when it fails is cut off again."""
        running = self._take(upload, offset)
        with on_disk("writing an upload"):
            descriptor = self._open(upload)
            try:
                size = os.fstat(descriptor).st_size
                if size != offset:
                    raise UploadRangeWrong(offset, size=size, upload=upload)
                if running is not None and running.seal != seal_of(os.fstat(descriptor)):
                    running = None  # somebody else wrote to it: it is hashed again at the end
                end = _write(descriptor, offset, chunks, running)
                seal = seal_of(os.fstat(descriptor))
            finally:
                os.close(descriptor)
        if running is not None:
            self._remember(upload, _Running(running.hasher, end, seal))
        return end

    def cut(self, upload: str, size: int) -> None:
        """Drop everything beyond ``size``; what is left is hashed again at the end."""
        self._take(upload, -1)
        with on_disk("cutting an upload"):
            descriptor = self._open(upload)
            try:
                os.ftruncate(descriptor, size)
            finally:
                os.close(descriptor)

    def finish(self, upload: str, digest: Digest, known: Seal | None) -> Seal:
        """Make the upload the blob ``digest``."""
        with on_disk("storing a blob"):
            descriptor = self._open(upload, os.O_RDONLY)
            try:
                self._verify(upload, descriptor, digest)
                if known is not None and self._seal(digest) == known:
                    self.abort(upload)
                    return known
                return self._publish(upload, descriptor, digest)
            finally:
                os.close(descriptor)

    def abort(self, upload: str) -> None:
        """Drop an upload."""
        self._take(upload, -1)
        with on_disk("dropping an upload"):
            self._file(upload).unlink(missing_ok=True)

    def abandoned(self, before: datetime) -> list[str]:
        """Return the uploads to which nothing was written since ``before``."""
        limit = before.timestamp()
        with on_disk("listing uploads"), os.scandir(self._uploads) as entries:
            return sorted(entry.name for entry in entries if _ID.match(entry.name) and _written_at(entry) < limit)

    def _verify(self, upload: str, descriptor: int, digest: Digest) -> None:
        seal = seal_of(os.fstat(descriptor))
        running = self._take(upload, seal.size)
        if running is None or running.seal != seal or digest.algorithm is not Algorithm.SHA256:
            actual = _hash(descriptor, digest)
        else:
            actual = running.hasher.hexdigest()
        if not hmac.compare_digest(actual, digest.hex):
            raise DigestMismatch(
                f"content hashes to {digest.algorithm}:{actual}, not to {digest}",
                details={"expected": str(digest), "actual": f"{digest.algorithm}:{actual}"},
            )

    def _publish(self, upload: str, descriptor: int, digest: Digest) -> Seal:
        place = self._place(digest)
        try:
            os.fchmod(descriptor, 0o440)
            os.fsync(descriptor)
        except OSError:
            # After a failed sync nobody knows what is on the disk, and a second sync would not tell.
            self.abort(upload)
            raise
        self._folders.make(place.parent)
        source = self._file(upload)
        linked = _link(source, place)
        if not linked:
            source.replace(place)
        sync_folder(place.parent)
        if linked:
            source.unlink()
        return seal_of(os.fstat(descriptor))

    def _seal(self, digest: Digest) -> Seal | None:
        try:
            return seal_of(self._place(digest).lstat())
        except FileNotFoundError:
            return None

    def _place(self, digest: Digest) -> Path:
        return self._blobs / digest.algorithm.value / digest.hex[:2] / digest.hex

    def _file(self, upload: str) -> Path:
        if _ID.match(upload) is None:
            raise _unknown(upload)
        return self._uploads / upload

    def _open(self, upload: str, mode: int = os.O_WRONLY) -> int:
        try:
            return os.open(self._file(upload), mode | _NO_FOLLOW)
        except FileNotFoundError:
            raise _unknown(upload) from None

    def _remember(self, upload: str, running: _Running) -> None:
        with self._lock:
            self._running[upload] = running
            while len(self._running) > _RUNNING:
                self._running.popitem(last=False)  # its upload is hashed again at the end

    def _take(self, upload: str, size: int) -> _Running | None:
        """Return the running hash, if it is over exactly ``size`` bytes, and forget it."""
        with self._lock:
            running = self._running.pop(upload, None)
        return running if running is not None and running.size == size else None


def _locks_readers(folder: Path) -> bool:
    """Whether the file system locks files that are open for reading alone."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno == errno.EWOULDBLOCK  # another replica asks the same in this moment
    finally:
        os.close(descriptor)
    return True


def _link(source: Path, place: Path) -> bool:
    """Give a file a second name, if that name is free and the file system can; returns whether it has it now.

    Better than renaming across folders: as long as the new name is not durable, the old one still leads to the bytes.
    """
    try:
        os.link(source, place)
    except OSError as error:
        if error.errno in {errno.EEXIST, errno.EPERM, errno.ENOTSUP, errno.EMLINK}:
            return False
        raise
    return True


def _write(descriptor: int, offset: int, chunks: Sequence[bytes], running: _Running | None) -> int:
    end = offset
    try:
        for chunk in chunks:
            if running is not None:
                running.hasher.update(chunk)
            rest = memoryview(chunk)
            while rest:
                written = os.pwrite(descriptor, rest, end)
                rest, end = rest[written:], end + written
    except BaseException:
        os.ftruncate(descriptor, offset)
        raise
    return end


def _hash(descriptor: int, digest: Digest) -> str:
    hasher, offset = digest.algorithm.hasher(), 0
    while data := os.pread(descriptor, _BATCH, offset):
        hasher.update(data)
        offset += len(data)
    return hasher.hexdigest()


def _written_at(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return float("inf")  # finished in this moment


def _unknown(upload: str) -> UploadUnknown:
    return UploadUnknown(f"there is no upload {upload[:64]!r}")
