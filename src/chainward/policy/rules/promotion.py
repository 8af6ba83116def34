"""``promotion``: the image came into an earlier environment before, through this platform's gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.policy.model import Outcome
from chainward.policy.rules.declaration import Code, Parameter, RuleKind, missing, passed
from chainward.policy.rules.statements import image

if TYPE_CHECKING:
    from chainward.policy.fields import Fields
    from chainward.policy.model import Evidence, Question
    from chainward.policy.rules.declaration import Judgement

__all__ = ["KIND", "PromotedFrom"]


@dataclass(frozen=True, slots=True)
class PromotedFrom:
    """The environment that the image must have been promoted into before."""

    source: str


def _read(fields: Fields) -> PromotedFrom:
    return PromotedFrom(fields.text("from"))


def _judge(wanted: PromotedFrom, question: Question, evidence: Evidence) -> Judgement:
    decided = [each.decided_at for each in evidence.promotions if each.environment == wanted.source]
    if not decided:
        return missing(
            "promotion-missing",
            f"the image was never promoted into {wanted.source}",
            f"chainward promote {image(question)} --to {wanted.source}",
        )
    return passed("promotion-recorded", f"promoted into {wanted.source} at {min(decided):%F %T}Z")


KIND: Final = RuleKind(
    name="promotion",
    summary="The image was promoted into an earlier environment before.",
    explanation="What counts is a verification summary (VSA) of this digest, signed by the platform's own key.",
    reads=("promotions",),
    parameters=(Parameter("from", "name of an environment", "Which environment."),),
    codes=(
        Code("promotion-recorded", Outcome.PASS, "The image was promoted into that environment."),
        Code("promotion-missing", Outcome.MISSING, "It never was."),
    ),
    example="promotion: {from: staging}",
    read=_read,
    judge=_judge,
)
