"""Wraps a build: notes the materials, runs the command, notes the products, assembles the image, writes it all down.

In: a :class:`BuildPlan`. Out: a :class:`BuildRecord` and the SLSA provenance that says the same (SLSA v1.2, provenance
v1). If the command fails or runs too long there is no artifact at all. Nothing is signed here: provenance becomes
evidence when ``attest`` signs it, and what it says is as believable as the builder whose key signs.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from chainward.attest.provenance import CommandBuild
from chainward.attest.provenance import provenance_of as attest_provenance
from chainward.delivery.errors import BuildFailed, BuildTimeout, OutputMissing
from chainward.delivery.image import assemble
from chainward.delivery.materials import FileDigest, tree_digest
from chainward.delivery.ports import Command
from chainward.formats.codec import decode_json, deterministic_json
from chainward.formats.intoto import ResourceDescriptor
from chainward.kernel.digest import Algorithm, Digest
from chainward.kernel.instant import parse_instant, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chainward.delivery.image import AssembledImage, ImagePlan
    from chainward.delivery.materials import SourceState
    from chainward.delivery.ports import Outcome, ResultFolder, Runner, Workspace
    from chainward.formats.slsa import Provenance
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock

__all__ = [
    "ENVIRONMENT",
    "BuildPlan",
    "BuildRecord",
    "Builder",
    "FileRecord",
    "ImageRecord",
    "SourceRecord",
    "decode_record",
    "provenance_of",
]

ENVIRONMENT: Final = frozenset({"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER"})
RECORD_LIMIT: Final = 32 * 1024 * 1024
_UUID_SIZE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """What to run, what it may see, what it is expected to leave, and which image to make of that.

    ``environment`` are names of variables that the command may see beside :data:`ENVIRONMENT`; only names are written
    down, because values may be secret. ``outputs`` are paths below the source folder.
    """

    argv: tuple[str, ...]
    builder_id: str
    image_name: str
    image: ImagePlan
    environment: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    time_limit: timedelta = timedelta(hours=1)


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A file by path and digest."""

    path: str
    digest: str
    size: int


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The source before the command ran; ``unchanged`` says that it was still the same afterwards."""

    uri: str
    tree: str
    files: int
    commit: str | None
    dirty: bool
    unchanged: bool


class ImageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The image that was assembled."""

    name: str
    digest: str
    size: int
    layers: tuple[str, ...]


class BuildRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known about one build: the content of ``build.json``."""

    format: Literal["chainward.build/1"] = "chainward.build/1"
    invocation_id: str
    builder_id: str
    command: tuple[str, ...]
    environment: tuple[str, ...]
    started_at: str
    finished_at: str
    log: FileRecord
    source: SourceRecord
    dependencies: tuple[FileRecord, ...]
    products: tuple[FileRecord, ...]
    image: ImageRecord


class Builder:
    """Runs builds with the ports it is given."""

    def __init__(self, runner: Runner, workspace: Workspace, clock: Clock, entropy: Entropy) -> None:
        self._runner = runner
        self._workspace = workspace
        self._clock = clock
        self._entropy = entropy

    def build(self, plan: BuildPlan, result: ResultFolder, show: Callable[[bytes], None]) -> BuildRecord:
        """Run the command and fill ``result``; ``show`` is given the command's output as it comes.

        Raises:
            BuildFailed: the command ended with an error.
            BuildTimeout: it did not end in time.
            ToolMissing: it does not exist.
            OutputMissing: it did not leave a declared output.
            SourceRefused: a layer holds what no image may carry.
        """
        try:
            record = self._build(plan, result, show)
            result.complete()
        except BaseException:
            result.abandon()
            raise
        return record

    def _build(self, plan: BuildPlan, result: ResultFolder, show: Callable[[bytes], None]) -> BuildRecord:
        started = self._clock.now()
        before = self._workspace.source(plan.outputs)
        dependencies = self._workspace.lock_files()
        outcome, log = self._run(plan, result, show)
        products = self._products(plan)
        image = assemble(plan.image, result)
        result.index(image.manifest, plan.image_name)
        record = BuildRecord(
            invocation_id=f"urn:uuid:{uuid.UUID(bytes=self._entropy.bytes(_UUID_SIZE), version=4)}",
            builder_id=plan.builder_id,
            command=plan.argv,
            environment=outcome.environment,
            started_at=rfc3339(started),
            finished_at=rfc3339(self._clock.now()),
            log=log,
            source=_source_record(before, self._workspace.source(plan.outputs)),
            dependencies=tuple(map(_file_record, dependencies)),
            products=tuple(map(_file_record, products)),
            image=_image_record(plan.image_name, image),
        )
        result.write("build.json", deterministic_json(msgspec.to_builtins(record)))
        result.write("provenance.json", deterministic_json(provenance_of(record).to_predicate()))
        return record

    def _run(self, plan: BuildPlan, result: ResultFolder, show: Callable[[bytes], None]) -> tuple[Outcome, FileRecord]:
        hasher, size = hashlib.sha256(), 0

        def tee(chunk: bytes) -> None:
            nonlocal size
            hasher.update(chunk)
            size += len(chunk)
            result.append("build.log", chunk)
            show(chunk)

        settings = {"SOURCE_DATE_EPOCH": str(int(plan.image.created.timestamp())), **plan.settings}
        command = Command(plan.argv, ENVIRONMENT | plan.environment, settings, plan.time_limit)
        result.append("build.log", b"")
        outcome = self._runner.run(command, tee)
        if outcome.timed_out:
            raise BuildTimeout(f"{plan.argv[0]} was stopped after {plan.time_limit.total_seconds():.0f} seconds")
        if outcome.status != 0:
            how = f"status {outcome.status}" if outcome.status > 0 else f"signal {-outcome.status}"
            raise BuildFailed(f"{plan.argv[0]} ended with {how}", details={"status": outcome.status})
        return outcome, FileRecord(path="build.log", digest=f"sha256:{hasher.hexdigest()}", size=size)

    def _products(self, plan: BuildPlan) -> tuple[FileDigest, ...]:
        products: list[FileDigest] = []
        for output in plan.outputs:
            found = self._workspace.files(output)
            if not found:
                raise OutputMissing(f"the command left nothing at {output!r}")
            products += found
        return tuple(sorted(set(products)))


def decode_record(data: bytes) -> BuildRecord:
    """Read ``build.json``; raises TooLarge or Malformed."""
    return decode_json(data, BuildRecord, limit=RECORD_LIMIT, what="build record")


def provenance_of(record: BuildRecord) -> Provenance:
    """Return the SLSA provenance of a build."""
    products = ResourceDescriptor(
        "products", {"dirHash1": _tree_of(record.products).hex}, annotations={"files": len(record.products)}
    )
    return attest_provenance(
        CommandBuild(
            builder_id=record.builder_id,
            invocation_id=record.invocation_id,
            command=record.command,
            source=_source_dependency(record.source),
            started_on=parse_instant(record.started_at),
            finished_on=parse_instant(record.finished_at),
            materials=tuple(map(_file_dependency, record.dependencies)),
            environment=record.environment,
            internal={
                "sourceIsDirty": record.source.dirty,
                "sourceUnchangedByBuild": record.source.unchanged,
            },
            byproducts=(_file_dependency(record.log), products),
        )
    )


def _tree_of(records: tuple[FileRecord, ...]) -> Digest:
    """Return the ``dirHash1`` of recorded files."""
    return tree_digest(FileDigest(each.path, Digest.parse(each.digest), each.size) for each in records)


def _source_dependency(source: SourceRecord) -> ResourceDescriptor:
    digest = {"dirHash1": Digest.parse(source.tree).hex}
    if source.commit is not None:
        digest["gitCommit"] = source.commit
    return ResourceDescriptor(uri=source.uri, digest=digest)


def _file_dependency(file: FileRecord) -> ResourceDescriptor:
    return ResourceDescriptor(file.path, {Algorithm.SHA256.value: Digest.parse(file.digest).hex})


def _file_record(file: FileDigest) -> FileRecord:
    return FileRecord(path=file.path, digest=str(file.digest), size=file.size)


def _source_record(before: SourceState, after: SourceState) -> SourceRecord:
    return SourceRecord(
        uri=before.uri,
        tree=str(before.tree),
        files=before.files,
        commit=before.commit,
        dirty=before.is_dirty,
        unchanged=(before.commit, before.tree) == (after.commit, after.tree),
    )


def _image_record(name: str, image: AssembledImage) -> ImageRecord:
    return ImageRecord(
        name=name,
        digest=str(image.manifest.digest),
        size=image.manifest.size,
        layers=tuple(str(layer.digest) for layer in image.layers),
    )
