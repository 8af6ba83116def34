"""In-toto statements and the predicates that are read further."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import digests, json_objects

from chainward.formats import intoto
from chainward.formats.codec import MAX_DEPTH, encode_base64
from chainward.formats.errors import Malformed, TooLarge, Unsupported, Unwritable
from chainward.formats.intoto import ResourceDescriptor, Statement, decode_statement, encode_statement
from chainward.formats.slsa import Provenance, decode_provenance
from chainward.formats.testresult import Outcome, TestResult, decode_test_result
from chainward.formats.vsa import VerificationResult, VerificationSummary, decode_summary
from chainward.kernel.digest import Algorithm, Digest
from chainward.kernel.instant import InvalidInstant

IMAGE = Digest.of(b"image")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "_type": intoto.STATEMENT_V1,
    "subject": [{"name": "web", "digest": {"sha256": IMAGE.hex}}],
    "predicateType": intoto.TEST_RESULT,
    "predicate": {"result": "PASSED"},
}
PROVENANCE: dict[str, Any] = {
    "buildDefinition": {"buildType": "https://example.com/build/v1", "externalParameters": {}},
    "runDetails": {"builder": {"id": "https://example.com/builder"}},
}
SUMMARY: dict[str, Any] = {
    "verifier": {"id": "https://example.com/gate"},
    "timeVerified": "2026-11-23T12:00:00Z",
    "resourceUri": "oci://reg.example/web",
    "policy": {"uri": "https://example.com/policy"},
    "verificationResult": "PASSED",
    "verifiedLevels": ["SLSA_BUILD_LEVEL_2"],
}

resources = st.builds(
    ResourceDescriptor,
    st.text(max_size=5),
    digests().map(lambda digest: {digest.algorithm.value: digest.hex, "gitCommit": "c0ffee"}),
    st.text(max_size=5),
    st.text(max_size=5),
    st.text(max_size=5),
    st.binary(max_size=5),
    json_objects(),
)
resource_lists = st.lists(resources, max_size=2).map(tuple)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


def read(**changes: Any) -> Statement:
    document = {name: value for name, value in (DOCUMENT | changes).items() if value != "absent"}
    return decode_statement(json.dumps(document).encode())


@given(st.lists(resources, min_size=1, max_size=3).map(tuple), st.text(min_size=1), json_objects(floats=True))
def test_a_statement_reads_back_as_it_was_written(
    subjects: tuple[ResourceDescriptor, ...], predicate_type: str, predicate: dict[str, Any]
) -> None:
    statement = Statement(subjects, predicate_type, predicate)
    data = encode_statement(statement)
    assert decode_statement(data) == statement
    assert encode_statement(decode_statement(data)) == data


def test_a_statement_is_about_the_digests_of_its_subjects_and_no_other() -> None:
    statement = read()
    assert statement.is_about(IMAGE)
    assert not statement.is_about(Digest.of(b"other image"))
    assert not statement.is_about(Digest.of(b"image", Algorithm.SHA512))


def test_a_statement_of_version_0_1_is_read_and_written_as_version_1() -> None:
    old = read(_type=intoto.STATEMENT_V01)
    assert old == read()
    assert json.loads(encode_statement(old))["_type"] == intoto.STATEMENT_V1


def test_unknown_members_are_skipped_and_a_missing_predicate_is_empty() -> None:
    assert read(extra=1, subject=[{**DOCUMENT["subject"][0], "extra": 1}]) == read()
    assert read(predicate="absent").predicate == {}
    assert read(predicate=None).predicate == {}


def test_another_type_of_statement_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="Statement/v2"):
        read(_type="https://in-toto.io/Statement/v2")


@pytest.mark.parametrize(
    "changes",
    [
        {"_type": "absent"},
        {"subject": []},
        {"subject": "absent"},
        {"subject": [{"name": "web"}]},
        {"subject": [{"name": "web", "digest": {}}]},
        {"subject": [{"digest": {"sha256": IMAGE.hex.upper()}}]},
        {"subject": [{"digest": {"sha256": IMAGE.hex[:-1]}}]},
        {"subject": [{"digest": {"sha256": f"{IMAGE.hex}\n"}}]},
        {"subject": [{"digest": {"sha512": IMAGE.hex}}]},
        {"subject": [{"digest": {"sha256": 1}}]},
        {"subject": [{"digest": {"sha256": IMAGE.hex}, "content": "*"}]},
        {"predicateType": ""},
        {"predicateType": "absent"},
        {"predicate": []},
    ],
)
def test_a_statement_with_a_wrong_or_missing_part_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read(**changes)


def test_a_statement_above_its_limit_or_nested_too_deeply_is_refused() -> None:
    with pytest.raises(TooLarge):
        decode_statement(json.dumps(DOCUMENT).encode(), limit=10)
    nest: Any = 1
    for _ in range(MAX_DEPTH):
        nest = [nest]
    with pytest.raises(Malformed, match="128"):
        read(predicate={"a": nest})


@pytest.mark.parametrize(
    "statement",
    [
        Statement((), "x", {}),
        Statement((ResourceDescriptor("no digest"),), "x", {}),
        Statement((ResourceDescriptor.of("web", IMAGE),), "", {}),
        Statement((ResourceDescriptor.of("web", IMAGE),), "x", {"a": {1}}),
    ],
)
def test_a_statement_that_could_not_be_read_back_is_not_written(statement: Statement) -> None:
    with pytest.raises(Unwritable):
        encode_statement(statement)


def test_only_digests_of_accepted_algorithms_are_handed_out() -> None:
    resource = ResourceDescriptor(digest={"sha1": "abc", "sha512": "0" * 128, "sha256": "1" * 64})
    assert [digest.algorithm for digest in resource.digests()] == [Algorithm.SHA256, Algorithm.SHA512]


@given(
    st.builds(
        Provenance,
        build_type=st.text(min_size=1, max_size=5),
        external_parameters=json_objects(),
        builder_id=st.text(min_size=1, max_size=5),
        internal_parameters=json_objects(),
        resolved_dependencies=resource_lists,
        builder_version=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
        invocation_id=st.text(max_size=5),
        started_on=st.none() | instants,
        finished_on=st.none() | instants,
        byproducts=resource_lists,
    )
)
def test_provenance_reads_back_as_it_was_written(provenance: Provenance) -> None:
    statement = Statement((ResourceDescriptor.of("web", IMAGE),), intoto.SLSA_PROVENANCE, provenance.to_predicate())
    assert decode_provenance(decode_statement(encode_statement(statement)).predicate) == provenance


def test_minimal_provenance_of_others_is_read() -> None:
    provenance = decode_provenance(PROVENANCE | {"extra": 1})
    assert provenance.builder_id == "https://example.com/builder"
    assert provenance.started_on is None
    dependency = {"uri": "git+https://example.com/x", "digest": {"gitCommit": "c0ffee"}}
    definition = PROVENANCE["buildDefinition"] | {"resolvedDependencies": [dependency], "internalParameters": None}
    read_again = decode_provenance(PROVENANCE | {"buildDefinition": definition})
    assert read_again.resolved_dependencies[0].digest == {"gitCommit": "c0ffee"}


@pytest.mark.parametrize(
    "changes",
    [
        {"buildDefinition": {}},
        {"buildDefinition": {"buildType": "", "externalParameters": {}}},
        {"buildDefinition": {"buildType": "x"}},
        {"buildDefinition": {"buildType": "x", "externalParameters": []}},
        {"runDetails": {}},
        {"runDetails": {"builder": {}}},
        {"runDetails": {"builder": {"id": ""}}},
        {"runDetails": {"builder": {"id": ["https://example.com/builder"]}}},
    ],
)
def test_provenance_without_build_type_or_builder_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="slsa provenance"):
        decode_provenance(PROVENANCE | changes)


def test_provenance_with_a_time_that_is_none_is_refused() -> None:
    details = PROVENANCE["runDetails"] | {"metadata": {"startedOn": "yesterday"}}
    with pytest.raises(InvalidInstant):
        decode_provenance(PROVENANCE | {"runDetails": details})


@given(
    st.builds(
        VerificationSummary,
        verifier_id=st.text(min_size=1, max_size=5),
        time_verified=instants,
        resource_uri=st.text(min_size=1, max_size=5),
        policy_uri=st.text(max_size=5),
        policy_digest=st.none() | digests(),
        result=st.sampled_from(VerificationResult),
        verified_levels=st.lists(st.text(max_size=5), max_size=2).map(tuple),
        input_attestations=resource_lists,
        slsa_version=st.sampled_from(["", "1.2"]),
    )
)
def test_a_verification_summary_reads_back_as_it_was_written(summary: VerificationSummary) -> None:
    assert decode_summary(summary.to_predicate()) == summary


def test_a_verification_summary_of_others_is_read() -> None:
    summary = decode_summary(SUMMARY | {"dependencyLevels": {"SLSA_BUILD_LEVEL_1": 2}})
    assert summary.time_verified == NOON
    assert summary.result is VerificationResult.PASSED
    assert summary.policy_digest is None


@pytest.mark.parametrize(
    "changes",
    [
        {"verifier": {"id": ""}},
        {"resourceUri": ""},
        {"verificationResult": "passed"},
        {"verificationResult": "PASSED "},
        {"verifiedLevels": None},
        {"policy": None},
        {"policy": {"digest": {"sha256": "0"}}},
    ],
)
def test_a_verification_summary_that_is_not_clear_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="verification summary"):
        decode_summary(SUMMARY | changes)


def test_a_test_result_reads_back_as_it_was_written() -> None:
    result = TestResult(
        result=Outcome.WARNED,
        configuration=(ResourceDescriptor.of("pytest.ini", Digest.of(b"x")),),
        url="https://example.com/run/1",
        passed=("a", "b"),
        warned=("c",),
        failed=("d",),
    )
    assert decode_test_result(result.to_predicate()) == result
    assert decode_test_result(TestResult(result=Outcome.PASSED).to_predicate()) == TestResult(result=Outcome.PASSED)


@pytest.mark.parametrize("predicate", [{}, {"result": "passed"}, {"result": None}, {"result": "PASSED", "url": 1}])
def test_a_test_result_without_a_clear_outcome_is_malformed(predicate: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="test result"):
        decode_test_result(predicate)


def test_content_in_a_descriptor_is_read_as_bytes() -> None:
    subject = {"digest": {"sha256": IMAGE.hex}, "content": encode_base64(b"hello")}
    assert read(subject=[subject]).subjects[0].content == b"hello"
