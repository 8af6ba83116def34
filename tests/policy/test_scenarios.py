"""What happens to a team's images under the starter policy, and what its developers read when the gate says no."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.policy import evidence as make
from tests.policy.evidence import IMAGE, NOTHING, NOW, OTHER, QUESTION, everything

from chainward.policy.decide import decide
from chainward.policy.document import parse_policy
from chainward.policy.model import Gate, Outcome, Promotion, RejectedEvidence
from chainward.policy.starter import starter_policy

if TYPE_CHECKING:
    from chainward.policy.model import Check, Decision, Evidence
    from chainward.trust.model import VerifiedStatement

STARTER = parse_policy(starter_policy())
STRANGER = RejectedEvidence("signer-unknown", "signed by key 4f3a…, which nobody here trusts", OTHER)
REPLAYED = RejectedEvidence("subject-mismatch", "the statement is about another digest", OTHER)


def asked(evidence: Evidence, environment: str = "prod", gate: Gate = Gate.ADMIT) -> Decision:
    return decide(STARTER, replace(QUESTION, environment=environment, gate=gate), evidence)


def the_only_failure(evidence: Evidence) -> Check:
    (check,) = asked(evidence).failures
    return check


def without(evidence: Evidence, index: int) -> Evidence:
    return replace(evidence, statements=evidence.statements[:index] + evidence.statements[index + 1 :])


def instead(evidence: Evidence, index: int, statement: VerifiedStatement) -> Evidence:
    statements = list(evidence.statements)
    statements[index] = statement
    return replace(evidence, statements=tuple(statements))


def test_a_complete_image_walks_from_dev_to_prod() -> None:
    image = replace(everything(), promotions=())
    for environment in ("dev", "staging"):
        assert asked(image, environment, Gate.PROMOTE).allowed
        image = replace(image, promotions=(*image.promotions, Promotion(environment, NOW)))
    assert asked(image, "prod", Gate.PROMOTE).allowed
    assert asked(image, "prod", Gate.ADMIT).allowed


def test_an_image_cannot_jump_over_staging() -> None:
    check = the_only_failure(replace(everything(), promotions=(Promotion("dev", NOW),)))
    assert (check.rule, check.code) == ("prod-evidence", "promotion-missing")
    assert check.message == "the image was never promoted into staging"
    assert check.next_step == f"chainward promote shop/web@{IMAGE} --to staging"


def test_an_unsigned_image_is_told_to_be_signed() -> None:
    (check,) = asked(NOTHING, "dev").failures
    assert (check.rule, check.name, check.outcome) == ("dev-signed", "signature", Outcome.MISSING)
    assert check.message == "not signed by anybody; * must have signed it"
    assert check.next_step == (
        "chainward sign OUT --key KEY -o bundle.json && chainward push OUT shop/web:TAG --bundle bundle.json"
    )


def test_an_image_signed_by_a_stranger_is_told_apart_from_an_unsigned_one() -> None:
    (check,) = asked(replace(NOTHING, rejected=(STRANGER,)), "dev").failures
    assert check.code == "signature-rejected"
    assert "1 attached bundle did not verify (signer-unknown: signed by key 4f3a…" in check.message


def test_a_replayed_bundle_is_named_as_the_reason_and_helps_nothing() -> None:
    evidence = replace(without(everything(), 0), rejected=(REPLAYED,))
    check = the_only_failure(evidence)
    assert check.code == "provenance-missing"
    assert "subject-mismatch" in check.message


def test_an_image_without_sbom_is_told_how_to_make_one() -> None:
    check = the_only_failure(replace(without(everything(), 1), sboms=()))
    assert (check.code, check.outcome) == ("sbom-missing", Outcome.MISSING)
    assert check.message == f"there is no sbom of shop/web@{IMAGE} signed by *"
    assert check.next_step.startswith("chainward sbom OUT -o sbom.json && chainward attest OUT --type sbom ")


def test_an_image_built_elsewhere_is_told_who_may_build() -> None:
    check = the_only_failure(instead(everything(), 0, make.provenance(builder="https://laptop.example/me")))
    assert check.code == "provenance-wrong-builder"
    assert check.message == (
        "built by https://laptop.example/me, but only https://chainward.example/builders/* may build this"
    )


def test_a_builder_with_a_very_long_name_does_not_fill_the_page() -> None:
    check = the_only_failure(instead(everything(), 0, make.provenance(builder="https://x.example/" + "y" * 5000)))
    assert len(check.message) < 400


def test_failed_tests_are_told_as_such() -> None:
    check = the_only_failure(instead(everything(), 2, make.run_of_tests(result="FAILED")))
    assert (check.code, check.message) == ("tests-not-passed", "the tests ended as FAILED")


def test_a_revoked_image_points_to_its_timeline() -> None:
    check = the_only_failure(replace(everything(), revoked=make.Revocation("key stolen", NOW)))
    assert (check.rule, check.code) == ("platform", "artifact-revoked")
    assert check.message == "revoked at 2026-11-23 09:30:00Z: key stolen"
    assert check.next_step == f"chainward timeline shop/web@{IMAGE}"


def test_a_namespace_without_rules_is_told_by_name() -> None:
    (check,) = asked(everything(), "qa").failures
    assert check.code == "policy-no-match"
    assert "no rule of policy starter applies to shop/web at the gate admit into qa" in check.message


@pytest.mark.parametrize("gate", Gate)
def test_both_gates_ask_the_same_of_an_image(gate: Gate) -> None:
    for environment in ("dev", "staging", "prod"):
        assert asked(everything(), environment, gate).checks == asked(everything(), environment).checks


def test_the_checks_stand_in_one_order_the_platforms_first() -> None:
    names = [(check.rule, check.name) for check in asked(NOTHING).checks]
    assert names == [
        ("platform", "revocation"),
        ("prod-evidence", "signature"),
        ("prod-evidence", "provenance"),
        ("prod-evidence", "sbom"),
        ("prod-evidence", "tests"),
        ("prod-evidence", "promotion"),
    ]


def test_what_passed_is_told_as_well() -> None:
    told = {check.name: check.message for check in asked(everything()).checks}
    assert told == {
        "revocation": "nobody revoked this image",
        "signature": "signed by release",
        "provenance": "built by https://chainward.example/builders/local, as release signed",
        "sbom": "SBOM with 12 components",
        "tests": "tests passed, as release signed",
        "promotion": "promoted into staging at 2026-11-23 07:30:00Z",
    }


def test_a_decision_names_the_very_document_that_was_asked() -> None:
    commented = parse_policy(starter_policy() + b"# one more line\n")
    assert asked(NOTHING).policy_digest == STARTER.digest
    assert commented.rules == STARTER.rules
    assert commented.digest != STARTER.digest
