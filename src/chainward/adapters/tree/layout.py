"""An image from an OCI image layout on disk (image-spec 1.1.1, image-layout.md)."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Final

from chainward.adapters.tree.image import ImageTree
from chainward.formats.layout import INDEX_FILE, LAYOUT_FILE, REF_NAME, blob_path, check_marker, decode_layout_index
from chainward.formats.oci import MANIFEST_TYPES, MAX_MANIFEST, decode_manifest
from chainward.sbom.errors import AmbiguousImage, TreeUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from chainward.adapters.tree.limits import Limits
    from chainward.formats.oci import Descriptor, Manifest
    from chainward.kernel.digest import Digest
    from chainward.sbom.ports import BlobReader

__all__ = ["LayoutBlobs", "image_in_layout"]

_MAX_DEPTH: Final = 4
_MAX_MARKER: Final = 4096
_REGULAR: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # so that nobody waits for the other end of a pipe


class LayoutBlobs:
    """The blobs of an image layout; a blob's name is not believed, whoever reads it compares the digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob; raises ``TreeUnreadable`` when the layout does not have it."""
        path = self._folder / blob_path(digest)
        try:
            return _opened(path)
        except OSError as error:
            raise TreeUnreadable(f"the layout has no readable blob {digest}: {error.strerror}") from None


def image_in_layout(
    folder: Path, *, digest: Digest | None = None, name: str = "", limits: Limits | None = None
) -> tuple[Digest, ImageTree]:
    """Find one image in a layout: by the digest of its manifest, by its name, or the only one there is.

    Raises:
        AmbiguousImage: there are several.
        TreeUnreadable: there is none, or the layout is broken.
    """
    blobs = LayoutBlobs(folder)
    try:
        check_marker(_beginning(folder / LAYOUT_FILE, _MAX_MARKER))
        listed = decode_layout_index(_beginning(folder / INDEX_FILE, MAX_MANIFEST))
    except OSError as error:
        raise TreeUnreadable(f"{folder} is not an image layout: {error.strerror}") from None
    named = [found for found in listed if not name or found.annotations.get(REF_NAME) == name]
    images = dict(_images(named, blobs, _MAX_DEPTH, set()))
    if digest is not None:
        images = {found: manifest for found, manifest in images.items() if found == digest}
    if not images:
        raise TreeUnreadable(f"the layout {folder} has no such image")
    if len(images) > 1:
        raise AmbiguousImage(
            f"the layout {folder} has {len(images)} images", details={"digests": sorted(map(str, images))}
        )
    ((found, manifest),) = images.items()
    return found, ImageTree(manifest, blobs, limits=limits)


def _images(
    listed: Iterable[Descriptor], blobs: BlobReader, depth: int, seen: set[Digest]
) -> Iterator[tuple[Digest, Manifest]]:
    """Give every image once; an index that is listed a thousand times is read once."""
    for descriptor in listed:
        if descriptor.media_type not in MANIFEST_TYPES or _is_attestation(descriptor) or descriptor.digest in seen:
            continue
        seen.add(descriptor.digest)
        manifest = _manifest(descriptor, blobs)
        if not manifest.is_index:
            yield descriptor.digest, manifest
        elif depth == 0:
            raise TreeUnreadable("the layout nests indexes too deeply")
        else:
            yield from _images(manifest.manifests, blobs, depth - 1, seen)


def _is_attestation(descriptor: Descriptor) -> bool:
    # BuildKit lists its attestations beside the images, for a platform that does not exist.
    return descriptor.platform is not None and descriptor.platform.os == "unknown"


def _manifest(descriptor: Descriptor, blobs: BlobReader) -> Manifest:
    with closing(blobs.open(descriptor.digest)) as blob:
        body = blob.read(MAX_MANIFEST + 1)
    descriptor.digest.verify(body)
    return decode_manifest(body, descriptor.media_type)


def _beginning(path: Path, limit: int) -> bytes:
    """Return a document, or as much of it as shows its reader that it is longer than ``limit``."""
    with _opened(path) as file:
        return file.read(limit + 1)


def _opened(path: Path) -> BinaryIO:
    """Open a regular file; raises OSError for anything else."""
    descriptor = os.open(path, _REGULAR)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(descriptor, "rb")
