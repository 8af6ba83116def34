"""OCI manifests and indexes, and their Docker schema 2 twins: descriptors in, digests out.

Follows image-spec 1.1.1 (descriptor.md, manifest.md, image-index.md) and Docker's "Image Manifest Version 2, Schema 2".
In: the bytes of a manifest and the media type under which they came. Out: a :class:`Manifest`; unknown members are
skipped, because the specification says so, and the digest of a manifest is always taken over the bytes that came in.

A document cannot be read as two things: the ``mediaType`` inside must agree with the one outside, an index has no
``config`` or ``layers``, a manifest has no ``manifests`` (CVE-2021-41190).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import decode_base64, decode_json, deterministic_json, encode_base64, without_empty
from chainward.formats.errors import Malformed, Unsupported, Unwritable
from chainward.formats.image_config import History, ImageConfig, decode_image_config, encode_image_config
from chainward.kernel.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "DOCKER_CONFIG",
    "DOCKER_LAYER_GZIP",
    "DOCKER_MANIFEST",
    "DOCKER_MANIFEST_LIST",
    "EMPTY_BLOB",
    "EMPTY_CONFIG",
    "EMPTY_DESCRIPTOR",
    "MANIFEST_TYPES",
    "MAX_MANIFEST",
    "OCI_CONFIG",
    "OCI_INDEX",
    "OCI_LAYER",
    "OCI_LAYER_GZIP",
    "OCI_MANIFEST",
    "Descriptor",
    "History",
    "ImageConfig",
    "Manifest",
    "Platform",
    "blob_digests",
    "child_digests",
    "decode_image_config",
    "decode_manifest",
    "encode_image_config",
    "encode_manifest",
]

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY_CONFIG: Final = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"

MANIFEST_TYPES: Final = frozenset({OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_MANIFEST_LIST})
_INDEX_TYPES: Final = frozenset({OCI_INDEX, DOCKER_MANIFEST_LIST})
_DOCKER_SCHEMA_1: Final = "application/vnd.docker.distribution.manifest.v1+"
_TYPE: Final = re.compile(r"[!-~][ -~]{0,254}\Z")
_MOST_BYTES: Final = 1 << 63
_NOT_DISTRIBUTED: Final = (
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
)

MAX_MANIFEST: Final = 4 * 1024 * 1024  # distribution-spec 1.1.1, "Pushing Manifests"
_WHAT: Final = "manifest"
EMPTY_BLOB: Final = b"{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What an image of an index runs on."""

    architecture: str
    os: str
    variant: str | None = None
    os_version: str | None = None
    os_features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Content by digest: its type, its size, and what else is said about it."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    data: bytes | None = None
    urls: tuple[str, ...] = ()
    platform: Platform | None = None

    @classmethod
    def of(cls, data: bytes, media_type: str) -> Descriptor:
        """Describe ``data``."""
        return cls(media_type, Digest.of(data), len(data))


EMPTY_DESCRIPTOR: Final = Descriptor(EMPTY_CONFIG, Digest.of(EMPTY_BLOB), len(EMPTY_BLOB))


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image or artifact manifest (``config`` and ``layers``), or an index (``manifests``)."""

    media_type: str
    artifact_type: str | None = None
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_index(self) -> bool:
        """Whether this lists other manifests."""
        return self.media_type in _INDEX_TYPES

    @property
    def effective_artifact_type(self) -> str | None:
        """What the referrers API calls ``artifactType``: its own member, else the media type of the config."""
        return self.artifact_type or (self.config.media_type if self.config else None)


class _WirePlatform(msgspec.Struct, frozen=True, kw_only=True):
    architecture: str
    os: str
    variant: str | None = None
    os_version: str | None = msgspec.field(name="os.version", default=None)
    os_features: tuple[str, ...] | None = msgspec.field(name="os.features", default=None)


class _WireDescriptor(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    media_type: str
    digest: str
    size: int
    annotations: dict[str, str] | None = None
    artifact_type: str | None = None
    data: str | None = None
    urls: tuple[str, ...] | None = None
    platform: _WirePlatform | None = None

    def value(self) -> Descriptor:
        digest = Digest.parse(self.digest)
        if not 0 <= self.size < _MOST_BYTES:
            raise Malformed(_WHAT, f"the size of {digest} is negative or beyond 64 bits")
        if not self.media_type:
            raise Malformed(_WHAT, f"{digest} has no media type")
        return Descriptor(
            _type(self.media_type),
            digest,
            self.size,
            self.annotations or {},
            _type(self.artifact_type) if self.artifact_type else None,
            None if self.data is None else _embedded(self.data, digest, self.size),
            tuple(self.urls or ()),
            None if self.platform is None else _platform(self.platform),
        )


class _WireManifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    schema_version: int
    media_type: str | None = None
    artifact_type: str | None = None
    config: _WireDescriptor | None = None
    layers: tuple[_WireDescriptor, ...] | msgspec.UnsetType | None = msgspec.UNSET
    manifests: tuple[_WireDescriptor, ...] | msgspec.UnsetType | None = msgspec.UNSET
    fs_layers: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    subject: _WireDescriptor | None = None
    annotations: dict[str, str] | None = None


def decode_manifest(body: bytes, media_type: str) -> Manifest:
    """Read a manifest or index that came as ``media_type`` (without parameters).

    Raises:
        TooLarge: more than 4 MiB.
        Unsupported: another media type, Docker schema 1 among them.
        Malformed: not what ``media_type`` says.
        InvalidDigest: a digest that is none, or of an algorithm that is not accepted.
    """
    if media_type not in MANIFEST_TYPES:
        what = "Docker schema 1" if media_type.startswith(_DOCKER_SCHEMA_1) else repr(media_type[:120])
        raise Unsupported(_WHAT, f"{what} is not accepted", hint="Push an OCI or Docker schema 2 manifest or index.")
    wire = decode_json(body, _WireManifest, limit=MAX_MANIFEST, what=_WHAT, depth=None)
    _check_version(wire, media_type)
    if media_type in _INDEX_TYPES:
        return _index(wire, media_type)
    return _manifest(wire, media_type)


def encode_manifest(manifest: Manifest) -> bytes:
    """Write ``manifest``; equal manifests give equal bytes, so equal digests.

    Raises:
        Unwritable: a member that this kind of manifest does not have, or none of those it must have.
    """
    if manifest.is_index and (manifest.config or manifest.layers):
        raise Unwritable(_WHAT, "an index has no config and no layers")
    if not manifest.is_index and (manifest.config is None or manifest.manifests):
        raise Unwritable(_WHAT, "a manifest has a config and no manifests")
    members: dict[str, Any] = {"schemaVersion": 2, "mediaType": manifest.media_type}
    if manifest.is_index:
        members["manifests"] = [_descriptor_members(child) for child in manifest.manifests]
    elif manifest.config:
        members["config"] = _descriptor_members(manifest.config)
        members["layers"] = [_descriptor_members(layer) for layer in manifest.layers]
    if manifest.subject:
        members["subject"] = _descriptor_members(manifest.subject)
    optional = {"artifactType": manifest.artifact_type, "annotations": dict(manifest.annotations)}
    return deterministic_json(members | without_empty(optional))


def blob_digests(manifest: Manifest) -> tuple[Digest, ...]:
    """Digests of the blobs that a registry must hold beside this manifest, each once, in order.

    Layers that may not be redistributed are left out: they stay with their owner.
    """
    blobs = [manifest.config] if manifest.config else []
    blobs += [layer for layer in manifest.layers if not layer.media_type.startswith(_NOT_DISTRIBUTED)]
    return _each_once(blobs)


def child_digests(manifest: Manifest) -> tuple[Digest, ...]:
    """Digests of the manifests that an index lists, each once, in order."""
    return _each_once(manifest.manifests)


def _each_once(descriptors: Iterable[Descriptor]) -> tuple[Digest, ...]:
    return tuple(dict.fromkeys(descriptor.digest for descriptor in descriptors))


def _check_version(wire: _WireManifest, media_type: str) -> None:
    if wire.schema_version != 2:  # noqa: PLR2004 - the only version there is, in both specifications
        raise Unsupported(_WHAT, f"schemaVersion {wire.schema_version} is not accepted")
    if wire.fs_layers is not msgspec.UNSET:
        raise Malformed(_WHAT, "fsLayers belong to Docker schema 1")
    is_docker = media_type in {DOCKER_MANIFEST, DOCKER_MANIFEST_LIST}
    if wire.media_type != media_type and (wire.media_type is not None or is_docker):
        inside = "nothing" if wire.media_type is None else repr(wire.media_type[:120])
        raise Malformed(_WHAT, f"mediaType says {inside}, its content type says {media_type!r}")


def _index(wire: _WireManifest, media_type: str) -> Manifest:
    if wire.config is not None or wire.layers is not msgspec.UNSET:
        raise Malformed(_WHAT, "an index has no config and no layers")
    if wire.manifests is msgspec.UNSET:
        raise Malformed(_WHAT, "an index has manifests")
    return Manifest(
        media_type=media_type,
        artifact_type=_type(wire.artifact_type) if wire.artifact_type else None,
        manifests=tuple(child.value() for child in wire.manifests or ()),
        subject=wire.subject.value() if wire.subject else None,
        annotations=wire.annotations or {},
    )


def _manifest(wire: _WireManifest, media_type: str) -> Manifest:
    if wire.manifests is not msgspec.UNSET:
        raise Malformed(_WHAT, "only an index has manifests")
    if wire.config is None:
        raise Malformed(_WHAT, "a manifest has a config")
    return Manifest(
        media_type=media_type,
        artifact_type=_type(wire.artifact_type) if wire.artifact_type else None,
        config=wire.config.value(),
        layers=tuple(layer.value() for layer in wire.layers or ()),
        subject=wire.subject.value() if wire.subject else None,
        annotations=wire.annotations or {},
    )


def _type(text: str) -> str:
    """Return a media type, which is a line of ASCII; tolerant of what RFC 6838 does not allow, as registries are."""
    if _TYPE.match(text) is None:
        raise Malformed(_WHAT, f"{text[:80]!r} is not a media type")
    return text


def _embedded(text: str, digest: Digest, size: int) -> bytes:
    data = decode_base64(text, what=_WHAT)
    if len(data) != size:
        raise Malformed(_WHAT, f"the data embedded for {digest} has {len(data)} bytes, not {size}")
    digest.verify(data)
    return data


def _platform(wire: _WirePlatform) -> Platform:
    return Platform(
        architecture=wire.architecture,
        os=wire.os,
        variant=wire.variant,
        os_version=wire.os_version,
        os_features=tuple(wire.os_features or ()),
    )


def _descriptor_members(descriptor: Descriptor) -> dict[str, Any]:
    members: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    optional = {
        "annotations": dict(descriptor.annotations),
        "artifactType": descriptor.artifact_type,
        "data": None if descriptor.data is None else encode_base64(descriptor.data),
        "urls": list(descriptor.urls),
        "platform": None if descriptor.platform is None else _platform_members(descriptor.platform),
    }
    return members | without_empty(optional)


def _platform_members(platform: Platform) -> dict[str, Any]:
    optional = {
        "variant": platform.variant,
        "os.version": platform.os_version,
        "os.features": list(platform.os_features),
    }
    return {"architecture": platform.architecture, "os": platform.os} | without_empty(optional)
