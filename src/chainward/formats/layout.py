"""OCI image layouts: the files in which an image lies in a folder or archive.

Follows image-spec 1.1.1, image-layout.md: the marker ``oci-layout``, the entry point ``index.json``, and blobs under
``blobs/<algorithm>/<hex>``. This module knows names and contents; reading and writing folders belongs to adapters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from chainward.formats.codec import canonical_json, decode_json
from chainward.formats.errors import Unsupported
from chainward.formats.oci import OCI_INDEX, Descriptor, Manifest, decode_manifest, encode_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainward.kernel.digest import Digest

__all__ = [
    "INDEX_FILE",
    "LAYOUT_FILE",
    "LAYOUT_VERSION",
    "REF_NAME",
    "blob_path",
    "check_marker",
    "decode_layout_index",
    "encode_layout_index",
    "encode_marker",
    "named",
]

LAYOUT_FILE: Final = "oci-layout"
INDEX_FILE: Final = "index.json"
LAYOUT_VERSION: Final = "1.0.0"
REF_NAME: Final = "org.opencontainers.image.ref.name"
_MAX_MARKER: Final = 4096
_WHAT: Final = "oci layout"


class _Marker(msgspec.Struct, frozen=True, rename="camel"):
    image_layout_version: str


def blob_path(digest: Digest) -> str:
    """Return where a blob lies within a layout.

    >>> from chainward.kernel.digest import Algorithm, Digest
    >>> blob_path(Digest(Algorithm.SHA256, "ab" * 32))[:16]
    'blobs/sha256/aba'
    """
    return f"blobs/{digest.algorithm.value}/{digest.hex}"


def encode_marker() -> bytes:
    """Return the content of ``oci-layout``."""
    return canonical_json({"imageLayoutVersion": LAYOUT_VERSION})


def check_marker(data: bytes) -> None:
    """Read the content of ``oci-layout``; raises TooLarge, Malformed, or Unsupported for another version."""
    marker = decode_json(data, _Marker, limit=_MAX_MARKER, what=_WHAT)
    if marker.image_layout_version != LAYOUT_VERSION:
        raise Unsupported(_WHAT, f"version {marker.image_layout_version[:40]!r} is not {LAYOUT_VERSION}")


def named(descriptor: Descriptor, name: str) -> Descriptor:
    """Return ``descriptor`` under ``name``, as tools look for it in ``index.json``."""
    return replace(descriptor, annotations={**descriptor.annotations, REF_NAME: name})


def encode_layout_index(manifests: Iterable[Descriptor]) -> bytes:
    """Return the content of ``index.json``."""
    return encode_manifest(Manifest(media_type=OCI_INDEX, manifests=tuple(manifests)))


def decode_layout_index(data: bytes) -> tuple[Descriptor, ...]:
    """Read ``index.json``; raises as :func:`~chainward.formats.oci.decode_manifest` does."""
    return decode_manifest(data, OCI_INDEX).manifests
