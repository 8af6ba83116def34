"""Statements from values: what a reader of ours and of others' finds in them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trust.world import IMAGE, OTHER_IMAGE, bundle_of, root_of, verified

from chainward.attest.errors import SbomUnfit, TestCountsInvalid
from chainward.attest.provenance import BUILD_TYPE, CommandBuild, Runner, provenance_of, statement_of_provenance
from chainward.attest.sbom import MAX_SBOM, statement_of_sbom
from chainward.attest.signature import SIGNATURE, statement_of_signature
from chainward.attest.testresult import RunCounts, outcome_of, statement_of_tests
from chainward.attest.vsa import statement_of_summary, summary_of
from chainward.formats.errors import Malformed, TooLarge
from chainward.formats.intoto import (
    CYCLONEDX,
    SLSA_PROVENANCE,
    TEST_RESULT,
    VSA,
    ResourceDescriptor,
    Statement,
    decode_statement,
    encode_statement,
)
from chainward.formats.slsa import decode_provenance
from chainward.formats.testresult import Outcome, decode_test_result
from chainward.formats.vsa import VerificationResult, decode_summary
from chainward.kernel.digest import Digest
from chainward.trust.verify import verify_bundle

STARTED = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
FINISHED = datetime(2026, 11, 23, 9, 31, 5, tzinfo=UTC)
SOURCE = ResourceDescriptor(uri="git+https://git.example.test/shop/web", digest={"gitCommit": "ab" * 20})
LOCK = ResourceDescriptor("requirements.lock", {"sha256": "cd" * 32})
REPORT = Digest.of(b"<testsuite/>")
DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "build-type.md"
BUILD = CommandBuild(
    builder_id="https://ci.example.test/builders/1",
    invocation_id="urn:uuid:0",
    command=("make", "image"),
    source=SOURCE,
    materials=(LOCK,),
    environment=("PATH", "HOME", "PATH"),
    runner=Runner(identity="spiffe://ci.example.test/runner/7", isolated=True, labels={"os": "linux"}),
    internal={"sourceIsDirty": False},
    started_on=STARTED,
    finished_on=FINISHED,
    byproducts=(ResourceDescriptor("build.log", {"sha256": "ef" * 32}),),
)


def sbom(**members: object) -> bytes:
    return json.dumps(
        {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": []} | members
    ).encode()


def roundtrip(statement: Statement) -> Statement:
    return decode_statement(encode_statement(statement))


def test_provenance_says_what_was_run_on_what_by_whom_and_when() -> None:
    statement = roundtrip(statement_of_provenance(provenance_of(BUILD), [ResourceDescriptor.of("web", IMAGE)]))
    assert statement.predicate_type == SLSA_PROVENANCE
    assert statement.is_about(IMAGE)
    found = decode_provenance(statement.predicate)
    assert found == provenance_of(BUILD)
    assert found.build_type == BUILD_TYPE
    assert found.external_parameters == {
        "command": ["make", "image"],
        "source": SOURCE.uri,
        "environment": ["HOME", "PATH"],
    }
    assert found.resolved_dependencies == (SOURCE, LOCK)
    assert (found.builder_id, found.invocation_id) == (BUILD.builder_id, BUILD.invocation_id)
    assert (found.started_on, found.finished_on) == (STARTED, FINISHED)
    assert found.internal_parameters["runner"] == {
        "identity": "spiffe://ci.example.test/runner/7",
        "isolated": True,
        "labels": {"os": "linux"},
    }


def test_a_build_on_an_unknown_runner_claims_none() -> None:
    assert provenance_of(replace(BUILD, runner=None)).internal_parameters == {"sourceIsDirty": False}


def test_every_parameter_of_the_build_type_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    found = provenance_of(BUILD)
    assert f"`{BUILD_TYPE}`" in text
    for name in (*found.external_parameters, *found.internal_parameters):
        assert f"`{name}`" in text


def test_an_inventory_is_stated_as_it_is() -> None:
    document = sbom(components=[{"type": "library", "name": "left-pad", "version": "1.3.0"}], metadata={"score": 0.5})
    statement = roundtrip(statement_of_sbom("web", IMAGE, document))
    assert statement.predicate_type == CYCLONEDX
    assert statement.is_about(IMAGE)
    assert statement.predicate == json.loads(document)


@pytest.mark.parametrize(
    ("document", "refusal"),
    [
        (sbom(bomFormat="SPDX"), SbomUnfit),
        (sbom(specVersion=1.6), SbomUnfit),
        (b'{"spdxVersion": "SPDX-2.3"}', SbomUnfit),
        (b"[]", Malformed),
        (b"<bom/>", Malformed),
        (b" " * (MAX_SBOM + 1), TooLarge),
    ],
    ids=["another format", "no version", "SPDX", "a list", "XML", "too large"],
)
def test_what_is_no_inventory_is_not_stated_as_one(document: bytes, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        statement_of_sbom("web", IMAGE, document)


def test_a_test_run_is_stated_with_its_counts_and_the_report_they_come_from() -> None:
    counts = RunCounts(passed=40, failed=2, warned=1, skipped=3, failed_names=("test_a", "test_b"))
    statement = roundtrip(
        statement_of_tests("web", IMAGE, counts, suite="unit", report=REPORT, url="https://ci.example")
    )
    assert statement.predicate_type == TEST_RESULT
    found = decode_test_result(statement.predicate)
    assert (found.result, found.failed, found.url) == (Outcome.FAILED, ("test_a", "test_b"), "https://ci.example")
    [suite] = found.configuration
    assert (suite.name, suite.digests()) == ("unit", (REPORT,))
    assert suite.annotations == {"passed": 40, "failed": 2, "warned": 1, "skipped": 3}


@given(*[st.integers(0, 3)] * 4)
def test_a_run_passes_exactly_if_something_passed_and_nothing_failed_or_warned(
    passed: int, failed: int, warned: int, skipped: int
) -> None:
    outcome = outcome_of(RunCounts(passed=passed, failed=failed, warned=warned, skipped=skipped))
    assert (outcome is Outcome.PASSED) == (passed > 0 and failed == warned == 0)
    assert (outcome is Outcome.FAILED) == (failed > 0 or passed == 0)


def test_a_run_in_which_nothing_ran_is_no_proof() -> None:
    assert outcome_of(RunCounts(passed=0, failed=0)) is Outcome.FAILED
    assert outcome_of(RunCounts(passed=0, failed=0, skipped=40)) is Outcome.FAILED


def test_counts_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(TestCountsInvalid):
        RunCounts(passed=-1, failed=0)
    with pytest.raises(TestCountsInvalid):
        RunCounts(passed=1, failed=2, failed_names=("test_a",))
    with pytest.raises(TestCountsInvalid):
        RunCounts(passed=1, failed=0, failed_names=("test_a",))


@pytest.mark.parametrize("passed", [True, False])
def test_a_verification_summary_names_policy_evidence_and_result(*, passed: bool) -> None:
    bundles = [Digest.of(b"two"), Digest.of(b"one"), Digest.of(b"two")]
    summary = summary_of(
        verifier_id="https://chainward.example.test/verifier",
        verified_at=STARTED,
        resource_uri=f"registry.example.test/shop/web@{IMAGE}",
        policy_uri="https://chainward.example.test/policy",
        policy_digest=Digest.of(b"a policy"),
        passed=passed,
        evidence=bundles,
        levels=("SLSA_BUILD_LEVEL_2",),
    )
    statement = roundtrip(statement_of_summary("web", IMAGE, summary))
    assert statement.predicate_type == VSA
    assert statement.is_about(IMAGE)
    assert not statement.is_about(OTHER_IMAGE)
    found = decode_summary(statement.predicate)
    assert found == summary
    assert found.result is (VerificationResult.PASSED if passed else VerificationResult.FAILED)
    assert found.verified_levels == (("SLSA_BUILD_LEVEL_2",) if passed else ())
    assert [each.digests()[0] for each in found.input_attestations] == sorted(set(bundles))


def test_every_kind_of_statement_can_be_signed_and_verified() -> None:
    statements = [
        statement_of_provenance(provenance_of(BUILD), [ResourceDescriptor.of("web", IMAGE)]),
        statement_of_sbom("web", IMAGE, sbom()),
        statement_of_tests("web", IMAGE, RunCounts(passed=1, failed=0), suite="unit", report=REPORT),
        statement_of_signature("web", IMAGE),
    ]
    for statement in statements:
        found = verify_bundle(bundle_of(statement), root_of(), subject=IMAGE, repository=None)
        assert found.statement == statement
    assert verified().predicate_type == SLSA_PROVENANCE


def test_a_bare_signature_says_nothing_but_that_somebody_stands_behind_the_digest() -> None:
    statement = roundtrip(statement_of_signature("web", IMAGE))
    assert statement.predicate_type == SIGNATURE == "https://sigstore.dev/cosign/sign/v1"
    assert statement.predicate == {}
    assert statement.is_about(IMAGE)
