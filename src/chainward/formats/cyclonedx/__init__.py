"""CycloneDX bills of materials, JSON: written as 1.6, read from 1.2 to 1.7, validated against the official 1.6 schema.

A :class:`Bom` goes in and deterministic bytes come out (:func:`encode_bom`); anybody's bytes go in and a
:class:`BomSummary` comes out (:func:`decode_bom`). :func:`validate_bom` holds bytes against the schema, offline.
Follows ECMA-424 (CycloneDX 1.6).
"""

from __future__ import annotations

from chainward.formats.cyclonedx.model import (
    Aggregate,
    Bom,
    BomComponent,
    BomOutline,
    BomSummary,
    Identification,
    InvalidBom,
    Occurrence,
    Tool,
)
from chainward.formats.cyclonedx.read import decode_bom, outline_bom
from chainward.formats.cyclonedx.validate import validate_bom
from chainward.formats.cyclonedx.write import encode_bom

__all__ = [
    "Aggregate",
    "Bom",
    "BomComponent",
    "BomOutline",
    "BomSummary",
    "Identification",
    "InvalidBom",
    "Occurrence",
    "Tool",
    "decode_bom",
    "encode_bom",
    "outline_bom",
    "validate_bom",
]
