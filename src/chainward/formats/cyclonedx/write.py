"""Values to CycloneDX 1.6 JSON: equal documents are equal bytes.

The serial number is derived from everything else in the document (a UUID of version 8, RFC 9562 §5.8), so that two
documents share it only if they say the same.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import orjson

from chainward.formats.cyclonedx.licences import licence_choice
from chainward.formats.errors import Unwritable
from chainward.kernel.instant import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chainward.formats.cyclonedx.model import Bom, BomComponent, Identification

__all__ = ["encode_bom"]

_HEAD: Final = {
    "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
}


def encode_bom(bom: Bom) -> bytes:
    """Write ``bom`` as CycloneDX 1.6 JSON, compactly and in the order given; raises Unwritable."""
    body = {
        "version": 1,
        "metadata": _metadata(bom),
        "components": [_component(component) for component in bom.components],
        "dependencies": [_dependency(ref, targets) for ref, targets in bom.edges],
        "compositions": [{"aggregate": bom.aggregate.value, "assemblies": [bom.subject.ref]}],
    }
    return _dumped(_HEAD | {"serialNumber": _serial_number(body)} | body)


def _dumped(document: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError as error:  # text with lone surrogates, as names of files in another encoding have
        raise Unwritable("CycloneDX document", str(error)) from None


def _serial_number(body: Mapping[str, Any]) -> str:
    octets = bytearray(hashlib.sha256(_dumped(body)).digest()[:16])
    octets[6] = octets[6] & 0x0F | 0x80  # version 8: made in a way of the writer's own
    octets[8] = octets[8] & 0x3F | 0x80  # variant of RFC 9562
    text = octets.hex()
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _metadata(bom: Bom) -> dict[str, Any]:
    tools = [{"type": "application", "name": tool.name, "version": tool.version} for tool in bom.tools]
    metadata: dict[str, Any] = {
        "timestamp": rfc3339(bom.timestamp),
        "tools": {"components": tools},
        "component": _component(bom.subject),
    }
    if bom.properties:
        metadata["properties"] = _properties(bom.properties)
    return metadata


def _component(component: BomComponent) -> dict[str, Any]:
    written = {
        "type": component.type,
        "bom-ref": component.ref,
        "group": component.group,
        "name": component.name,
        "version": component.version,
        "scope": component.scope,
        "hashes": [{"alg": name, "content": value} for name, value in component.hashes],
        "licenses": licence_choice(component.licences),
        "purl": str(component.purl or ""),
        "evidence": _evidence(component),
        "properties": _properties(component.properties),
    }
    return {key: value for key, value in written.items() if value or key == "name"}


def _evidence(component: BomComponent) -> dict[str, Any]:
    evidence: dict[str, Any] = {}
    if component.identification:
        evidence["identity"] = [_identity(component.identification)]
    if component.occurrences:
        evidence["occurrences"] = [
            {"location": found.location} | ({"additionalContext": found.context} if found.context else {})
            for found in component.occurrences
        ]
    return evidence


def _identity(found: Identification) -> dict[str, Any]:
    confidence = found.confidence / 100
    method = {"technique": found.technique, "confidence": confidence, "value": found.value}
    return {"field": "purl", "confidence": confidence, "methods": [method]}


def _dependency(ref: str, targets: Sequence[str]) -> dict[str, Any]:
    return {"ref": ref} | ({"dependsOn": list(targets)} if targets else {})


def _properties(pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]
