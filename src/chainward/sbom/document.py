"""An inventory as a CycloneDX 1.6 document.

The subject depends on the roots, so the graph has one beginning. What was unreadable stands in the metadata, and makes
the composition of the subject ``incomplete``. Scopes: runtime is ``required``, optional is ``optional``, dev is
``excluded``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward import __version__
from chainward.formats.cyclonedx import (
    Aggregate,
    Bom,
    BomComponent,
    Identification,
    Occurrence,
    Tool,
    encode_bom,
)
from chainward.sbom.model import HashAlgorithm, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.kernel.digest import Digest
    from chainward.kernel.purl import Purl
    from chainward.sbom.model import Component, Sbom, Subject

__all__ = ["bom_of", "encode"]

_SCOPES: Final = {Scope.RUNTIME: "required", Scope.OPTIONAL: "optional", Scope.DEV: "excluded"}
_ALGORITHMS: Final = {
    HashAlgorithm.MD5: "MD5",
    HashAlgorithm.SHA1: "SHA-1",
    HashAlgorithm.SHA256: "SHA-256",
    HashAlgorithm.SHA384: "SHA-384",
    HashAlgorithm.SHA512: "SHA-512",
}
_GROUPED: Final = frozenset({"npm"})  # types whose namespace is what CycloneDX calls a group


def encode(sbom: Sbom) -> bytes:
    """Write the inventory as CycloneDX 1.6 JSON; equal inventories give equal bytes."""
    return encode_bom(bom_of(sbom))


def bom_of(sbom: Sbom) -> Bom:
    """Say the inventory in CycloneDX's words."""
    subject = _subject(sbom.subject)
    return Bom(
        subject=subject,
        components=tuple(map(_component, sbom.components)),
        edges=((subject.ref, tuple(map(str, sbom.roots))), *_edges(sbom)),
        timestamp=sbom.generated,
        tools=(Tool("chainward", __version__),),
        aggregate=Aggregate.COMPLETE if sbom.is_complete else Aggregate.INCOMPLETE,
        properties=tuple(_properties(sbom)),
    )


def _subject(subject: Subject) -> BomComponent:
    return BomComponent(
        ref=f"subject:{subject.name}@{subject.digest or subject.version}",
        type=subject.kind.value,
        name=subject.name,
        version=subject.version or str(subject.digest or ""),
        purl=subject.purl,
        hashes=(_hash(subject.digest),) if subject.digest else (),
    )


def _hash(digest: Digest) -> tuple[str, str]:
    return _ALGORITHMS[HashAlgorithm(digest.algorithm.value)], digest.hex


def _component(component: Component) -> BomComponent:
    is_grouped = component.purl.type in _GROUPED
    surest = max(component.evidence, key=lambda evidence: evidence.confidence)
    layers = sorted({str(location.layer) for location in component.locations if location.layer})
    return BomComponent(
        ref=str(component.purl),
        name=component.name,
        version=component.version,
        group=component.purl.namespace if is_grouped else "",
        purl=component.purl,
        scope=_SCOPES[component.scope],
        hashes=tuple((_ALGORITHMS[found.algorithm], found.hex) for found in component.hashes),
        licences=component.licences,
        occurrences=tuple(
            Occurrence(location.path, f"layer {location.layer}" if location.layer else "")
            for location in component.locations
        ),
        identification=Identification("manifest-analysis", surest.confidence, component.locations[0].path),
        properties=(
            *(("chainward:cataloger", evidence.cataloger) for evidence in component.evidence),
            *(("chainward:layer", layer) for layer in layers),
        ),
    )


def _edges(sbom: Sbom) -> Iterator[tuple[str, tuple[str, ...]]]:
    targets: dict[Purl, list[str]] = {}
    for edge in sbom.edges:
        targets.setdefault(edge.source, []).append(str(edge.depends_on))
    for component in sbom.components:
        yield str(component.purl), tuple(targets.get(component.purl, ()))


def _properties(sbom: Sbom) -> Iterator[tuple[str, str]]:
    for cataloger in sbom.catalogers:
        yield "chainward:cataloger", cataloger
    for found in sbom.unreadable:
        yield "chainward:unreadable", f"{found.path}: {found.reason}"
