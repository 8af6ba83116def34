"""SLSA provenance: how an artifact was built, from what, by whom.

Follows SLSA v1.2, provenance v1 (predicate type ``https://slsa.dev/provenance/v1``). In: the predicate of a statement.
Out: a :class:`Provenance`; unknown members are skipped, as the specification demands of consumers. Parameters stay
plain objects: their meaning belongs to the build type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import convert, without_empty
from chainward.formats.errors import Malformed
from chainward.formats.intoto import ResourceDescriptor, WireResource, resource_members
from chainward.kernel.instant import parse_instant, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["Provenance", "decode_provenance"]

_WHAT: Final = "slsa provenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The build definition (type, parameters, dependencies) and the run details (builder, invocation, times)."""

    build_type: str
    external_parameters: Mapping[str, Any]
    builder_id: str
    internal_parameters: Mapping[str, Any] = field(default_factory=dict)
    resolved_dependencies: tuple[ResourceDescriptor, ...] = ()
    builder_version: Mapping[str, str] = field(default_factory=dict)
    invocation_id: str = ""
    started_on: datetime | None = None
    finished_on: datetime | None = None
    byproducts: tuple[ResourceDescriptor, ...] = ()

    def to_predicate(self) -> dict[str, Any]:
        """Return the predicate for a statement."""
        metadata = {
            "invocationId": self.invocation_id,
            "startedOn": rfc3339(self.started_on) if self.started_on else None,
            "finishedOn": rfc3339(self.finished_on) if self.finished_on else None,
        }
        definition = {
            "internalParameters": dict(self.internal_parameters),
            "resolvedDependencies": [resource_members(each) for each in self.resolved_dependencies],
        }
        details = {
            "metadata": without_empty(metadata),
            "byproducts": [resource_members(each) for each in self.byproducts],
        }
        return {
            "buildDefinition": {
                "buildType": self.build_type,
                "externalParameters": dict(self.external_parameters),
                **without_empty(definition),
            },
            "runDetails": {
                "builder": {"id": self.builder_id, **without_empty({"version": dict(self.builder_version)})},
                **without_empty(details),
            },
        }


class _WireDefinition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    build_type: str
    external_parameters: dict[str, Any]
    internal_parameters: dict[str, Any] | None = None
    resolved_dependencies: tuple[WireResource, ...] | None = None


class _WireBuilder(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    version: dict[str, str] | None = None


class _WireMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    invocation_id: str | None = None
    started_on: str | None = None
    finished_on: str | None = None


class _WireDetails(msgspec.Struct, frozen=True, kw_only=True):
    builder: _WireBuilder
    metadata: _WireMetadata | None = None
    byproducts: tuple[WireResource, ...] | None = None


class _WireProvenance(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    build_definition: _WireDefinition
    run_details: _WireDetails


def decode_provenance(predicate: Mapping[str, Any]) -> Provenance:
    """Read a provenance predicate; raises Malformed, or InvalidInstant for a time that is none."""
    wire = convert(predicate, _WireProvenance, what=_WHAT)
    definition, details = wire.build_definition, wire.run_details
    if not definition.build_type or not details.builder.id:
        raise Malformed(_WHAT, "buildType or builder.id is empty")
    metadata = details.metadata or _WireMetadata()
    return Provenance(
        build_type=definition.build_type,
        external_parameters=definition.external_parameters,
        builder_id=details.builder.id,
        internal_parameters=definition.internal_parameters or {},
        resolved_dependencies=tuple(each.value(_WHAT) for each in definition.resolved_dependencies or ()),
        builder_version=details.builder.version or {},
        invocation_id=metadata.invocation_id or "",
        started_on=parse_instant(metadata.started_on) if metadata.started_on else None,
        finished_on=parse_instant(metadata.finished_on) if metadata.finished_on else None,
        byproducts=tuple(each.value(_WHAT) for each in details.byproducts or ()),
    )
