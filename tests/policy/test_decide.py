"""The decision: positive assertion, purity, totality, and what evidence can and cannot change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policy import evidence as make
from tests.policy.evidence import (
    IMAGE,
    NOTHING,
    NOW,
    OTHER,
    QUESTION,
    Revocation,
    check_named,
    everything,
    later,
    policy,
)

from chainward.faces.cli import cli
from chainward.formats.intoto import CYCLONEDX, SLSA_PROVENANCE, TEST_RESULT, VSA
from chainward.kernel.name import RepositoryName
from chainward.policy.decide import decide
from chainward.policy.document import parse_policy
from chainward.policy.model import Evidence, Gate, Outcome, Policy, Promotion, RejectedEvidence, Rule, SbomEvidence
from chainward.policy.rules import BY_NAME, KINDS
from chainward.policy.starter import starter_policy

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from chainward.policy.model import Decision, Question

ALL_KINDS = (
    "signature: {signers: [release, ci], all: true}, provenance: {builders: ['https://chainward.example/builders/*']}, "
    "sbom: {max-age: 30d}, tests: {}, registry: {hosts: [registry.example]}, age: {max-days: 30}, "
    "promotion: {from: staging}"
)
STARTER = parse_policy(starter_policy())


def codes(decision: Decision) -> set[str]:
    return {check.code for check in decision.failures}


# Positive assertion


def test_an_image_that_has_everything_is_allowed_and_every_check_is_listed() -> None:
    evidence = replace(everything(), statements=(*everything().statements, make.run_of_tests("ci")))
    decision = decide(policy(ALL_KINDS), QUESTION, evidence)
    assert decision.allowed
    assert [check.name for check in decision.checks] == ["revocation", *(kind.name for kind in KINDS)]
    assert decision.failures == ()


def test_an_image_that_has_nothing_is_denied_by_every_check() -> None:
    decision = decide(policy(ALL_KINDS), QUESTION, NOTHING)
    assert not decision.allowed
    assert len(decision.failures) == len(KINDS)


def test_a_policy_that_matches_nothing_denies() -> None:
    value = policy("age: {max-days: 30}", rule="match: {environments: [dev]}")
    decision = decide(value, QUESTION, everything())
    assert not decision.allowed
    assert codes(decision) == {"policy-no-match"}


def test_a_policy_without_rules_denies() -> None:
    assert not decide(Policy("empty", (), OTHER), QUESTION, everything()).allowed


def test_a_rule_that_demands_nothing_allows_nothing_by_itself() -> None:
    """The document reader refuses such a rule; a decision does not rely on that."""
    rule = Rule("hollow", policy("age: {max-days: 1}").rules[0].match, ())
    decision = decide(Policy("hollow", (rule,), OTHER), QUESTION, everything())
    assert not decision.allowed


def test_every_rule_that_applies_must_pass() -> None:
    document = b"""apiVersion: chainward.dev/v1
kind: Policy
name: two
rules:
  - id: easy
    require: {registry: {repositories: ["**"]}}
  - id: hard
    require: {promotion: {from: qa}}
"""
    decision = decide(parse_policy(document), QUESTION, everything())
    assert not decision.allowed
    assert [(check.rule, check.outcome) for check in decision.checks if check.rule != "platform"] == [
        ("easy", Outcome.PASS),
        ("hard", Outcome.MISSING),
    ]


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_an_exception_in_a_rule_is_an_error_and_denies(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> Any:
        raise RecursionError("deep")

    evidence = replace(everything(), statements=(*everything().statements, make.run_of_tests("ci")))
    monkeypatch.setitem(BY_NAME, kind, replace(BY_NAME[kind], judge=explode))
    decision = decide(policy(ALL_KINDS), QUESTION, evidence)
    assert not decision.allowed
    check = check_named(decision, kind)
    assert (check.outcome, check.code) == (Outcome.ERROR, "check-error")
    assert "RecursionError" in check.message


@pytest.mark.parametrize("judgement", [None, True, "pass", ()])
def test_a_rule_that_answers_something_else_than_a_judgement_denies(
    judgement: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BY_NAME, "age", replace(BY_NAME["age"], judge=lambda *_: judgement))
    assert not decide(policy("age: {max-days: 30}"), QUESTION, everything()).allowed


def test_a_rule_kind_that_is_not_known_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    value = policy("age: {max-days: 30}")
    monkeypatch.delitem(BY_NAME, "age")
    decision = decide(value, QUESTION, everything())
    assert not decision.allowed
    assert codes(decision) == {"check-error"}


def test_an_exception_while_a_rule_is_matched_denies() -> None:
    class Broken:
        def covers(self, _: Question) -> bool:
            raise ValueError("broken")

    good = policy("age: {max-days: 30}").rules[0]
    rule = Rule("broken", Broken(), good.requirements)  # type: ignore[arg-type]  # on purpose
    decision = decide(Policy("two", (good, rule), OTHER), QUESTION, everything())
    assert not decision.allowed
    assert codes(decision) == {"check-error"}


def test_a_revoked_image_is_denied_whatever_else_speaks_for_it() -> None:
    decision = decide(policy("age: {max-days: 30}"), QUESTION, replace(everything(), revoked=Revocation()))
    assert not decision.allowed
    assert codes(decision) == {"artifact-revoked"}
    assert "compromised" in decision.failures[0].message


def test_a_revocation_that_cannot_be_told_still_revokes() -> None:
    class Odd:
        reason = "odd"
        revoked_at = None

    odd: Any = Odd()
    assert not decide(policy("age: {max-days: 30}"), QUESTION, replace(everything(), revoked=odd)).allowed


# Where a rule applies


@pytest.mark.parametrize(
    ("match", "applies"),
    [
        ("{}", True),
        ("{environments: [staging, prod]}", True),
        ("{environments: [staging]}", False),
        ("{repositories: ['shop/*']}", True),
        ("{repositories: ['bank/*', 'shop']}", False),
        ("{gates: [admit]}", True),
        ("{gates: [promote]}", False),
        ("{tiers: [critical, low]}", True),
        ("{tiers: [low]}", False),
        ("{environments: [prod], repositories: ['shop/**'], gates: [admit], tiers: [critical]}", True),
        ("{environments: [prod], repositories: ['shop/**'], gates: [promote], tiers: [critical]}", False),
    ],
)
def test_a_rule_applies_where_all_of_its_match_does(match: str, applies: bool) -> None:  # noqa: FBT001
    value = policy("age: {max-days: 30}", rule=f"match: {match}")
    assert decide(value, QUESTION, everything()).allowed == applies


def test_an_image_of_no_declared_service_is_held_to_the_rules_of_every_tier() -> None:
    """Otherwise whoever pushes to an undeclared repository would escape the rules of the strict tiers."""
    document = b"""apiVersion: chainward.dev/v1
kind: Policy
name: tiers
rules:
  - id: all
    require: {registry: {repositories: ["**"]}}
  - id: critical
    match: {tiers: [critical]}
    require: {promotion: {from: qa}}
"""
    value = parse_policy(document)
    assert decide(value, replace(QUESTION, tier="low"), everything()).allowed
    assert not decide(value, replace(QUESTION, tier="critical"), everything()).allowed
    assert not decide(value, replace(QUESTION, tier=None), everything()).allowed


# Time


@pytest.mark.parametrize(
    ("require", "until"),
    [
        ("registry: {repositories: ['**']}", None),
        ("age: {max-days: 30}", timedelta(days=29)),
        ("sbom: {max-age: 3d}", timedelta(days=2)),
        ("age: {max-days: 30}, sbom: {max-age: 3d}", timedelta(days=2)),
        ("age: {max-days: 2, of: predicate}, sbom: {max-age: 30d}", timedelta(days=1)),
        ("sbom: {}", None),
    ],
)
def test_a_decision_says_until_when_it_holds_and_flips_then(require: str, until: timedelta | None) -> None:
    value = policy(require, rule="signers: [release]")
    decision = decide(value, QUESTION, everything())
    assert decision.allowed
    assert decision.valid_until == (None if until is None else NOW + until)
    if until is not None:
        assert decide(value, later(until - timedelta(microseconds=1)), everything()).allowed
        assert not decide(value, later(until), everything()).allowed


def test_a_no_that_time_will_lift_says_until_when() -> None:
    evidence = replace(everything(), pushed_at=NOW + timedelta(hours=1))
    decision = decide(policy("age: {max-days: 30}"), QUESTION, evidence)
    assert codes(decision) == {"age-ahead"}
    assert decision.valid_until is not None
    assert decide(policy("age: {max-days: 30}"), replace(QUESTION, now=decision.valid_until), evidence).allowed


def test_among_statements_that_pass_the_one_that_lasts_longest_counts() -> None:
    builds = (make.provenance(finished=NOW - timedelta(days=20)), make.provenance(finished=NOW - timedelta(days=3)))
    evidence = Evidence(revoked=None, statements=builds)
    value = policy("age: {max-days: 30, of: predicate}", rule="signers: [release]")
    assert decide(value, QUESTION, evidence).valid_until == NOW + timedelta(days=27)


def test_a_date_at_the_end_of_time_does_not_break_a_check() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    question = replace(QUESTION, now=last)
    decision = decide(policy("age: {max-days: 30}"), question, replace(everything(), pushed_at=last))
    assert decision.allowed
    assert decision.valid_until is None


# The starter policy

STAGES = [
    ("dev", {"signature-missing"}),
    ("staging", {"signature-missing", "provenance-missing", "sbom-missing", "tests-missing"}),
    ("prod", {"signature-missing", "provenance-missing", "sbom-missing", "tests-missing", "promotion-missing"}),
    ("qa", {"policy-no-match"}),
]


@pytest.mark.parametrize(("environment", "expected"), STAGES)
def test_the_starter_policy_demands_more_from_stage_to_stage(environment: str, expected: set[str]) -> None:
    for gate in Gate:
        question = replace(QUESTION, environment=environment, gate=gate)
        assert codes(decide(STARTER, question, NOTHING)) == expected
        assert decide(STARTER, question, everything()).allowed == (environment != "qa")


@pytest.mark.parametrize("missing", [SLSA_PROVENANCE, CYCLONEDX, TEST_RESULT])
def test_the_starter_policy_lets_nothing_into_prod_that_lacks_a_statement(missing: str) -> None:
    whole = everything()
    evidence = replace(whole, statements=tuple(each for each in whole.statements if each.predicate_type != missing))
    assert not decide(STARTER, QUESTION, evidence).allowed


# What a developer reads


def test_every_refusal_names_a_command_that_exists() -> None:
    wrong = (make.provenance(builder="x:y"), make.run_of_tests(result="FAILED"), make.sbom())
    old = replace(everything(), statements=wrong, sboms=(), pushed_at=NOW - timedelta(days=60), host="evil.example")
    for evidence in (NOTHING, old, replace(everything(), statements=(make.run_of_tests("ci"),), revoked=Revocation())):
        for check in decide(policy(ALL_KINDS), QUESTION, evidence).failures:
            assert check.next_step
            for step in check.next_step.split(" && "):
                program, verb, *words = step.split(" -- ")[0].split()
                command = cli.get_command(click.Context(cli), verb)
                assert (program, command is None) == ("chainward", False), step
                known = {option for parameter in command.params for option in parameter.opts} if command else set()
                used = {word for word in words if word.startswith("-")}
                assert used <= known, step


# Properties

SIGNERS = st.sampled_from(["release", "ci", "platform", "*"])
DIGESTS = st.sampled_from([IMAGE, OTHER])
INSTANTS = st.datetimes(timezones=st.just(UTC)) | st.sampled_from(
    [NOW, NOW - timedelta(days=1), NOW + timedelta(days=1)]
)
JUNK: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
STATEMENTS = st.one_of(
    st.builds(
        make.provenance,
        SIGNERS,
        DIGESTS,
        builder=st.sampled_from([make.BUILDER, "x:y"]),
        finished=INSTANTS | st.none(),
        source=JUNK,
    ),
    st.builds(make.run_of_tests, SIGNERS, DIGESTS, result=st.sampled_from(["PASSED", "FAILED"])),
    st.builds(make.sbom, SIGNERS, DIGESTS, serial=st.integers(0, 1)),
    st.builds(
        make.statement,
        st.sampled_from([SLSA_PROVENANCE, CYCLONEDX, TEST_RESULT, VSA, "x:y"]),
        st.dictionaries(st.sampled_from(["buildDefinition", "runDetails", "result", "x"]), JUNK, max_size=3),
        SIGNERS,
        DIGESTS,
    ),
)


@st.composite
def gathered(draw: st.DrawFn) -> Evidence:
    """Evidence of any quality, never revoked."""
    statements = tuple(draw(st.lists(STATEMENTS, max_size=5)))
    bundles = st.sampled_from([each.bundle_digest for each in statements] or [OTHER])
    sboms = st.builds(
        SbomEvidence,
        bundle=bundles,
        format=st.sampled_from(["CycloneDX 1.6", "SPDX", ""]),
        components=st.integers(-1, 3),
        complete=st.booleans(),
        subject_digest=DIGESTS | st.none(),
        generated_at=INSTANTS | st.none(),
    )
    rejected = st.builds(RejectedEvidence, st.text(max_size=5), st.text(max_size=5), DIGESTS)
    return Evidence(
        revoked=None,
        statements=statements,
        sboms=tuple(draw(st.lists(sboms, max_size=4))),
        rejected=tuple(draw(st.lists(rejected, max_size=3))),
        promotions=tuple(
            draw(st.lists(st.builds(Promotion, st.sampled_from(["dev", "staging"]), INSTANTS), max_size=3))
        ),
        host=draw(st.sampled_from(["registry.example", "evil.example", ""])),
        pushed_at=draw(INSTANTS | st.none()),
    )


POLICIES = st.sampled_from(
    [
        STARTER,
        policy(ALL_KINDS),
        policy("signature: {signers: ['*']}"),
        policy("sbom: {max-age: 2d}, tests: {}", rule="signers: [release]"),
        policy("provenance: {builders: ['**']}", rule="signers: [ci, release]"),
        policy("age: {max-days: 2, of: predicate}", rule="signers: ['*']"),
        policy("age: {max-days: 2}, promotion: {from: staging}, registry: {hosts: [registry.example]}"),
    ]
)
QUESTIONS = st.builds(
    lambda environment, gate, now, tier: replace(QUESTION, environment=environment, gate=gate, now=now, tier=tier),
    st.sampled_from(["dev", "staging", "prod", ""]),
    st.sampled_from(Gate),
    INSTANTS,
    st.sampled_from(["critical", None]),
)
COLLECTIONS = ("statements", "rejected", "sboms", "promotions")


@given(POLICIES, QUESTIONS, gathered())
def test_arbitrary_evidence_gives_a_decision_and_never_an_exception(
    value: Policy, question: Question, evidence: Evidence
) -> None:
    decision = decide(value, question, evidence)
    assert decision.allowed == (decision.failures == ())
    assert decision.checks
    assert all(check.outcome is not Outcome.ERROR for check in decision.checks)
    assert decide(value, question, evidence) == decision
    if decision.valid_until is not None:
        assert decision.valid_until > question.now


@given(POLICIES, QUESTIONS, gathered(), st.data())
def test_removing_evidence_never_turns_a_no_into_a_yes(
    value: Policy, question: Question, evidence: Evidence, data: st.DataObject
) -> None:
    if decide(value, question, evidence).allowed:
        return
    less: dict[str, Any] = {
        name: tuple(item for item in getattr(evidence, name) if data.draw(st.booleans())) for name in COLLECTIONS
    }
    less_evidence = replace(evidence, **less, pushed_at=None if data.draw(st.booleans()) else evidence.pushed_at)
    assert not decide(value, question, less_evidence).allowed


@given(POLICIES, QUESTIONS, gathered(), st.data())
def test_evidence_that_was_rejected_or_is_about_something_else_never_opens_a_gate(
    value: Policy, question: Question, evidence: Evidence, data: st.DataObject
) -> None:
    before = decide(value, question, evidence)
    elsewhere = st.builds(make.provenance, SIGNERS, st.just(OTHER)) | st.builds(
        make.run_of_tests, SIGNERS, st.just(OTHER)
    )
    rejected = RejectedEvidence("signer-unknown", "signed by a stranger", IMAGE)
    more = replace(
        evidence,
        statements=(*evidence.statements, *data.draw(st.lists(elsewhere, max_size=3))),
        rejected=(*evidence.rejected, rejected),
    )
    assert decide(value, question, more).allowed == before.allowed


@given(POLICIES, QUESTIONS, gathered(), st.randoms(use_true_random=False))
def test_the_order_of_evidence_and_rules_makes_no_difference(
    value: Policy, question: Question, evidence: Evidence, random: Any
) -> None:
    shuffled: dict[str, Any] = {
        name: tuple(random.sample(getattr(evidence, name), len(getattr(evidence, name)))) for name in COLLECTIONS
    }
    rules = tuple(random.sample(value.rules, len(value.rules)))
    assert decide(replace(value, rules=rules), question, replace(evidence, **shuffled)) == decide(
        value, question, evidence
    )


@given(POLICIES, QUESTIONS, gathered())
def test_a_decision_holds_until_the_instant_it_names(value: Policy, question: Question, evidence: Evidence) -> None:
    decision = decide(value, question, evidence)
    end = decision.valid_until
    if end is not None and end - question.now > timedelta(microseconds=1):
        middle = question.now + (end - question.now) / 2
        for now in (middle, end - timedelta(microseconds=1)):
            assert decide(value, replace(question, now=now), evidence).allowed == decision.allowed


@given(POLICIES, QUESTIONS, gathered())
def test_a_revocation_denies_with_any_evidence(value: Policy, question: Question, evidence: Evidence) -> None:
    assert not decide(value, question, replace(evidence, revoked=Revocation())).allowed


@given(QUESTIONS, gathered(), st.sampled_from(["bank/core", "web", "shop"]))
def test_no_evidence_opens_a_gate_to_which_no_rule_leads(
    question: Question, evidence: Evidence, repository: str
) -> None:
    value = policy("age: {max-days: 30}", rule="match: {repositories: ['shop/*']}")
    assert not decide(value, replace(question, repository=RepositoryName(repository)), evidence).allowed
