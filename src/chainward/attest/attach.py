"""Evidence beside its subject: the OCI artifact manifest that carries a bundle or an SBOM as a referrer.

Follows OCI image-spec 1.1.1 (manifest.md, "Guidelines for Artifact Usage": empty config, ``artifactType``, ``subject``)
and the annotations by which cosign 3 and sigstore-go find bundles. Pure: the same content beside the same subject gives
the same manifest, so attaching twice changes nothing. The annotations are for finding; what is in a bundle is known
once it is verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.formats.bundle import BUNDLE_V03
from chainward.formats.oci import EMPTY_BLOB, EMPTY_DESCRIPTOR, OCI_MANIFEST, Descriptor, Manifest, encode_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ANNOTATION_CONTENT", "ANNOTATION_PREDICATE", "SBOM_TYPE", "Artifact", "bundle_artifact", "sbom_artifact"]

SBOM_TYPE: Final = "application/vnd.cyclonedx+json"
ANNOTATION_CONTENT: Final = "dev.sigstore.bundle.content"
ANNOTATION_PREDICATE: Final = "dev.sigstore.bundle.predicateType"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A manifest as bytes, its descriptor, and the blobs that must be in the registry before it."""

    descriptor: Descriptor
    manifest: bytes
    blobs: tuple[tuple[Descriptor, bytes], ...]


def bundle_artifact(bundle: bytes, predicate_type: str, subject: Descriptor) -> Artifact:
    """Return the artifact that carries a Sigstore bundle with a statement of ``predicate_type`` about ``subject``."""
    annotations = {ANNOTATION_CONTENT: "dsse-envelope", ANNOTATION_PREDICATE: predicate_type}
    return _artifact(bundle, BUNDLE_V03, subject, annotations)


def sbom_artifact(bom: bytes, subject: Descriptor) -> Artifact:
    """Return the artifact that carries a CycloneDX document as it is; the signed statement travels in a bundle."""
    return _artifact(bom, SBOM_TYPE, subject, {})


def _artifact(content: bytes, artifact_type: str, subject: Descriptor, annotations: Mapping[str, str]) -> Artifact:
    layer = Descriptor.of(content, artifact_type)
    manifest = encode_manifest(
        Manifest(
            media_type=OCI_MANIFEST,
            artifact_type=artifact_type,
            config=EMPTY_DESCRIPTOR,
            layers=(layer,),
            # A subject is named by type, digest and size alone: its annotations would make it another manifest.
            subject=Descriptor(subject.media_type, subject.digest, subject.size),
            annotations=annotations,
        )
    )
    return Artifact(Descriptor.of(manifest, OCI_MANIFEST), manifest, ((EMPTY_DESCRIPTOR, EMPTY_BLOB), (layer, content)))
