"""``signature``: somebody who is named signed a statement about this image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.formats.intoto import VSA
from chainward.policy.fields import refuse
from chainward.policy.model import Outcome
from chainward.policy.rules.declaration import SIGNERS, Code, Parameter, RuleKind, failed, missing, passed
from chainward.policy.rules.statements import attach, is_signed_by, listed, rejections

if TYPE_CHECKING:
    from chainward.policy.fields import Fields
    from chainward.policy.model import Evidence, Question
    from chainward.policy.rules.declaration import Judgement
    from chainward.trust.model import VerifiedStatement

__all__ = ["KIND", "Signature"]


@dataclass(frozen=True, slots=True)
class Signature:
    """Who must have signed, and whether each of them must."""

    signers: tuple[str, ...]
    all: bool


def _read(fields: Fields) -> Signature:
    signature = Signature(fields.signers(), fields.flag("all", default=False))
    if signature.all and any("*" in signer for signer in signature.signers):
        refuse(fields.node, "all: true needs every signer by name or key, not by a pattern")
    return signature


def _judge(signature: Signature, question: Question, evidence: Evidence) -> Judgement:
    about = [each for each in evidence.statements if question.digest in each.subjects and each.predicate_type != VSA]
    signed = [signer for signer in signature.signers if any(is_signed_by(each, (signer,)) for each in about)]
    enough = len(signed) == len(signature.signers) if signature.all else bool(signed)
    if enough:
        names = sorted({each.signer for each in about if is_signed_by(each, signature.signers)})
        return passed("signature-valid", f"signed by {listed(names, 'and')}")
    return _refusal(signature, question, evidence, about, signed)


def _refusal(
    signature: Signature, question: Question, evidence: Evidence, about: list[VerifiedStatement], signed: list[str]
) -> Judgement:
    step = attach(question, "chainward sign OUT --key KEY")
    wanted = listed(signature.signers, "and" if signature.all else "or")
    if signed:
        lacking = listed([signer for signer in signature.signers if signer not in signed], "and")
        return failed("signature-incomplete", f"signed by {listed(signed, 'and')}, but not by {lacking} as well", step)
    if about:
        others = listed(sorted({each.signer for each in about}), "and")
        return failed("signature-wrong-signer", f"signed by {others}, not by {wanted}", step)
    if evidence.rejected:
        return failed("signature-rejected", f"not signed by {wanted}{rejections(evidence)}", step)
    return missing("signature-missing", f"not signed by anybody; {wanted} must have signed it", step)


KIND: Final = RuleKind(
    name="signature",
    summary="A named signer signed a statement about this image.",
    explanation=(
        "Any verified statement about the digest counts as a signature, except the platform's own verification "
        "summaries. With `all: true` each of the named signers must have signed at least one."
    ),
    reads=("statements", "rejected"),
    parameters=(
        SIGNERS,
        Parameter("all", "true or false", "Whether every one of the signers must have signed.", "false"),
    ),
    codes=(
        Code("signature-valid", Outcome.PASS, "Signed as demanded."),
        Code("signature-incomplete", Outcome.FAIL, "Some of the signers signed, but `all: true` demands each of them."),
        Code("signature-wrong-signer", Outcome.FAIL, "Signed only by others who are trusted, but not named here."),
        Code(
            "signature-rejected", Outcome.FAIL, "There are bundles, but none could be verified (such as a stranger's)."
        ),
        Code("signature-missing", Outcome.MISSING, "There is no signature at all."),
    ),
    example="signature: {signers: [release, security], all: true}",
    read=_read,
    judge=_judge,
)
