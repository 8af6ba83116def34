"""Folders of this machine: as the content of an image layer, and as the result of a build.

Links are reported and never followed: every file is opened step by step below its root without following a link, so
that swapping a folder for a link while an image is packed cannot pull in files from elsewhere.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chainward.delivery.errors import LayoutInvalid, SourceUnreadable
from chainward.delivery.ports import NodeKind, TreeNode
from chainward.formats.layout import (
    INDEX_FILE,
    LAYOUT_FILE,
    blob_path,
    check_marker,
    decode_layout_index,
    encode_layout_index,
    encode_marker,
    named,
)
from chainward.formats.oci import MAX_MANIFEST, OCI_MANIFEST
from chainward.kernel.digest import Algorithm, Digest, DigestMismatch
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chainward.formats.oci import Descriptor

__all__ = ["FolderTree", "LayoutReader", "ResultWriter", "write_whole"]

_CHUNK: Final = 1024 * 1024
_IMAGE: Final = "image"
_NO_FOLLOW: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def write_whole(path: Path, content: bytes, *, durable: bool = False) -> None:
    """Put a file of this content in place in one step; a device or a pipe is written to instead.

    With ``durable`` it survives a power loss once this returns.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as special:
            special.write(content)
        return
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            os.fchmod(handle.fileno(), 0o666 & ~_umask())
            if durable:
                handle.flush()
                os.fsync(handle.fileno())
        Path(draft).replace(path)
        if durable:
            _sync(path.parent)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    """Return the mask for new files, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


class FolderTree:
    """The nodes below one folder; implements SourceTree."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def nodes(self) -> Iterator[TreeNode]:
        """Yield the nodes below the root, parents first, in the order of their names."""
        if not self._root.is_dir():
            raise SourceUnreadable(f"{self._root} is not a folder")
        pending = _listing(self._root, "")
        while pending:
            node = pending.pop()
            yield node
            if node.kind is NodeKind.DIRECTORY:
                pending += _listing(self._root / node.path, f"{node.path}/")

    def chunks(self, path: str) -> Iterator[bytes]:
        """Yield the content of one file."""
        try:
            descriptor = _open_below(self._root, path)
        except OSError as error:
            raise SourceUnreadable(f"{path[:200]!r} cannot be read: {error.strerror}") from error
        with os.fdopen(descriptor, "rb", buffering=0) as handle:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SourceUnreadable(f"{path[:200]!r} is no longer a file")
            while chunk := handle.read(_CHUNK):
                yield chunk


def _listing(folder: Path, prefix: str) -> list[TreeNode]:
    """Return the nodes of one folder, last name first."""
    try:
        with os.scandir(folder) as entries:
            return sorted((_node(entry, prefix) for entry in entries), key=lambda node: node.path, reverse=True)
    except OSError as error:
        raise SourceUnreadable(f"{str(folder)[:200]!r} cannot be listed: {error.strerror}") from error


def _node(entry: os.DirEntry[str], prefix: str) -> TreeNode:
    path = prefix + entry.name
    status = entry.stat(follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return TreeNode(path, NodeKind.SYMLINK, target=os.readlink(entry.path))  # noqa: PTH115 - Path would tidy the text up
    if stat.S_ISDIR(status.st_mode):
        return TreeNode(path, NodeKind.DIRECTORY)
    if stat.S_ISREG(status.st_mode):
        return TreeNode(path, NodeKind.FILE, status.st_size, executable=bool(status.st_mode & stat.S_IXUSR))
    return TreeNode(path, NodeKind.OTHER)


def _open_below(root: Path, path: str) -> int:
    """Open a file step by step from ``root``, following no link on the way."""
    *folders, name = path.split("/")
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = os.open(folder, _NO_FOLLOW | os.O_DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        return os.open(name, _NO_FOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
    finally:
        os.close(descriptor)


class ResultWriter:
    """The folder that a build leaves behind: ``image/`` (an OCI image layout) and documents beside it.

    Everything is written into a folder beside it; ``complete`` puts it in place as a whole and ``abandon`` removes it.
    Implements ResultFolder.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        target.parent.mkdir(parents=True, exist_ok=True)
        self._staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        self._blobs = self._staging / _IMAGE / "blobs" / Algorithm.SHA256.value

    @property
    def places(self) -> tuple[Path, Path]:
        """Where the result will be, and where it grows meanwhile."""
        return self._target, self._staging

    def put(self, chunks: Iterable[bytes]) -> tuple[Digest, int]:
        """Keep a blob of the image."""
        self._blobs.mkdir(parents=True, exist_ok=True)
        hasher, size = hashlib.sha256(), 0
        descriptor, name = tempfile.mkstemp(dir=self._staging)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                for chunk in chunks:
                    hasher.update(chunk)
                    size += len(chunk)
                    handle.write(chunk)
            Path(name).chmod(0o644)
            Path(name).replace(self._blobs / hasher.hexdigest())
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return Digest(Algorithm.SHA256, hasher.hexdigest()), size

    def index(self, manifest: Descriptor, name: str) -> None:
        """Write the entry document of the image layout, which names the manifest ``name``."""
        self.write(f"{_IMAGE}/{LAYOUT_FILE}", encode_marker())
        self.write(f"{_IMAGE}/{INDEX_FILE}", encode_layout_index((named(manifest, name),)))

    def write(self, name: str, content: bytes) -> None:
        """Write one document."""
        (self._staging / name).write_bytes(content)

    def append(self, name: str, content: bytes) -> None:
        """Add to one document."""
        with (self._staging / name).open("ab") as handle:
            handle.write(content)

    def complete(self) -> None:
        """Put the folder in place; what stood there goes, and only once the new one can come."""
        self._staging.chmod(0o755)
        if not self._target.exists():
            self._staging.rename(self._target)
            return
        former = Path(tempfile.mkdtemp(prefix=f".{self._target.name}.", dir=self._target.parent))
        self._target.rename(former / "former")
        try:
            self._staging.rename(self._target)
        except OSError:
            (former / "former").rename(self._target)
            former.rmdir()
            raise
        shutil.rmtree(former)

    def abandon(self) -> None:
        """Remove everything that was written."""
        shutil.rmtree(self._staging, ignore_errors=True)


class LayoutReader:
    """An OCI image layout with one image in it; implements ImageLayout. Every blob is hashed while it is read."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def manifest(self) -> tuple[Descriptor, bytes]:
        """Return descriptor and bytes of the one manifest; raises LayoutInvalid or DigestMismatch."""
        try:
            check_marker(_beginning(self._root / LAYOUT_FILE))
            (descriptor,) = decode_layout_index(_beginning(self._root / INDEX_FILE))
        except (OSError, ValueError, Problem) as error:
            raise LayoutInvalid(f"{self._root} is not an image layout with one image: {error}") from error
        if descriptor.media_type != OCI_MANIFEST or descriptor.size > MAX_MANIFEST:
            raise LayoutInvalid(f"{self._root} does not name an OCI image manifest of at most {MAX_MANIFEST} bytes")
        return descriptor, b"".join(self.chunks(descriptor.digest))

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        """Yield a blob; raises DigestMismatch at its end if the bytes are not those that the digest names."""
        hasher = digest.algorithm.hasher()
        try:
            descriptor = _open_regular(self._root / blob_path(digest))
            with os.fdopen(descriptor, "rb", buffering=0) as handle:
                while chunk := handle.read(_CHUNK):
                    hasher.update(chunk)
                    yield chunk
        except OSError as error:
            raise LayoutInvalid(f"the layout lacks the blob {digest}") from error
        if hasher.hexdigest() != digest.hex:
            raise DigestMismatch(f"the blob {digest} of the layout was changed")


def _beginning(path: Path) -> bytes:
    """Return a document, or as much of it as shows its reader that it is too long."""
    with os.fdopen(_open_regular(path), "rb") as handle:
        return handle.read(MAX_MANIFEST + 1)


def _open_regular(path: Path) -> int:
    """Open a regular file without waiting for the other end of a pipe; raises OSError for anything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor
