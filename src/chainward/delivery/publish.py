"""Publishing: image and evidence go into a registry, and the tag comes last.

In: an image layout and what is to stand beside it. Out: the digests that the registry confirmed. Whoever sees the tag
sees the evidence: layers first, then the manifest by its digest, then every referrer, then the tag (OCI
distribution-spec 1.1.1, "Pushing Manifests"). Publishing the same again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.attest.attach import bundle_artifact, sbom_artifact
from chainward.delivery.errors import BundleUnfit, LayoutInvalid
from chainward.delivery.referrer import put_artifact
from chainward.formats.bundle import decode_bundle
from chainward.formats.intoto import decode_statement
from chainward.formats.oci import decode_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainward.delivery.ports import ImageLayout, RegistryClient
    from chainward.formats.oci import Descriptor
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName, Tag

__all__ = ["Published", "predicate_type_of", "publish"]


@dataclass(frozen=True, slots=True)
class Published:
    """An image in a registry, with the manifests of what was attached to it."""

    digest: Digest
    attachments: tuple[Digest, ...]


def publish(
    client: RegistryClient,
    repository: RepositoryName,
    tag: Tag | None,
    layout: ImageLayout,
    *,
    bundles: Sequence[bytes] = (),
    sboms: Sequence[bytes] = (),
    progress: Callable[[str, int], None] = lambda _what, _size: None,
) -> Published:
    """Push an image with its evidence; ``progress`` hears of every blob, and of its size, before it is sent.

    Raises:
        LayoutInvalid: the layout is not complete.
        DigestMismatch: a blob of the layout was changed; the registry refuses it as well.
        BundleUnfit: a bundle holds no statement about this image, so it would be no evidence.
    """
    subject, body = layout.manifest()
    manifest = decode_manifest(body, subject.media_type)
    if manifest.config is None:
        raise LayoutInvalid("the layout does not hold an image")
    artifacts = [bundle_artifact(bundle, predicate_type_of(bundle, subject.digest), subject) for bundle in bundles]
    artifacts += [sbom_artifact(sbom, subject) for sbom in sboms]
    for blob in {each.digest: each for each in (manifest.config, *manifest.layers)}.values():
        _push_blob(client, repository, layout, blob, progress)
    digest = client.put_manifest(repository, str(subject.digest), subject.media_type, body)
    attached = tuple(put_artifact(client, repository, artifact) for artifact in artifacts)
    if tag is not None:
        client.put_manifest(repository, str(tag), subject.media_type, body)
    return Published(digest, attached)


def predicate_type_of(bundle: bytes, subject: Digest) -> str:
    """Return what kind of statement a bundle claims to hold; the claim serves for finding and is not verified.

    Raises:
        BundleUnfit: it holds no statement, or one about something else.
    """
    envelope = decode_bundle(bundle).envelope
    if envelope is None:
        raise BundleUnfit("the bundle signs a file and holds no statement")
    statement = decode_statement(envelope.payload)
    if not statement.is_about(subject):
        raise BundleUnfit(f"the statement in the bundle is not about {subject}")
    return statement.predicate_type


def _push_blob(
    client: RegistryClient,
    repository: RepositoryName,
    layout: ImageLayout,
    blob: Descriptor,
    progress: Callable[[str, int], None],
) -> None:
    if client.has_blob(repository, blob.digest):
        return
    progress(str(blob.digest), blob.size)
    client.put_blob(repository, blob.digest, blob.size, layout.chunks(blob.digest))
