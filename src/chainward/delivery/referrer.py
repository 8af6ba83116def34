"""Evidence as it lies in a registry: a referrer with one layer.

In: an artifact that :mod:`chainward.attest.attach` made, to be put; or a stored manifest, of which the one layer is
asked for (image-spec 1.1.1, manifest.md, "Guidelines for Artifact Usage").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.delivery.errors import EvidenceTooLarge, EvidenceUnreadable
from chainward.formats.oci import OCI_MANIFEST, decode_manifest
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from chainward.attest.attach import Artifact
    from chainward.delivery.ports import RegistryClient
    from chainward.formats.oci import Descriptor
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.registry.model import StoredManifest

__all__ = ["BUNDLES", "MAX_BUNDLE", "bundle_layer", "is_bundle", "put_artifact"]

MAX_BUNDLE: Final = 4 * 1024 * 1024
BUNDLES: Final = "application/vnd.dev.sigstore.bundle"


def put_artifact(client: RegistryClient, repository: RepositoryName, artifact: Artifact) -> Digest:
    """Put an artifact with its blobs and return the digest of its manifest; twice is as good as once."""
    for descriptor, content in artifact.blobs:
        if not client.has_blob(repository, descriptor.digest):
            client.put_blob(repository, descriptor.digest, descriptor.size, (content,))
    return client.put_manifest(repository, str(artifact.descriptor.digest), OCI_MANIFEST, artifact.manifest)


def is_bundle(artifact_type: str | None) -> bool:
    """Whether a referrer says that it holds a Sigstore bundle, of any version."""
    return artifact_type is not None and artifact_type.startswith(BUNDLES)


def bundle_layer(stored: StoredManifest) -> Descriptor:
    """Return the one layer of a stored bundle.

    Raises:
        EvidenceUnreadable: the manifest does not hold exactly one.
        EvidenceTooLarge: the bundle has more than 4 MiB.
    """
    try:
        (layer,) = decode_manifest(stored.body, stored.media_type).layers
    except (Problem, ValueError) as error:
        raise EvidenceUnreadable(f"the referrer {stored.digest} does not hold one bundle: {error}") from error
    if layer.size > MAX_BUNDLE:
        raise EvidenceTooLarge(f"the bundle in {stored.digest} has {layer.size} bytes, at most {MAX_BUNDLE} are read")
    return layer
