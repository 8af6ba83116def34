"""Each kind of rule: every way in which a check can end, told by its code."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.policy import evidence as make
from tests.policy.evidence import IMAGE, NOTHING, NOW, OTHER, QUESTION, check_named, policy

from chainward.formats.intoto import CYCLONEDX, SLSA_PROVENANCE, TEST_RESULT, VSA
from chainward.kernel.name import RepositoryName
from chainward.policy.decide import BUILT_IN, decide
from chainward.policy.errors import PolicyInvalid
from chainward.policy.model import Evidence, Outcome, Promotion, RejectedEvidence
from chainward.policy.rules import KINDS
from chainward.trust.identity import Identity, IdentityKind
from chainward.trust.model import SEAL, VerifiedStatement

if TYPE_CHECKING:
    from chainward.kernel.digest import Digest
    from chainward.policy.model import Check, SbomEvidence

STRANGER = RejectedEvidence("signer-unknown", "signed by a stranger", OTHER)


def ending(require: str, evidence: Evidence, *, rule: str = "signers: [release]") -> Check:
    """How the one check of a policy ends."""
    decision = decide(policy(require, rule=rule), QUESTION, evidence)
    check = check_named(decision, require.partition(":")[0])
    assert decision.allowed == (check.outcome is Outcome.PASS)
    assert check.message
    assert bool(check.next_step) == (check.outcome is not Outcome.PASS)
    return check


def having(*statements: VerifiedStatement, sboms: tuple[SbomEvidence, ...] = (), rejected: bool = False) -> Evidence:
    return Evidence(revoked=None, statements=statements, sboms=sboms, rejected=(STRANGER,) if rejected else ())


# signature

SIGNATURES = [
    ("{signers: [release]}", ["release"], "signature-valid"),
    ("{signers: [release]}", ["ci", "release"], "signature-valid"),
    ("{signers: [release, security]}", ["security"], "signature-valid"),
    ("{signers: ['*']}", ["anybody"], "signature-valid"),
    ("{signers: ['ci-*']}", ["ci-shop"], "signature-valid"),
    ("{signers: ['ci-*']}", ["ci"], "signature-wrong-signer"),
    ("{signers: [release]}", ["ci"], "signature-wrong-signer"),
    ("{signers: [release]}", [], "signature-missing"),
    ("{signers: [release, security], all: true}", ["release", "security"], "signature-valid"),
    ("{signers: [release, security], all: true}", ["release"], "signature-incomplete"),
    ("{signers: [release, security], all: true}", ["release", "release"], "signature-incomplete"),
    ("{signers: [release, security], all: true}", ["ci"], "signature-wrong-signer"),
    (f"{{signers: ['key:{make.fingerprint('ci')}']}}", ["ci"], "signature-valid"),
    (f"{{signers: ['key:{make.fingerprint('ci')}']}}", ["release"], "signature-wrong-signer"),
]


@pytest.mark.parametrize(("parameters", "signers", "code"), SIGNATURES)
def test_a_signature_is_judged_by_who_signed(parameters: str, signers: list[str], code: str) -> None:
    statements = [make.run_of_tests(signer) for signer in signers]
    assert ending(f"signature: {parameters}", having(*statements)).code == code


def test_two_demanded_signers_are_not_satisfied_by_one_who_signed_twice() -> None:
    """sigstore/policy-controller#130: a policy that demands two attestations passed with one."""
    check = ending("signature: {signers: [a, b], all: true}", having(make.run_of_tests("a"), make.provenance("a")))
    assert check.code == "signature-incomplete"
    assert "not by b" in check.message


def test_a_name_that_looks_like_a_pattern_to_the_signer_is_no_pattern() -> None:
    assert (
        ending("signature: {signers: [release]}", having(make.run_of_tests("release-old"))).code
        == "signature-wrong-signer"
    )


def test_a_signer_cannot_pass_for_a_key_by_its_name() -> None:
    named = make.run_of_tests(make.fingerprint("release"))
    check = ending(f"signature: {{signers: ['key:{make.fingerprint('release')}']}}", having(named))
    assert check.code == "signature-wrong-signer"


def test_a_stranger_is_told_as_one() -> None:
    check = ending("signature: {}", having(rejected=True))
    assert (check.code, check.outcome) == ("signature-rejected", Outcome.FAIL)
    assert "signed by a stranger" in check.message


def test_the_platforms_own_summary_is_no_signature_of_a_maker() -> None:
    assert (
        ending("signature: {signers: ['*']}", having(make.statement(VSA, {}, "platform"))).code == "signature-missing"
    )


def test_a_signature_on_another_image_is_none_on_this() -> None:
    assert ending("signature: {}", having(make.run_of_tests(about=OTHER))).code == "signature-missing"


# provenance

PROVENANCE = (
    "provenance: {builders: ['https://chainward.example/builders/*'], source: ['git+https://git.example/shop/**']}"
)


def test_provenance_by_an_accepted_builder_from_an_accepted_source_is_valid() -> None:
    assert ending(PROVENANCE, having(make.provenance())).code == "provenance-valid"


@pytest.mark.parametrize(
    "builder",
    [
        "https://evil.example/builders/x",
        "https://chainward.example/builders/a/b",
        "x https://chainward.example/builders/a",
    ],
)
def test_another_builder_is_refused(builder: str) -> None:
    check = ending(PROVENANCE, having(make.provenance(builder=builder)))
    assert check.code == "provenance-wrong-builder"
    assert builder in check.message


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("git+https://git.example/shop/web/sub", "provenance-valid"),
        ({"uri": "git+https://git.example/shop/web"}, "provenance-valid"),
        ("git+https://git.example/other", "provenance-wrong-source"),
        ("git+https://evil.example/?git+https://git.example/shop/web", "provenance-wrong-source"),
        ({}, "provenance-wrong-source"),
        (["git+https://git.example/shop/web"], "provenance-wrong-source"),
        (None, "provenance-wrong-source"),
    ],
)
def test_the_source_is_what_the_builder_was_told_to_build(source: object, code: str) -> None:
    assert ending(PROVENANCE, having(make.provenance(source=source))).code == code


def test_a_dependency_does_not_pass_for_the_source() -> None:
    demanded = "provenance: {builders: ['**'], source: ['git+https://git.example/trusted/**']}"
    assert ending(demanded, having(make.provenance())).code == "provenance-wrong-source"


def test_the_repository_of_a_workflow_is_a_source() -> None:
    stated = make.provenance().statement.predicate
    stated["buildDefinition"]["externalParameters"] = {"workflow": {"repository": make.SOURCE}}
    assert ending(PROVENANCE, having(make.statement(SLSA_PROVENANCE, stated))).code == "provenance-valid"


def test_any_source_will_do_where_none_is_named() -> None:
    assert ending("provenance: {builders: ['**']}", having(make.provenance(source=None))).code == "provenance-valid"


def test_a_valid_sbom_by_the_right_signer_does_not_make_provenance_by_another_count() -> None:
    """sigstore/policy-controller#130, the other way: each statement answers for itself."""
    check = ending(PROVENANCE, having(make.provenance("ci"), make.sbom("release"), make.run_of_tests("release")))
    assert check.code == "provenance-wrong-signer"
    assert "ci" in check.message


def test_a_good_builder_in_one_statement_does_not_lend_itself_to_the_source_in_another() -> None:
    halves = (
        make.provenance(source="git+https://git.example/other"),
        make.provenance(builder="https://evil.example/b"),
    )
    assert ending(PROVENANCE, having(*halves)).code == "provenance-wrong-source"


@pytest.mark.parametrize("predicate", [{}, {"buildDefinition": 1}, {"runDetails": {"builder": {"id": make.BUILDER}}}])
def test_provenance_that_cannot_be_read_is_refused(predicate: dict[str, object]) -> None:
    assert ending(PROVENANCE, having(make.statement(SLSA_PROVENANCE, predicate))).code == "provenance-unreadable"


def test_provenance_of_another_image_is_told_apart_from_none() -> None:
    assert ending(PROVENANCE, having(make.provenance(about=OTHER))).code == "provenance-other-digest"
    missing = ending(PROVENANCE, having(make.sbom(), rejected=True))
    assert (missing.code, missing.outcome) == ("provenance-missing", Outcome.MISSING)
    assert "signer-unknown" in missing.message


# sbom


def with_sbom(*, signer: str = "release", about: Digest = IMAGE, **members: object) -> Evidence:
    statement = make.sbom(signer, about)
    return having(statement, sboms=(make.contents(statement, **members),))  # type: ignore[arg-type]  # as given below


SBOMS = [
    ("{}", with_sbom(), "sbom-valid"),
    ("{formats: [cyclonedx], complete: true, max-age: 2d}", with_sbom(), "sbom-valid"),
    ("{}", with_sbom(describes=None), "sbom-valid"),
    ("{}", NOTHING, "sbom-missing"),
    ("{}", having(make.provenance()), "sbom-missing"),
    ("{}", with_sbom(complete=False), "sbom-incomplete"),
    ("{complete: false}", with_sbom(complete=False), "sbom-valid"),
    ("{}", with_sbom(describes=OTHER), "sbom-other-digest"),
    ("{}", with_sbom(about=OTHER), "sbom-other-digest"),
    ("{}", with_sbom(signer="ci"), "sbom-wrong-signer"),
    ("{}", with_sbom(components=0), "sbom-empty"),
    ("{complete: false}", with_sbom(components=-1), "sbom-empty"),
    ("{}", with_sbom(form="SPDX 2.3"), "sbom-wrong-format"),
    ("{}", having(make.sbom()), "sbom-unreadable"),
    ("{max-age: 12h}", with_sbom(), "sbom-too-old"),
    ("{max-age: 1d}", with_sbom(), "sbom-too-old"),
    ("{max-age: 25h}", with_sbom(), "sbom-valid"),
    ("{max-age: 2d}", with_sbom(generated=None), "sbom-undated"),
    ("{}", with_sbom(generated=None), "sbom-valid"),
    ("{max-age: 2d}", with_sbom(generated=NOW + timedelta(hours=1)), "sbom-undated"),
    ("{max-age: 2d}", with_sbom(generated=NOW + timedelta(minutes=5)), "sbom-valid"),
]


@pytest.mark.parametrize(("parameters", "evidence", "code"), SBOMS)
def test_an_sbom_is_judged_by_what_it_says(parameters: str, evidence: Evidence, code: str) -> None:
    assert ending(f"sbom: {parameters}", evidence).code == code


def test_no_sbom_an_incomplete_one_and_one_of_another_image_are_told_apart() -> None:
    codes = {ending("sbom: {}", each).code for each in (NOTHING, with_sbom(complete=False), with_sbom(describes=OTHER))}
    assert codes == {"sbom-missing", "sbom-incomplete", "sbom-other-digest"}


def test_one_good_sbom_is_enough_whatever_lies_beside_it() -> None:
    bad, good = make.sbom(serial=1), make.sbom(serial=2)
    both = (make.contents(bad, complete=False), make.contents(good))
    assert ending("sbom: {}", having(bad, good, sboms=both)).code == "sbom-valid"


def test_the_contents_of_one_bundle_do_not_speak_for_another() -> None:
    """An SBOM by a stranger is complete; ours is not: the complete contents must not be taken for ours."""
    ours, theirs = make.sbom("release"), make.sbom("ci")
    both = (make.contents(ours, complete=False), make.contents(theirs))
    assert ending("sbom: {}", having(ours, theirs, sboms=both)).code == "sbom-incomplete"


# tests


@pytest.mark.parametrize(
    ("statements", "code"),
    [
        ((make.run_of_tests(),), "tests-passed"),
        ((make.run_of_tests(result="FAILED"),), "tests-not-passed"),
        ((make.run_of_tests(result="WARNED"),), "tests-not-passed"),
        ((make.run_of_tests(result="FAILED"), make.run_of_tests()), "tests-passed"),
        ((make.statement(TEST_RESULT, {"result": "passed"}),), "tests-unreadable"),
        ((make.statement(TEST_RESULT, {}),), "tests-unreadable"),
        ((make.run_of_tests("ci"),), "tests-wrong-signer"),
        ((make.run_of_tests(about=OTHER),), "tests-other-digest"),
        ((make.statement(CYCLONEDX, {"result": "PASSED"}),), "tests-missing"),
    ],
)
def test_a_test_result_is_judged_by_how_it_ended(statements: tuple[VerifiedStatement, ...], code: str) -> None:
    assert ending("tests: {result: passed}", having(*statements)).code == code


# registry


@pytest.mark.parametrize(
    ("parameters", "host", "code"),
    [
        ("{hosts: ['registry.example:8420']}", "registry.example:8420", "registry-accepted"),
        ("{hosts: ['registry.example:8420']}", "Registry.Example:8420", "registry-accepted"),
        ("{hosts: ['registry.example']}", "registry.example:8420", "registry-wrong-host"),
        ("{hosts: ['registry.example']}", "registry.example.evil.test", "registry-wrong-host"),
        ("{hosts: ['registry.example']}", "", "registry-wrong-host"),
        ("{repositories: ['shop/*']}", "", "registry-accepted"),
        ("{repositories: ['shop/api', 'bank/**']}", "", "registry-wrong-repository"),
        ("{hosts: [a], repositories: ['bank/**']}", "a", "registry-wrong-repository"),
    ],
)
def test_a_registry_is_judged_by_host_and_repository(parameters: str, host: str, code: str) -> None:
    assert ending(f"registry: {parameters}", replace(NOTHING, host=host)).code == code


# age


@pytest.mark.parametrize(
    ("pushed", "code"),
    [
        (NOW, "age-within"),
        (NOW - timedelta(days=90) + timedelta(microseconds=1), "age-within"),
        (NOW - timedelta(days=90), "age-exceeded"),
        (NOW + timedelta(minutes=5), "age-within"),
        (NOW + timedelta(minutes=6), "age-ahead"),
        (None, "age-unknown"),
        (datetime.min.replace(tzinfo=NOW.tzinfo), "age-exceeded"),
        (datetime.max.replace(tzinfo=NOW.tzinfo), "age-ahead"),
    ],
)
def test_the_age_of_an_image_counts_from_its_push(pushed: datetime | None, code: str) -> None:
    assert ending("age: {max-days: 90}", replace(NOTHING, pushed_at=pushed)).code == code


@pytest.mark.parametrize(
    ("statements", "code"),
    [
        ((make.provenance(),), "age-within"),
        ((make.provenance(finished=NOW - timedelta(days=91)),), "age-exceeded"),
        ((make.provenance(finished=NOW - timedelta(days=91)), make.provenance()), "age-within"),
        ((make.provenance(finished=NOW + timedelta(days=1)),), "age-ahead"),
        ((make.provenance(finished=None),), "age-unknown"),
        ((make.statement(SLSA_PROVENANCE, {}),), "age-unknown"),
        ((make.provenance("ci"),), "age-wrong-signer"),
        ((make.provenance(about=OTHER),), "age-other-digest"),
        ((make.run_of_tests(),), "age-missing"),
    ],
)
def test_the_age_of_a_build_counts_from_its_provenance(statements: tuple[VerifiedStatement, ...], code: str) -> None:
    evidence = replace(having(*statements), pushed_at=NOW)
    assert ending("age: {max-days: 90, of: predicate}", evidence).code == code


STATEMENT = "age: {max-hours: 24, of: statement, predicate-type: ['https://in-toto.io/attestation/vulns/v0.2']}"
VULNS = "https://in-toto.io/attestation/vulns/v0.2"


@dataclass(frozen=True)
class Stale:
    """Evidence of a moment, really signed and verified, whose predicate claims to be of another."""

    signed: datetime
    claimed: datetime = NOW

    def verified(self, *, stamps: int = 1, signer: str = "release", published: datetime | None = None) -> Any:
        predicate = {"metadata": {"scanFinishedOn": f"{self.claimed:%Y-%m-%dT%H:%M:%SZ}"}, "scanner": {}}
        found = make.statement(VULNS, predicate, signer)
        return replace_sealed(found, signed_at=self.signed if stamps else None, published_at=published)


def replace_sealed(found: VerifiedStatement, **changes: Any) -> VerifiedStatement:
    members = {each.name: getattr(found, each.name) for each in fields(found)}
    return VerifiedStatement(**{**members, **changes}, seal=SEAL)


@pytest.mark.parametrize(
    ("signed", "code"),
    [
        (NOW - timedelta(hours=23), "age-within"),
        (NOW - timedelta(hours=24), "age-exceeded"),
        (NOW - timedelta(days=300), "age-exceeded"),
        (NOW + timedelta(minutes=6), "age-ahead"),
    ],
)
def test_a_stale_scan_is_told_by_its_proven_time_whatever_it_says_about_itself(signed: datetime, code: str) -> None:
    assert ending(STATEMENT, having(Stale(signed).verified())).code == code
    old_by_its_own_words = Stale(signed, claimed=NOW - timedelta(days=4000)).verified()
    assert ending(STATEMENT, having(old_by_its_own_words)).code == code


def test_a_scan_without_proven_time_is_not_fresh() -> None:
    check = ending(STATEMENT, having(Stale(NOW).verified(stamps=0)))
    assert (check.code, check.outcome) == ("age-unproven", Outcome.FAIL)


def test_an_old_scan_that_was_published_long_ago_does_not_become_fresh_by_a_new_timestamp() -> None:
    again = Stale(NOW).verified(published=NOW - timedelta(days=30))
    assert ending(STATEMENT, having(again)).code == "age-exceeded"
    assert ending(STATEMENT, having(Stale(NOW - timedelta(hours=2)).verified(published=NOW))).code == "age-within"


def test_one_fresh_scan_suffices_and_nothing_else_stands_in_for_it() -> None:
    old, new = Stale(NOW - timedelta(days=9)).verified(), Stale(NOW - timedelta(hours=1)).verified()
    assert ending(STATEMENT, having(old, new)).code == "age-within"
    assert ending(STATEMENT, having(old, make.provenance())).code == "age-exceeded"
    assert ending(STATEMENT, having(make.provenance())).code == "age-missing"
    assert ending(STATEMENT, having(Stale(NOW).verified(signer="ci"))).code == "age-wrong-signer"
    other = replace_sealed(new, subjects=(OTHER,))
    assert ending(STATEMENT, having(other)).code == "age-other-digest"


def test_a_verdict_about_a_fresh_scan_holds_until_the_scan_is_stale() -> None:
    signed = NOW - timedelta(hours=5)
    decision = decide(policy(STATEMENT, rule="signers: [release]"), QUESTION, having(Stale(signed).verified()))
    assert decision.valid_until == signed + timedelta(hours=24)


def test_a_stale_vsa_promotes_nothing_further() -> None:
    rule = STATEMENT.replace(VULNS, VSA)
    summary = replace_sealed(make.statement(VSA, {"timeVerified": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}), signed_at=NOW)
    assert ending(rule, having(summary)).code == "age-within"
    stale = replace_sealed(summary, signed_at=NOW - timedelta(days=2))
    assert ending(rule, having(stale)).code == "age-exceeded"


@pytest.mark.parametrize(
    ("require", "words"),
    [
        ("age: {of: statement, max-days: 1}", "needs predicate-type"),
        ("age: {of: image, max-days: 1, predicate-type: [x]}", "no meaning"),
        ("age: {max-days: 1, max-hours: 1}", "either"),
        ("age: {of: image}", "either"),
        ("age: {of: statement, max-hours: 0, predicate-type: [x]}", "whole number"),
        ("age: {of: anything, max-hours: 1}", "cannot be a value"),
    ],
)
def test_an_age_that_could_not_be_judged_is_refused_when_the_policy_is_read(require: str, words: str) -> None:
    with pytest.raises(PolicyInvalid, match=words):
        policy(require, rule="signers: [release]")


def test_a_statement_is_by_each_of_its_signers_and_a_certificate_is_no_key() -> None:
    both = replace_sealed(make.run_of_tests(), signers=("ci", "team"))
    for name in ("ci", "team", "te*"):
        assert ending(f"signature: {{signers: ['{name}']}}", having(both)).code == "signature-valid"
    named = f"signature: {{signers: ['key:{both.fingerprint}']}}"
    assert ending(named, having(both)).code == "signature-valid"
    certified = replace_sealed(both, identity=Identity("ci@x.test", IdentityKind.EMAIL, "https://x.test"))
    assert ending(named, having(certified)).code == "signature-wrong-signer"


# promotion


@pytest.mark.parametrize(
    ("environments", "code"),
    [
        (["staging"], "promotion-recorded"),
        (["dev", "staging"], "promotion-recorded"),
        (["dev"], "promotion-missing"),
        (["staging-eu"], "promotion-missing"),
        ([], "promotion-missing"),
    ],
)
def test_a_promotion_is_judged_by_where_it_led(environments: list[str], code: str) -> None:
    promotions = tuple(Promotion(name, NOW) for name in environments)
    assert ending("promotion: {from: staging}", replace(NOTHING, promotions=promotions)).code == code


# The declarations


def test_codes_are_unique_begin_with_their_kind_and_tell_how_a_check_ends() -> None:
    codes = [code for kind in KINDS for code in kind.codes]
    assert len({code.code for code in (*codes, *BUILT_IN)}) == len(codes) + len(BUILT_IN)
    for kind in KINDS:
        assert all(code.code.startswith(f"{kind.name}-") for code in kind.codes)
        assert [code.outcome for code in kind.codes].count(Outcome.PASS) == 1
        assert kind.codes[0].outcome is Outcome.PASS


def test_every_example_of_a_kind_is_a_policy() -> None:
    for kind in KINDS:
        (requirement,) = policy(kind.example, rule="signers: [release]").rules[0].requirements
        assert requirement.kind == kind.name


def test_every_module_of_rules_with_a_kind_is_in_the_one_list() -> None:
    import importlib
    import pkgutil

    from chainward.policy import rules

    modules = [
        importlib.import_module(f"{rules.__name__}.{each.name}") for each in pkgutil.iter_modules(rules.__path__)
    ]
    declared = {module.KIND.name for module in modules if hasattr(module, "KIND")}
    assert declared == {kind.name for kind in KINDS}
    assert len(KINDS) == len(declared)


def test_a_repository_name_of_another_service_is_not_matched_by_prefix() -> None:
    question = replace(QUESTION, repository=RepositoryName("shopping/web"))
    decision = decide(policy("registry: {repositories: ['shop/**']}"), question, NOTHING)
    assert check_named(decision, "registry").code == "registry-wrong-repository"
