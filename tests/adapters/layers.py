"""Layers, images and layouts made by hand, with the standard library's tar writer or byte by byte."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from chainward.formats.layout import blob_path
from chainward.formats.oci import OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor, Manifest
from chainward.kernel.digest import Digest
from chainward.sbom.errors import TreeUnreadable

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

FOLDER, LINK, HARD_LINK = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def tar(*members: tuple[str, bytes] | tuple[str, bytes, str], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Write (name, content) for files and (name, type, target) for anything else."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for member in members:
            info = tarfile.TarInfo(member[0])
            if len(member) == 3:
                info.type, info.linkname = member[1], member[2]
                archive.addfile(info)
            else:
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


class MemoryBlobs:
    """Blobs by digest; counts how often each is opened."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.opened: list[Digest] = []

    def add(self, data: bytes) -> Digest:
        digest = Digest.of(data)
        self.blobs[digest] = data
        return digest

    def open(self, digest: Digest) -> BinaryIO:
        if digest not in self.blobs:
            raise TreeUnreadable(f"no blob {digest}")
        self.opened.append(digest)
        return io.BytesIO(self.blobs[digest])


def image(blobs: MemoryBlobs, *layers: bytes, compress: bool = True) -> Manifest:
    """Store layers, and return the manifest of the image that they make."""
    stored = [gzip.compress(layer, mtime=0) if compress else layer for layer in layers]
    kind = OCI_LAYER_GZIP if compress else OCI_LAYER
    return Manifest(
        media_type=OCI_MANIFEST,
        layers=tuple(Descriptor(kind, blobs.add(layer), len(layer)) for layer in stored),
    )


def manifest_json(manifest: Manifest) -> bytes:
    """The manifest as a file, with an empty configuration."""
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": str(Digest.of(b"{}")), "size": 2}
    layers = [
        {"mediaType": found.media_type, "digest": str(found.digest), "size": found.size} for found in manifest.layers
    ]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}).encode()


def write_layout(folder: Path, blobs: MemoryBlobs, manifests: list[dict[str, Any]]) -> None:
    """Write blobs, marker and index of a layout."""
    folder.mkdir(exist_ok=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
    for digest, data in blobs.blobs.items():
        path = folder / blob_path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
