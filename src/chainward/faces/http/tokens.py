"""``/api/v1/tokens``: issue, list and revoke API tokens. The text of a token is in exactly one answer, ever."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct
from msgspec.structs import asdict

from chainward.access.errors import InvalidGrant
from chainward.access.model import Binding, Permission
from chainward.access.tokens import DEFAULT_LIFETIME
from chainward.faces.http.answers import json_answer, no_content
from chainward.faces.http.errors import ParameterInvalid
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.instant import rfc3339

if TYPE_CHECKING:
    from chainward.access.model import Token
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call

__all__ = ["ROUTES", "TokenView", "parse_binding"]


class TokenRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be made; ``bindings`` such as ``publisher:shop/**``."""

    name: Annotated[str, Meta(max_length=63)]
    bindings: Annotated[tuple[Annotated[str, Meta(max_length=300)], ...], Meta(min_length=1, max_length=32)]
    days: Annotated[int, Meta(ge=1, le=366)] = DEFAULT_LIFETIME // timedelta(days=1)


class TokenView(Struct, frozen=True, kw_only=True):
    """A token, without its secret."""

    id: str
    name: str
    actor: str
    bindings: tuple[str, ...]
    issued_at: str
    expires_at: str
    issued_by: str | None
    revoked_at: str | None


class TokenList(Struct, frozen=True, kw_only=True):
    """All tokens, the newest first."""

    tokens: tuple[TokenView, ...]


class NewToken(TokenView, frozen=True, kw_only=True):
    """A new token with its text, which cannot be had again."""

    token: str


def parse_binding(text: str) -> Binding:
    """Read ``role:pattern``; raises ParameterInvalid or InvalidName."""
    try:
        return Binding.parse(text)
    except InvalidGrant as problem:
        raise ParameterInvalid(problem.message, details={"parameter": "bindings"}) from None


def _issue(call: Call) -> Answer:
    request = call.decode(TokenRequest, "token request")
    bindings = [parse_binding(text) for text in request.bindings]
    issued = call.platform.tokens.issue(
        call.principal, request.name, bindings, context=call.context, lifetime=timedelta(days=request.days)
    )
    return json_answer(NewToken(**asdict(_view(issued.token)), token=issued.text.reveal()), 201)


def _list(call: Call) -> Answer:
    return json_answer(TokenList(tokens=tuple(map(_view, call.platform.tokens.issued()))))


def _revoke(call: Call) -> Answer:
    reason = call.text("reason") or "no reason was given"
    call.platform.tokens.revoke(call.principal, call.path["id"], reason, context=call.context)
    return no_content()


def _view(token: Token) -> TokenView:
    return TokenView(
        id=token.id,
        name=token.name,
        actor=str(token.actor),
        bindings=tuple(map(str, token.bindings)),
        issued_at=rfc3339(token.issued_at),
        expires_at=rfc3339(token.expires_at),
        issued_by=token.issued_by,
        revoked_at=rfc3339(token.revoked_at) if token.revoked_at else None,
    )


_ADMINISTER = Needs(Permission.ADMINISTER, Reach.PLATFORM)

ROUTES = (
    Route("GET", "/api/v1/tokens", _ADMINISTER, _list, "List all tokens.", gives=TokenList),
    Route(
        "POST",
        "/api/v1/tokens",
        Needs(Permission.ADMINISTER, Reach.ANYWHERE),
        _issue,
        "Issue a token; the caller must administer all that it is for.",
        takes=TokenRequest,
        gives=NewToken,
    ),
    Route(
        "DELETE",
        "/api/v1/tokens/{id}",
        Needs(Permission.READ_LEDGER, Reach.ANYWHERE),
        _revoke,
        "Revoke a token: one's own, or one that the caller could have issued.",
        parameters=(("reason", "Why, for the timeline."),),
    ),
)
