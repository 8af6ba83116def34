"""``/api/v1/promotions`` and ``/api/v1/verdicts``: pass a gate, or ask what it would say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import json_answer
from chainward.faces.http.images import own_image, reference_of
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.instant import rfc3339
from chainward.policy.model import Gate

if TYPE_CHECKING:
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call

__all__ = ["ROUTES"]

_Image = Annotated[str, Meta(max_length=512)]
_Environment = Annotated[str, Meta(max_length=63)]


class PromotionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image and the environment that it is to be promoted to."""

    image: _Image
    to: _Environment


class PromotionView(Struct, frozen=True, kw_only=True):
    """A promotion; ``vsa`` is the digest of the signed bundle with the verification summary."""

    allowed: bool
    repository: str
    digest: str
    environment: str
    vsa: str
    fact_index: int
    promoted_at: str


class VerdictRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """May this image pass this gate into this environment?"""

    image: _Image
    environment: _Environment
    gate: Literal["promote", "admit"] = "admit"


class CheckView(Struct, frozen=True, kw_only=True):
    """One thing that was demanded and how it stood; ``next_step`` says what to do about it."""

    rule: str
    name: str
    outcome: str
    code: str
    message: str
    next_step: str


class VerdictView(Struct, frozen=True, kw_only=True):
    """Yes or no, and every check that led there."""

    allowed: bool
    repository: str
    digest: str
    environment: str
    gate: str
    checks: tuple[CheckView, ...]
    policy_digest: str | None
    evidence: tuple[str, ...]
    decided_at: str
    valid_until: str | None


def _promote(call: Call) -> Answer:
    request = call.decode(PromotionRequest, "promotion")
    name = own_image(call, request.image)
    done = call.platform.promoter.promote(name.repository, reference_of(name), request.to, context=call.context)
    view = PromotionView(
        allowed=True,
        repository=str(done.repository),
        digest=str(done.digest),
        environment=done.environment,
        vsa=str(done.vsa),
        fact_index=done.fact_index,
        promoted_at=rfc3339(done.promoted_at),
    )
    return json_answer(view, 201)


def _ask(call: Call) -> Answer:
    request = call.decode(VerdictRequest, "verdict request")
    name = own_image(call, request.image)
    call.platform.portfolios.current().environment(request.environment)
    state, verdict = call.platform.judge.ask(
        name.repository, reference_of(name), request.environment, Gate(request.gate)
    )
    checks = tuple(
        CheckView(
            rule=check.rule,
            name=check.name,
            outcome=check.outcome.value,
            code=check.code,
            message=check.message,
            next_step=check.next_step,
        )
        for check in verdict.checks
    )
    view = VerdictView(
        allowed=verdict.allowed,
        repository=str(state.repository),
        digest=str(state.digest),
        environment=request.environment,
        gate=request.gate,
        checks=checks,
        policy_digest=str(verdict.policy_digest) if verdict.policy_digest else None,
        evidence=tuple(map(str, verdict.evidence)),
        decided_at=rfc3339(verdict.decided_at),
        valid_until=rfc3339(verdict.valid_until) if verdict.valid_until else None,
    )
    return json_answer(view)


ROUTES = (
    Route(
        "POST",
        "/api/v1/promotions",
        Needs(Permission.PROMOTE, Reach.REPOSITORY),
        _promote,
        "Promote an image into the next environment; its evidence is verified anew.",
        takes=PromotionRequest,
        gives=PromotionView,
    ),
    Route(
        "POST",
        "/api/v1/verdicts",
        Needs(Permission.PULL, Reach.REPOSITORY),
        _ask,
        "Ask what a gate would say; nothing is recorded.",
        takes=VerdictRequest,
        gives=VerdictView,
    ),
)
