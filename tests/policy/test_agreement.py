"""Two independent ways to the same answer: documents that are written from values and read back, and a plain oracle.

The oracle knows nothing of candidates, codes or order. It says in the shortest way when an image may pass; the product
must agree on every policy and all evidence.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.policy import evidence as make
from tests.policy.evidence import IMAGE, NOW, OTHER, QUESTION

from chainward.formats.intoto import CYCLONEDX, SLSA_PROVENANCE, TEST_RESULT, VSA
from chainward.policy.decide import decide
from chainward.policy.document import parse_policy
from chainward.policy.model import Evidence, Gate, Promotion, Question, SbomEvidence

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.trust.model import VerifiedStatement

NAMES = ["release", "ci", "security"]
SIGNER_LISTS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)
DAY = timedelta(days=1)


def optional(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=members)


REQUIRE = optional(
    signature=st.fixed_dictionaries({"signers": SIGNER_LISTS}, optional={"all": st.booleans()}),
    provenance=st.fixed_dictionaries(
        {"builders": st.just([make.BUILDER]), "signers": SIGNER_LISTS}, optional={"source": st.just([make.SOURCE])}
    ),
    sbom=st.fixed_dictionaries(
        {"signers": SIGNER_LISTS},
        optional={"complete": st.booleans(), "max-age": st.sampled_from(["1d", "10d", "48h"])},
    ),
    tests=st.fixed_dictionaries({"signers": SIGNER_LISTS}, optional={"result": st.just("passed")}),
    registry=st.fixed_dictionaries({"hosts": st.just(["registry.example"])}),
    age=st.fixed_dictionaries({"max-days": st.sampled_from([1, 5])}, optional={"of": st.just("image")}),
    promotion=st.fixed_dictionaries({"from": st.sampled_from(["dev", "staging"])}),
).filter(bool)
MATCH = optional(
    environments=st.lists(st.sampled_from(["staging", "prod"]), min_size=1, unique=True),
    repositories=st.sampled_from([["shop/**"], ["bank/**"], ["**"]]),
    tiers=st.sampled_from([["critical"], ["low"]]),
    gates=st.lists(st.sampled_from(["promote", "admit"]), min_size=1, unique=True),
)
RULES = st.lists(st.tuples(MATCH, REQUIRE), min_size=1, max_size=3)
TIMES = st.sampled_from([NOW - 20 * DAY, NOW - 3 * DAY, NOW - DAY / 2])


def document_of(rules: list[tuple[dict[str, Any], dict[str, Any]]]) -> bytes:
    listed = [
        {"id": f"rule-{number}", "match": match, "require": require} for number, (match, require) in enumerate(rules)
    ]
    whole = {"apiVersion": "chainward.dev/v1", "kind": "Policy", "name": "generated", "rules": listed}
    return yaml.safe_dump(whole, sort_keys=False).encode()


class NoAliases(yaml.SafeDumper):
    """A dumper that writes lists out each time, as a person would."""

    def ignore_aliases(self, data: Any) -> bool:
        return data is not None


@st.composite
def evidence(draw: st.DrawFn) -> Evidence:
    """Evidence in which good, bad and foreign pieces are about equally likely."""
    signers, digests = st.sampled_from(NAMES), st.sampled_from([IMAGE, IMAGE, IMAGE, OTHER])
    statements = draw(
        st.lists(
            st.one_of(
                st.builds(
                    make.provenance,
                    signers,
                    digests,
                    builder=st.sampled_from([make.BUILDER, make.BUILDER, "x:y"]),
                    source=st.sampled_from([make.SOURCE, make.SOURCE, "elsewhere"]),
                ),
                st.builds(make.run_of_tests, signers, digests, result=st.sampled_from(["PASSED", "FAILED"])),
                st.builds(make.sbom, signers, digests, serial=st.integers(0, 3)),
                st.builds(make.statement, st.just(VSA), st.just({}), signers, digests),
            ),
            max_size=7,
        )
    )
    sboms = [
        make.contents(
            each,
            complete=draw(st.booleans()),
            components=draw(st.sampled_from([0, 5, 5])),
            describes=draw(st.sampled_from([IMAGE, None, OTHER])),
            generated=draw(TIMES),
        )
        for each in statements
        if each.predicate_type == CYCLONEDX
    ]
    promotions = draw(st.lists(st.builds(Promotion, st.sampled_from(["dev", "staging"]), TIMES), max_size=2))
    return Evidence(
        revoked=draw(st.sampled_from([None, None, None, make.Revocation()])),
        statements=tuple(statements),
        sboms=tuple(sboms),
        promotions=tuple(promotions),
        host=draw(st.sampled_from(["registry.example", "evil.example"])),
        pushed_at=draw(TIMES | st.none()),
    )


QUESTIONS = st.builds(
    lambda environment, gate, tier: replace(QUESTION, environment=environment, gate=gate, tier=tier),
    st.sampled_from(["staging", "prod"]),
    st.sampled_from(Gate),
    st.sampled_from(["critical", "low", None]),
)


def applies(match: dict[str, Any], question: Question) -> bool:
    if question.environment not in match.get("environments", [question.environment]):
        return False
    if question.gate.value not in match.get("gates", ["promote", "admit"]):
        return False
    if question.tier is not None and question.tier not in match.get("tiers", [question.tier]):
        return False
    return match.get("repositories") != ["bank/**"]


def passes(kind: str, wanted: dict[str, Any], evidence: Evidence) -> bool:
    about = [each for each in evidence.statements if each.subjects == (IMAGE,)]
    mine = [each for each in about if each.signer in wanted.get("signers", [])]
    answers: dict[str, Callable[[], bool]] = {
        "signature": lambda: signed_well({each.signer for each in mine if each.predicate_type != VSA}, wanted),
        "provenance": lambda: any(good_build(each, wanted) for each in mine if each.predicate_type == SLSA_PROVENANCE),
        "sbom": lambda: any(good_sbom(sbom, wanted) for sbom in evidence.sboms for each in mine if holds(each, sbom)),
        "tests": lambda: any(good_tests(each) for each in mine if each.predicate_type == TEST_RESULT),
        "registry": lambda: evidence.host == "registry.example",
        "age": lambda: evidence.pushed_at is not None and NOW - evidence.pushed_at < wanted["max-days"] * DAY,
        "promotion": lambda: wanted["from"] in {each.environment for each in evidence.promotions},
    }
    return answers[kind]()


def signed_well(signed: set[str], wanted: dict[str, Any]) -> bool:
    return set(wanted["signers"]) <= signed if wanted.get("all") else bool(signed)


def holds(statement: VerifiedStatement, sbom: SbomEvidence) -> bool:
    return statement.predicate_type == CYCLONEDX and statement.bundle_digest == sbom.bundle


def good_tests(statement: VerifiedStatement) -> bool:
    return bool(statement.statement.predicate["result"] == "PASSED")


def good_build(statement: VerifiedStatement, wanted: dict[str, Any]) -> bool:
    predicate = statement.statement.predicate
    source = predicate["buildDefinition"]["externalParameters"]["source"]
    return predicate["runDetails"]["builder"]["id"] == make.BUILDER and source in wanted.get("source", [source])


def good_sbom(sbom: SbomEvidence, wanted: dict[str, Any]) -> bool:
    ages = {"1d": DAY, "10d": 10 * DAY, "48h": 2 * DAY}
    assert sbom.generated_at is not None
    return (
        sbom.components > 0
        and sbom.subject_digest != OTHER
        and (sbom.complete or not wanted.get("complete", True))
        and ("max-age" not in wanted or NOW - sbom.generated_at < ages[wanted["max-age"]])
    )


def may_pass(rules: list[tuple[dict[str, Any], dict[str, Any]]], question: Question, evidence: Evidence) -> bool:
    applied = [require for match, require in rules if applies(match, question)]
    demanded = [(kind, wanted) for require in applied for kind, wanted in require.items()]
    return evidence.revoked is None and bool(demanded) and all(passes(*each, evidence) for each in demanded)


def read(rules: list[tuple[dict[str, Any], dict[str, Any]]]) -> bytes:
    return yaml.dump(yaml.safe_load(document_of(rules)), Dumper=NoAliases, sort_keys=False).encode()


@given(RULES, QUESTIONS, evidence())
def test_the_decision_is_the_one_that_a_plain_reading_gives(
    rules: list[tuple[dict[str, Any], dict[str, Any]]], question: Question, evidence: Evidence
) -> None:
    decision = decide(parse_policy(read(rules)), question, evidence)
    assert decision.allowed == may_pass(rules, question, evidence)


@given(RULES, QUESTIONS, evidence())
def test_every_check_that_was_demanded_is_listed_once_and_no_other(
    rules: list[tuple[dict[str, Any], dict[str, Any]]], question: Question, evidence: Evidence
) -> None:
    decision = decide(parse_policy(read(rules)), question, evidence)
    listed = [(check.rule, check.name) for check in decision.checks if check.rule != "platform"]
    demanded = [
        (f"rule-{number}", kind)
        for number, (match, require) in enumerate(rules)
        if applies(match, question)
        for kind in require
    ]
    assert sorted(listed) == sorted(demanded)
    for check in decision.checks:
        if check.rule != "platform":
            wanted = rules[int(check.rule.removeprefix("rule-"))][1][check.name]
            assert (check.outcome == "pass") == passes(check.name, wanted, evidence)


@given(RULES)
def test_a_document_that_is_written_from_values_is_read_as_those(
    rules: list[tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    policy = parse_policy(read(rules))
    assert [rule.id for rule in policy.rules] == [f"rule-{number}" for number in range(len(rules))]
    for rule, (match, require) in zip(policy.rules, rules, strict=True):
        assert {each.kind for each in rule.requirements} == set(require)
        assert list(rule.match.environments) == match.get("environments", [])
        assert [str(each) for each in rule.match.repositories] == match.get("repositories", [])
        assert list(rule.match.tiers) == match.get("tiers", [])
        for each in rule.requirements:
            if "signers" in require[each.kind]:
                assert list(each.parameters.signers) == require[each.kind]["signers"]


@given(RULES)
def test_the_style_in_which_yaml_is_written_makes_no_difference(
    rules: list[tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    value = yaml.safe_load(document_of(rules))
    flow = yaml.dump(value, Dumper=NoAliases, default_flow_style=True).encode()
    block = yaml.dump(value, Dumper=NoAliases, default_flow_style=False, indent=6).encode()
    assert parse_policy(flow).rules == parse_policy(block).rules
