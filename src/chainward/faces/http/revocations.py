"""``/api/v1/revocations``: take a digest out of circulation, and see what was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import json_answer
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.digest import Digest
from chainward.kernel.instant import rfc3339
from chainward.kernel.name import RepositoryName

if TYPE_CHECKING:
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call
    from chainward.registry.model import Revocation

__all__ = ["ROUTES", "RevocationView", "revocation_view"]

_PAGE = 100


class RevocationRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A digest to be revoked; without ``repository`` everywhere, which needs the right over every repository."""

    digest: Annotated[str, Meta(max_length=140)]
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    repository: Annotated[str, Meta(max_length=255)] | None = None


class RevocationView(Struct, frozen=True, kw_only=True):
    """A revocation; ``repository`` is null when it holds everywhere."""

    digest: str
    repository: str | None
    reason: str
    actor: str
    revoked_at: str
    fact_index: int


class RevocationList(Struct, frozen=True, kw_only=True):
    """Revocations in the order of their facts; ask for the next page with ``after=next``."""

    revocations: tuple[RevocationView, ...]
    next: int | None


def _revoke(call: Call) -> Answer:
    request = call.decode(RevocationRequest, "revocation")
    repository = RepositoryName(request.repository) if request.repository is not None else None
    call.authorize(repository)
    revocation = call.platform.registry.revocations.revoke(
        Digest.parse(request.digest), request.reason, call.context, repository=repository
    )
    return json_answer(revocation_view(revocation), 201)


def _list(call: Call) -> Answer:
    limit = call.number("limit", _PAGE, 1, 1000)
    found = call.platform.registry.revocations.revocations(call.number("after", -1, -1), limit)
    visible = [one for one in found if one.repository is None or call.may(one.repository)]
    following = found[-1].fact_index if len(found) == limit else None
    return json_answer(RevocationList(revocations=tuple(map(revocation_view, visible)), next=following))


def revocation_view(revocation: Revocation) -> RevocationView:
    """Return the wire form of a revocation."""
    return RevocationView(
        digest=str(revocation.digest),
        repository=str(revocation.repository) if revocation.repository else None,
        reason=revocation.reason,
        actor=revocation.actor,
        revoked_at=rfc3339(revocation.revoked_at),
        fact_index=revocation.fact_index,
    )


ROUTES = (
    Route(
        "POST",
        "/api/v1/revocations",
        Needs(Permission.REVOKE, Reach.REPOSITORY),
        _revoke,
        "Revoke a digest: from the answer on nothing hands it out and no gate lets it through.",
        takes=RevocationRequest,
        gives=RevocationView,
    ),
    Route(
        "GET",
        "/api/v1/revocations",
        Needs(Permission.READ_LEDGER, Reach.LISTED),
        _list,
        "List the revocations that concern what the caller may read.",
        gives=RevocationList,
        parameters=(("after", "Begin after this fact."), ("limit", "1 to 1000, 100 if not given.")),
    ),
)
