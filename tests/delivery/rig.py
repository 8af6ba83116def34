"""A whole platform below the faces, in one process, for tests of the gates: real rooms over a real store.

``Rig`` wires ledger, registry, trust, policy, portfolio and delivery as a running platform does, with keys of its own
and a clock that a test moves. ``Release`` is an image with evidence that a test takes away or spoils.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from tests.databases import SIGNATURES, SIGNATURES_ORIGIN, ManualClock

from chainward.adapters.blobs.local import LocalBlobs
from chainward.adapters.sql import delivery, policy, portfolio, publications, registry, trust
from chainward.adapters.sql.delivery import SqlDecisionReader, SqlDeliveryStore
from chainward.adapters.sql.policy import SqlPolicyStore
from chainward.adapters.sql.portfolio import SqlPortfolioStore
from chainward.adapters.sql.publications import SqlPublications
from chainward.adapters.sql.registry import SqlRegistryStore
from chainward.adapters.sql.trust import SqlTrustStore
from chainward.adapters.system import SystemEntropy
from chainward.attest.attach import bundle_artifact
from chainward.attest.provenance import CommandBuild, provenance_of, statement_of_provenance
from chainward.attest.sbom import statement_of_sbom
from chainward.attest.testresult import RunCounts, statement_of_tests
from chainward.delivery.admit import Admission, AdmissionRules, Controllers
from chainward.delivery.image import ImagePlan, assemble
from chainward.delivery.local import LocalRegistry
from chainward.delivery.promote import Promoter, Verifier
from chainward.delivery.publication import PublicationNotes
from chainward.delivery.record import AdmissionRecord
from chainward.delivery.record_evidence import EvidenceFollower
from chainward.delivery.referrer import put_artifact
from chainward.delivery.verdict import Judge
from chainward.formats.cyclonedx import Aggregate, Bom, BomComponent, Tool, encode_bom
from chainward.formats.intoto import VSA, ResourceDescriptor
from chainward.formats.oci import OCI_MANIFEST, Descriptor
from chainward.kernel.digest import Digest
from chainward.kernel.identity import Actor, Context
from chainward.kernel.name import RepositoryName, RepositoryPattern, Tag
from chainward.kernel.purl import Purl
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.policy.activate import Policies
from chainward.portfolio.declare import Portfolios
from chainward.portfolio.model import Environment, NamespacePattern, Service
from chainward.registry.model import RepositoryRules
from chainward.registry.registry import open_registry
from chainward.trust.held import LedgerEntries
from chainward.trust.model import TrustedLog
from chainward.trust.rekor import Rekor
from chainward.trust.revocations import SignatureRevocations
from chainward.trust.sign import sign_statement
from chainward.trust.signers import Signers
from chainward.trust.verify import OwnRecords

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tests.databases import PlatformDatabase

    from chainward.delivery.ports import DecisionReader, EvidenceSource
    from chainward.formats.intoto import Statement
    from chainward.keys.local import PrivateKey
    from chainward.trust.ports import TrustStore

__all__ = ["BUILDER", "CONTEXT", "HOST", "POLICY", "REPOSITORY", "Release", "Rig", "review_of"]

HOST: Final = "reg.example"
REPOSITORY: Final = RepositoryName("shop/web")
BUILDER: Final = "https://chainward.example/builders/local"
CONTEXT: Final = Context(Actor("token:webhook"), "request-1")
WRITES: Final = {
    **delivery.WRITES,
    **policy.WRITES,
    **portfolio.WRITES,
    **publications.WRITES,
    **registry.WRITES,
    **trust.WRITES,
}
POLICY: Final = b"""
apiVersion: chainward.dev/v1
kind: Policy
name: test
rules:
  - id: dev
    match: {environments: [dev]}
    require:
      signature: {signers: [release]}
  - id: evidence
    match: {environments: [staging, prod]}
    signers: [release]
    require:
      signature: {}
      provenance: {builders: ["https://chainward.example/builders/*"]}
      sbom: {formats: [cyclonedx], complete: true}
      tests: {result: passed}
"""


class MemoryBlobSink:
    """Keeps blobs in memory."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}

    def put(self, chunks: Iterable[bytes]) -> tuple[Digest, int]:
        data = b"".join(chunks)
        self.blobs[Digest.of(data)] = data
        return Digest.of(data), len(data)


@dataclass(slots=True)
class Release:
    """An image and the statements about it, before anything is pushed."""

    manifest: Descriptor
    body: bytes
    blobs: dict[Digest, bytes]
    statements: dict[str, Statement] = field(default_factory=dict)

    @property
    def digest(self) -> Digest:
        return self.manifest.digest

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        yield self.blobs[digest]


class Rig:
    """One platform. Close it by closing the database that it was given."""

    def __init__(
        self,
        platform: PlatformDatabase,
        folder: Path,
        *,
        controllers: Controllers = Controllers.WARN,
        mutable_tags: tuple[str, ...] = (),
        reader: DecisionReader | None = None,
        source: EvidenceSource | None = None,
        clock: ManualClock | None = None,
    ) -> None:
        self.platform = platform
        self.clock = clock or ManualClock(step=timedelta(microseconds=1))
        self.ledger = platform.open_ledger(WRITES, clock=self.clock)
        database = platform.database
        self.release_key = generate(Scheme.ECDSA_P256_SHA256)
        self.platform_key = generate(Scheme.ECDSA_P256_SHA256)
        blobs = LocalBlobs(folder / "blobs", folder / "uploads")
        self.blob_folder = folder / "blobs"
        rules = RepositoryRules(tuple(map(RepositoryPattern, mutable_tags)))
        self.registry = open_registry(
            SqlRegistryStore(database),
            blobs,
            blobs,
            self.ledger,
            self.clock,
            SystemEntropy(),
            rules=rules,
            notes=PublicationNotes(),
        )
        log = TrustedLog.of(SIGNATURES_ORIGIN, SIGNATURES.signer.public_key)
        self.trust = self.furnished(SqlTrustStore(database, (log,)))
        self.own = OwnRecords(LedgerEntries(self.ledger), SqlPublications(database))
        self.signature_revocations = SignatureRevocations(self.ledger, self.trust, self.clock)
        self.signers = Signers(self.ledger, self.trust, self.clock)
        self.rekor = Rekor(self.ledger, lambda: log)
        self.policies = Policies(self.ledger, SqlPolicyStore(database))
        self.portfolios = Portfolios(self.ledger, SqlPortfolioStore(database), self.clock)
        self.store = SqlDeliveryStore(database)
        self.reader = reader or SqlDecisionReader(database)
        self.source = source or self.registry
        self.judge = Judge(
            self.reader,
            self.source,
            self.policies,
            self.trust,
            self.portfolios,
            self.clock,
            platform_key=self.platform_key.public_key.fingerprint,
            own=self.own,
        )
        self.record = AdmissionRecord(self.ledger, self.store, self.clock)
        self.rules = AdmissionRules(hosts=frozenset({HOST}), repositories=rules, controllers=controllers)
        self.admission = Admission(self.judge, self.record, self.portfolios, self.clock, self.rules)
        self.promoter = Promoter(
            self.judge,
            self.portfolios,
            self.registry,
            lambda context: LocalRegistry(self.registry, context),
            self.store,
            self.ledger,
            self.clock,
            Verifier("https://platform.test", HOST, self.platform_key, lambda _: self.rekor),
        )
        self.follower = EvidenceFollower(self.ledger, self.store, self.registry, self.trust, own=self.own)

    def furnished(self, store: TrustStore) -> TrustStore:
        """Return the store of trust that the platform reads."""
        return store

    def prepare(self) -> Rig:
        """Declare environments and a service, trust the release key and the platform's own, activate a policy."""
        for order, name in enumerate(("dev", "staging", "prod")):
            self.portfolios.declare_environment(
                Environment(name, order, (NamespacePattern(name), NamespacePattern(f"{name}-*"))), context=CONTEXT
            )
        self.portfolios.declare_service(
            Service("web", "team-web", "gold", (RepositoryPattern("shop/**"),)), context=CONTEXT
        )
        self.trust_key("release", self.release_key, "shop/**")
        self.trust_key("platform", self.platform_key, "**", VSA)
        self.policies.activate(POLICY, context=CONTEXT)
        return self

    def trust_key(self, name: str, key: PrivateKey, pattern: str, predicate: str = "*") -> None:
        self.signers.add(name, key.public_key, [RepositoryPattern(pattern)], [predicate], context=CONTEXT)

    def release(self, text: str = "one") -> Release:
        """Make an image and the usual three statements about it."""
        sink = MemoryBlobSink()
        image = assemble(ImagePlan(layers=(), labels={"text": text}), sink)
        digest = image.manifest.digest
        made = Release(image.manifest, image.body, sink.blobs)
        made.statements = {
            "provenance": self.provenance(digest),
            "sbom": self.sbom(digest),
            "tests": statement_of_tests(
                "web", digest, RunCounts(passed=3, failed=0), suite="unit", report=Digest.of(b"report")
            ),
        }
        return made

    def provenance(self, digest: Digest, builder: str = BUILDER) -> Statement:
        now = self.clock.now()
        build = CommandBuild(
            builder_id=builder,
            invocation_id="urn:uuid:0",
            command=("make",),
            source=ResourceDescriptor(uri="git+https://git.example/shop", digest={"gitCommit": "a" * 40}),
            started_on=now,
            finished_on=now,
        )
        return statement_of_provenance(provenance_of(build), (ResourceDescriptor.of("web", digest),))

    def sbom(self, digest: Digest, components: int = 40) -> Statement:
        bom = Bom(
            subject=BomComponent("web", "web", "1", "container", hashes=(("SHA-256", digest.hex),)),
            components=tuple(
                BomComponent(
                    f"c{number}", f"package-{number}", "1.0", purl=Purl("pypi", "", f"package-{number}", "1.0")
                )
                for number in range(components)
            ),
            edges=(("web", tuple(f"c{number}" for number in range(components))),),
            timestamp=self.clock.now(),
            tools=(Tool("chainward", "0"),),
            aggregate=Aggregate.COMPLETE,
        )
        return statement_of_sbom("web", digest, encode_bom(bom))

    def sign(self, statement: Statement, key: PrivateKey | None = None) -> bytes:
        return sign_statement(statement, key or self.release_key, self.rekor)

    def push(
        self,
        release: Release,
        tag: str | None = "1",
        *,
        repository: RepositoryName = REPOSITORY,
        key: PrivateKey | None = None,
        without: Iterable[str] = (),
    ) -> Digest:
        """Push an image with its statements signed; returns its digest."""
        client = LocalRegistry(self.registry, CONTEXT)
        for digest, data in release.blobs.items():
            if digest != release.digest:
                client.put_blob(repository, digest, len(data), (data,))
        client.put_manifest(repository, str(release.digest), OCI_MANIFEST, release.body)
        for name, statement in release.statements.items():
            if name not in set(without):
                self.attach(release, self.sign(statement, key), repository=repository)
        if tag is not None:
            client.put_manifest(repository, tag, OCI_MANIFEST, release.body)
        return release.digest

    def attach(self, release: Release, bundle: bytes, *, repository: RepositoryName = REPOSITORY) -> Digest:
        artifact = bundle_artifact(bundle, "https://example.org/unknown", release.manifest)
        return put_artifact(LocalRegistry(self.registry, CONTEXT), repository, artifact)

    def retag(self, release: Release, tag: str, repository: RepositoryName = REPOSITORY) -> None:
        self.registry.manifests.put(repository, Tag(tag), OCI_MANIFEST, release.body, CONTEXT)

    def schemas(self, prefix: str = "delivery.") -> list[str]:
        """Return the facts of a room, in order."""
        facts = self.ledger.facts(-1, 10_000)
        return [fact.schema.removeprefix(prefix) for fact in facts if fact.schema.startswith(prefix)]

    def bodies(self, schema: str) -> list[dict[str, Any]]:
        facts = self.ledger.facts(-1, 10_000, frozenset({schema}))
        return [fact.body for fact in facts if fact.body is not None]

    def spoil_blob(self, digest: Digest) -> None:
        """Flip one byte of a stored blob, behind everybody's back."""
        (path,) = self.blob_folder.rglob(digest.hex)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.chmod(0o600)
        path.write_bytes(data)


def review_of(
    *images: str,
    namespace: str = "prod",
    operation: str = "CREATE",
    before: Iterable[str] | None = None,
    kind: tuple[str, str, str] = ("", "v1", "Pod"),
    **changes: object,
) -> bytes:
    """Return an admission review of a Pod, or of a workload whose Pods have these images."""
    group, version, name = kind
    request: dict[str, Any] = {
        "uid": "c3de4f1b-a27b-4673-917f-674fac35be62",
        "kind": {"group": group, "version": version, "kind": name},
        "resource": {"group": group, "version": version, "resource": f"{name.lower()}s"},
        "name": "p1",
        "namespace": namespace,
        "operation": operation,
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": _object(name, images),
        "oldObject": None if before is None else _object(name, before),
        "dryRun": False,
        **changes,
    }
    document: Mapping[str, Any] = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": request,
    }
    return json.dumps(document).encode()


def _object(kind: str, images: Iterable[str]) -> dict[str, Any]:
    spec = {"containers": [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]}
    if kind == "Pod":
        return {"kind": kind, "metadata": {"name": "p1"}, "spec": spec}
    return {"kind": kind, "metadata": {"name": "p1"}, "spec": {"template": {"spec": spec}}}
