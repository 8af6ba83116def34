"""Evidence in, decision out: pure, total, deterministic.

An image is allowed if and only if at least one rule applies and every check of every rule that applies, and the check
for a revocation, is there and passed. Whatever else happens is a no: no rule, missing evidence, an exception in a rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.policy.model import Check, Decision, Outcome
from chainward.policy.rules import BY_NAME
from chainward.policy.rules.declaration import CHECK_ERROR, Code, Judgement
from chainward.policy.rules.statements import image

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.policy.model import Evidence, Policy, Question, Requirement, Rule

__all__ = ["BUILT_IN", "decide"]

_PLATFORM: Final = "platform"
_SHOW: Final = "chainward policy show"
_ORDER: Final = {name: position for position, name in enumerate(("revocation", "match", *BY_NAME))}

BUILT_IN: Final = (
    Code("not-revoked", Outcome.PASS, "Nobody revoked the image."),
    Code("artifact-revoked", Outcome.FAIL, "The image was revoked; no rule can allow it."),
    Code("policy-no-match", Outcome.FAIL, "No rule of the policy applies, so nothing speaks for the image."),
    Code(CHECK_ERROR, Outcome.ERROR, "A check broke down; that is a defect, and a no."),
)


def decide(policy: Policy, question: Question, evidence: Evidence) -> Decision:
    """Decide a question. Never raises; the order of rules and of evidence makes no difference."""
    checks = [_revocation(question, evidence)]
    flips: list[datetime] = []
    applied = 0
    for rule in policy.rules:
        try:
            applies = rule.match.covers(question)
        except Exception as error:  # noqa: BLE001 - whatever breaks in a rule is a no, and must be told as one
            checks.append(_check(rule.id, "match", _broken("match", error)))
            continue
        if applies:
            applied += 1
            if not rule.requirements:
                checks.append(Check(rule.id, "match", Outcome.ERROR, CHECK_ERROR, "the rule demands nothing", _SHOW))
            checks.extend(_judged(rule, requirement, question, evidence, flips) for requirement in rule.requirements)
    if not applied:
        checks.append(_no_match(policy, question))
    checks.sort(key=lambda check: (check.rule != _PLATFORM, check.rule, _ORDER.get(check.name, len(_ORDER))))
    allowed = applied > 0 and all(check.outcome is Outcome.PASS for check in checks)
    return Decision(allowed, tuple(checks), policy.digest, min(flips, default=None))


def _judged(
    rule: Rule, requirement: Requirement, question: Question, evidence: Evidence, flips: list[datetime]
) -> Check:
    try:
        judgement = BY_NAME[requirement.kind].judge(requirement.parameters, question, evidence)
        check = _check(rule.id, requirement.kind, judgement)
        if judgement.flips_at is not None:
            flips.append(judgement.flips_at)
    except Exception as error:  # noqa: BLE001 - whatever breaks in a rule is a no, and must be told as one
        return _check(rule.id, requirement.kind, _broken(requirement.kind, error))
    return check


def _check(rule: str, name: str, judgement: Judgement) -> Check:
    return Check(rule, name, judgement.outcome, judgement.code, judgement.message, judgement.next_step)


def _broken(name: str, error: Exception) -> Judgement:
    message = f"the check {name} broke down ({type(error).__name__}), so it says no"
    return Judgement(Outcome.ERROR, CHECK_ERROR, message, _SHOW)


def _revocation(question: Question, evidence: Evidence) -> Check:
    revoked = evidence.revoked
    if revoked is None:
        return Check(_PLATFORM, "revocation", Outcome.PASS, "not-revoked", "nobody revoked this image")
    try:
        message = f"revoked at {revoked.revoked_at:%F %T}Z: {revoked.reason}"
    except Exception as error:  # noqa: BLE001 - a revocation that cannot be told still revokes
        message = f"revoked ({type(error).__name__} while telling why)"
    step = f"chainward timeline {image(question)}"
    return Check(_PLATFORM, "revocation", Outcome.FAIL, "artifact-revoked", message, step)


def _no_match(policy: Policy, question: Question) -> Check:
    message = (
        f"no rule of policy {policy.name} applies to {question.repository} at the gate {question.gate.value} into "
        f"{question.environment}, so nothing allows it"
    )
    return Check(_PLATFORM, "match", Outcome.FAIL, "policy-no-match", message, _SHOW)
