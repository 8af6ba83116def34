"""``/dev/oidc``: the development issuer, where the platform is configured to have one.

INSECURE by intent: whoever administers the platform gets a token for any identity. Discovery and keys are public, as
those of any issuer; every answer carries a warning, and there is nothing here at all unless it was switched on. The
token stands in ``access_token``, where sigstore-python takes it from, and in ``id_token``, where cosign does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import JSON, NO_STORE, Answer, json_answer
from chainward.faces.http.errors import RouteUnknown
from chainward.faces.http.routes import Needs, Public, Reach, Route
from chainward.trust.development import WARNING
from chainward.trust.issuers import DEFAULT_AUDIENCE

if TYPE_CHECKING:
    from chainward.faces.http.requests import Call
    from chainward.trust.development import DevelopmentIssuer

__all__ = ["ROUTES"]

_HEADERS: Final = {"Cache-Control": NO_STORE, "Warning": f'299 chainward "{WARNING}"'}
_BEARER: Final = "Bearer"
_OPEN: Final = Public("an issuer tells everybody its public keys")


class IdentityRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a token shall name: a subject (a URI such as https://ci.example.org/web) or an email address."""

    subject: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    email: Annotated[str, Meta(min_length=3, max_length=320)] | None = None
    audience: Annotated[str, Meta(min_length=1, max_length=256)] = DEFAULT_AUDIENCE

    def __post_init__(self) -> None:
        if (self.subject is None) is (self.email is None):
            raise ValueError("expected a subject or an email, not both")


class IdentityToken(Struct, frozen=True, kw_only=True):
    """The same token twice, for clients of either habit, and a warning."""

    access_token: str
    id_token: str
    token_type: str
    expires_in: int
    warning: str


def _issuer(call: Call) -> DevelopmentIssuer:
    issuer = call.platform.services.development_issuer
    if issuer is None:
        raise RouteUnknown(
            "this platform has no development issuer",
            hint="Use a token of a real issuer; or, to try things out, set development_issuer = true in [trust].",
        )
    return issuer


def _discovery(call: Call) -> Answer:
    return json_answer(_issuer(call).discovery(), headers=_HEADERS)


def _keys(call: Call) -> Answer:
    return Answer(_issuer(call).key_set(), 200, JSON, _HEADERS)


def _token(call: Call) -> Answer:
    issuer = _issuer(call)
    request = call.decode(IdentityRequest, "identity request")
    token = issuer.token(subject=request.subject, email=request.email, audience=request.audience)
    answer = IdentityToken(access_token=token, id_token=token, token_type=_BEARER, expires_in=600, warning=WARNING)
    return json_answer(answer, headers=_HEADERS)


ROUTES = (
    Route(
        "GET",
        "/dev/oidc/.well-known/openid-configuration",
        _OPEN,
        _discovery,
        "The development issuer's discovery document, if there is one. INSECURE.",
        gives="application/json",
    ),
    Route("GET", "/dev/oidc/keys", _OPEN, _keys, "The development issuer's keys. INSECURE.", gives="application/json"),
    Route(
        "POST",
        "/dev/oidc/token",
        Needs(Permission.ADMINISTER, Reach.PLATFORM),
        _token,
        "Get an identity token for anybody, where the development issuer is switched on. INSECURE.",
        takes=IdentityRequest,
        gives=IdentityToken,
    ),
)
