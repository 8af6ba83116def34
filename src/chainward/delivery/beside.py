"""What stands beside an image in any registry: bundles as referrers, and signatures under the tags of old.

In: a registry to read from and the digest of an image. Out: all that claims to be a signature or an attestation, not
verified. Bundles are found through the referrers of the image, or, where the registry keeps no list of them, through
the index under the tag ``sha256-<hex>`` (distribution-spec 1.1.1, "Referrers Tag Schema"); legacy layers under
``sha256-<hex>.sig`` and ``.att``. A tag proves nothing and neither does a list: what is found there is verified against
the digest of the image, and what somebody hid can only be missing.

Bounded: 256 manifests and 256 layers of 4 MiB; what is beyond is not read, and cannot speak for the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.delivery.referrer import MAX_BUNDLE, is_bundle
from chainward.formats.cosign import MAX_LEGACY_LAYER, LegacyLayer, fallback_tag, legacy_tags
from chainward.formats.oci import OCI_INDEX, decode_manifest
from chainward.kernel.digest import Digest
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chainward.delivery.ports import ImageSource
    from chainward.formats.oci import Manifest
    from chainward.kernel.name import RepositoryName

__all__ = ["Found", "Unreadable", "found_beside"]

_MOST: Final = 256


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that lies there as evidence and cannot be had, with the reason."""

    where: str
    problem: Problem


Found = bytes | LegacyLayer | Unreadable
"""A bundle, a layer of a legacy tag, or why there is neither."""


def found_beside(source: ImageSource, repository: RepositoryName, digest: Digest) -> Iterator[Found]:
    """Yield every bundle and every legacy layer beside the image ``digest``.

    Raises:
        Problem: the registry cannot be read at all; nothing can be said about the image then.
    """
    for referrer in _bundle_manifests(source, repository, digest)[:_MOST]:
        yield from _bundles_in(source, repository, referrer)
    for tag in legacy_tags(digest):
        yield from _layers_under(source, repository, tag)


def _bundle_manifests(source: ImageSource, repository: RepositoryName, digest: Digest) -> Sequence[Digest]:
    try:
        listed = source.referrers(repository, digest)
    except Problem as problem:
        if problem.kind is not Kind.NOT_FOUND:
            raise
        return _under_fallback_tag(source, repository, digest)
    named = [each for each in listed if is_bundle(each.get("artifactType"))]
    return [Digest.parse(str(each.get("digest"))) for each in named]


def _under_fallback_tag(source: ImageSource, repository: RepositoryName, digest: Digest) -> Sequence[Digest]:
    manifest = _manifest_at(source, repository, fallback_tag(digest))
    if manifest is None or manifest.media_type != OCI_INDEX:
        return ()
    # Old clients leave out the artifact type of a descriptor; then what lies behind it tells.
    return [each.digest for each in manifest.manifests if not each.artifact_type or is_bundle(each.artifact_type)]


def _bundles_in(source: ImageSource, repository: RepositoryName, referrer: Digest) -> Iterator[Found]:
    try:
        media_type, body = source.get_manifest(repository, str(referrer))
        referrer.verify(body)
        manifest = decode_manifest(body, media_type)
        if not is_bundle(manifest.effective_artifact_type):
            return
        for layer in manifest.layers[:_MOST]:
            yield source.get_blob(repository, layer.digest, MAX_BUNDLE)
    except Problem as problem:
        yield Unreadable(str(referrer), problem)


def _layers_under(source: ImageSource, repository: RepositoryName, tag: str) -> Iterator[Found]:
    try:
        manifest = _manifest_at(source, repository, tag)
        for layer in manifest.layers[:_MOST] if manifest is not None else ():
            content = source.get_blob(repository, layer.digest, MAX_LEGACY_LAYER)
            yield LegacyLayer(layer.media_type, content, layer.annotations)
    except Problem as problem:
        yield Unreadable(tag, problem)


def _manifest_at(source: ImageSource, repository: RepositoryName, tag: str) -> Manifest | None:
    try:
        media_type, body = source.get_manifest(repository, tag)
    except Problem as problem:
        if problem.kind is Kind.NOT_FOUND:
            return None
        raise
    return decode_manifest(body, media_type)
