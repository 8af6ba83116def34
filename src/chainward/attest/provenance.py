"""SLSA provenance of a build that was run as a command: which command, on which source, with what, by whom, when.

Follows SLSA v1.2, provenance v1, with our build type :data:`BUILD_TYPE` (docs/reference/build-type.md says what each
parameter means). In: a :class:`CommandBuild`. Out: the predicate, or the statement about what was built.

Of the environment only names are stated: values may be secrets, and a statement is public for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from chainward.formats.codec import without_empty
from chainward.formats.intoto import SLSA_PROVENANCE, ResourceDescriptor, Statement
from chainward.formats.slsa import Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["BUILD_TYPE", "CommandBuild", "Runner", "provenance_of", "statement_of_provenance"]

BUILD_TYPE: Final = "https://chainward.example/build-types/command/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """The machine that ran the build, as it identified itself; ``identity`` is a URI, ``isolated`` what it claims."""

    identity: str
    isolated: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandBuild:
    """What is to be said about one build.

    ``source`` is what was built, ``materials`` everything else that went in, all with digests. ``environment`` are the
    names of the variables that the command could see. ``byproducts`` are things such as the log.
    """

    builder_id: str
    invocation_id: str
    command: Sequence[str]
    source: ResourceDescriptor
    started_on: datetime
    finished_on: datetime
    materials: Sequence[ResourceDescriptor] = ()
    environment: Sequence[str] = ()
    runner: Runner | None = None
    internal: Mapping[str, Any] = field(default_factory=dict)
    byproducts: Sequence[ResourceDescriptor] = ()


def provenance_of(build: CommandBuild) -> Provenance:
    """Return the provenance of a build. The source is the first of its resolved dependencies."""
    return Provenance(
        build_type=BUILD_TYPE,
        external_parameters={
            "command": list(build.command),
            "source": build.source.uri,
            "environment": sorted(set(build.environment)),
        },
        internal_parameters=dict(build.internal) | ({"runner": _runner(build.runner)} if build.runner else {}),
        resolved_dependencies=(build.source, *build.materials),
        builder_id=build.builder_id,
        invocation_id=build.invocation_id,
        started_on=build.started_on,
        finished_on=build.finished_on,
        byproducts=tuple(build.byproducts),
    )


def statement_of_provenance(provenance: Provenance, products: Sequence[ResourceDescriptor]) -> Statement:
    """Return the statement that ``products`` came out of the build; each of them needs a digest."""
    return Statement(tuple(products), SLSA_PROVENANCE, provenance.to_predicate())


def _runner(runner: Runner) -> dict[str, Any]:
    return {
        "identity": runner.identity,
        "isolated": runner.isolated,
        **without_empty({"labels": dict(runner.labels)}),
    }
