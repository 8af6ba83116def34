"""``/api/v1/policy``: the policy in force, and putting another one in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import json_answer
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.instant import rfc3339

if TYPE_CHECKING:
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call

__all__ = ["ROUTES"]

_LIMIT: Final = 256 * 1024
_MEDIA_TYPES: Final = ("application/yaml", "application/x-yaml", "text/yaml")


class PolicyView(Struct, frozen=True, kw_only=True):
    """A policy: its document as it was activated, by whom, and the epoch that verdicts under it carry."""

    name: str
    epoch: int
    digest: str
    document: str
    actor: str
    activated_at: str


def _show(call: Call) -> Answer:
    return _view(call, call.platform.policies.current()[0])


def _activate(call: Call) -> Answer:
    epoch, _ = call.platform.policies.activate(call.body, context=call.context)
    return _view(call, epoch)


def _view(call: Call, epoch: int) -> Answer:
    activation = call.platform.policies.activation(epoch)
    policy = call.platform.policies.at(epoch)
    return json_answer(
        PolicyView(
            name=policy.name,
            epoch=epoch,
            digest=str(policy.digest),
            document=activation.document.decode(),
            actor=activation.actor,
            activated_at=rfc3339(activation.activated_at),
        )
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/policy",
        Needs(Permission.READ_LEDGER, Reach.ANYWHERE),
        _show,
        "Show the policy in force.",
        gives=PolicyView,
    ),
    Route(
        "PUT",
        "/api/v1/policy",
        Needs(Permission.ADMINISTER, Reach.PLATFORM),
        _activate,
        "Put a policy in force for every decision from now on; the body is its YAML document.",
        gives=PolicyView,
        media_types=_MEDIA_TYPES,
        limit=_LIMIT,
    ),
)
