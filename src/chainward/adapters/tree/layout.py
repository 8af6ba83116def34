"""An image from an OCI image layout on disk (image-spec 1.1.1, image-layout.md)."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from chainward.adapters.tree.image import ImageTree
from chainward.formats.layout import INDEX_FILE, LAYOUT_FILE, REF_NAME, blob_path, check_marker, decode_layout_index
from chainward.formats.oci import MANIFEST_TYPES, MAX_MANIFEST, decode_manifest
from chainward.sbom.errors import AmbiguousImage, TreeUnreadable

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from chainward.adapters.tree.limits import Limits
    from chainward.formats.oci import Descriptor, Manifest
    from chainward.kernel.digest import Digest
    from chainward.sbom.ports import BlobReader

__all__ = ["LayoutBlobs", "image_in_layout"]

_MAX_DEPTH: Final = 4


class LayoutBlobs:
    """The blobs of an image layout; a blob's name is not believed, whoever reads it compares the digest."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob; raises ``TreeUnreadable`` when the layout does not have it."""
        path = self._folder / blob_path(digest)
        try:
            return path.open("rb")
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
        check_marker((folder / LAYOUT_FILE).read_bytes())
        listed = decode_layout_index((folder / INDEX_FILE).read_bytes())
    except OSError as error:
        raise TreeUnreadable(f"{folder} is not an image layout: {error.strerror}") from None
    named = [found for found in listed if not name or found.annotations.get(REF_NAME) == name]
    images = {found.digest: manifest for found, manifest in _images(named, blobs, _MAX_DEPTH)}
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


def _images(listed: list[Descriptor], blobs: BlobReader, depth: int) -> list[tuple[Descriptor, Manifest]]:
    images: list[tuple[Descriptor, Manifest]] = []
    for descriptor in listed:
        if descriptor.media_type not in MANIFEST_TYPES or _is_attestation(descriptor):
            continue
        manifest = _manifest(descriptor, blobs)
        if not manifest.is_index:
            images.append((descriptor, manifest))
        elif depth == 0:
            raise TreeUnreadable("the layout nests indexes too deeply")
        else:
            images.extend(_images(list(manifest.manifests), blobs, depth - 1))
    return images


def _is_attestation(descriptor: Descriptor) -> bool:
    # BuildKit lists its attestations beside the images, for a platform that does not exist.
    return descriptor.platform is not None and descriptor.platform.os == "unknown"


def _manifest(descriptor: Descriptor, blobs: BlobReader) -> Manifest:
    with closing(blobs.open(descriptor.digest)) as blob:
        body = blob.read(MAX_MANIFEST + 1)
    descriptor.digest.verify(body)
    return decode_manifest(body, descriptor.media_type)
