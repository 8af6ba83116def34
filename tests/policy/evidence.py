"""Evidence to decide about: statements as verification would give them, and everything else a gatherer finds.

Making verified statements without verifying is right here, because what is tested begins behind verification.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from chainward.formats.intoto import CYCLONEDX, SLSA_PROVENANCE, TEST_RESULT, ResourceDescriptor, Statement
from chainward.formats.slsa import Provenance
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName
from chainward.policy.document import parse_policy
from chainward.policy.model import Evidence, Gate, Promotion, Question, SbomEvidence
from chainward.trust.model import SEAL, VerifiedStatement

if TYPE_CHECKING:
    from chainward.policy.model import Check, Decision, Policy

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
IMAGE, OTHER = Digest.of(b"image"), Digest.of(b"another image")
WEB = RepositoryName("shop/web")
BUILDER = "https://chainward.example/builders/local"
SOURCE = "git+https://git.example/shop/web"


def fingerprint(signer: str) -> str:
    return Digest.of(signer.encode()).hex


def statement(
    predicate_type: str, predicate: dict[str, Any], signer: str = "release", about: Digest = IMAGE, serial: int = 0
) -> VerifiedStatement:
    content = Statement((ResourceDescriptor.of("image", about),), predicate_type, predicate)
    return VerifiedStatement(
        statement=content,
        signers=(signer,),
        fingerprint=fingerprint(signer),
        subjects=(about,),
        log_origin="log.test",
        log_index=serial,
        bundle_digest=Digest.of(repr((predicate_type, predicate, signer, str(about), serial)).encode()),
        seal=SEAL,
    )


def provenance(
    signer: str = "release",
    about: Digest = IMAGE,
    *,
    builder: str = BUILDER,
    source: object = SOURCE,
    finished: datetime | None = NOW - timedelta(days=1),
) -> VerifiedStatement:
    stated = Provenance(
        build_type="https://chainward.example/build-types/command/v1",
        external_parameters={"source": source},
        builder_id=builder,
        finished_on=finished,
        resolved_dependencies=(ResourceDescriptor(uri="git+https://git.example/trusted/dependency"),),
    )
    return statement(SLSA_PROVENANCE, stated.to_predicate(), signer, about)


def run_of_tests(signer: str = "release", about: Digest = IMAGE, *, result: str = "PASSED") -> VerifiedStatement:
    return statement(TEST_RESULT, {"result": result, "configuration": []}, signer, about)


def sbom(signer: str = "release", about: Digest = IMAGE, *, serial: int = 0) -> VerifiedStatement:
    return statement(CYCLONEDX, {"bomFormat": "CycloneDX"}, signer, about, serial)


def contents(
    of: VerifiedStatement,
    *,
    complete: bool = True,
    components: int = 12,
    describes: Digest | None = IMAGE,
    generated: datetime | None = NOW - timedelta(days=1),
    form: str = "CycloneDX 1.6",
) -> SbomEvidence:
    return SbomEvidence(
        bundle=of.bundle_digest,
        format=form,
        components=components,
        complete=complete,
        subject_digest=describes,
        generated_at=generated,
    )


@dataclass(frozen=True)
class Revocation:
    reason: str = "compromised"
    revoked_at: datetime = NOW


def everything(signer: str = "release") -> Evidence:
    """Evidence that satisfies every kind of rule."""
    document = sbom(signer)
    return Evidence(
        revoked=None,
        statements=(provenance(signer), document, run_of_tests(signer)),
        sboms=(contents(document),),
        promotions=(Promotion("staging", NOW - timedelta(hours=2)),),
        host="registry.example",
        pushed_at=NOW - timedelta(days=1),
    )


NOTHING = Evidence(revoked=None)
QUESTION = Question(repository=WEB, digest=IMAGE, environment="prod", tier="critical", gate=Gate.ADMIT, now=NOW)


def later(by: timedelta) -> Question:
    return replace(QUESTION, now=NOW + by)


def policy(require: str, *, rule: str = "") -> Policy:
    """A policy of one rule with the given (flow style) members of ``require``."""
    return parse_policy(
        f"""apiVersion: chainward.dev/v1
kind: Policy
name: test
rules:
  - id: the-rule
    {rule or "match: {}"}
    require: {{{require}}}
""".encode()
    )


def check_named(decision: Decision, name: str) -> Check:
    (found,) = [check for check in decision.checks if check.name == name]
    return found
