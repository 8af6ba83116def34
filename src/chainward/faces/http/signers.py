"""``/api/v1/signers``: whose signatures count, for which repositories and which kinds of statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import json_answer, no_content
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.instant import parse_instant, rfc3339
from chainward.kernel.name import RepositoryPattern
from chainward.keys.model import PublicKey
from chainward.trust.errors import SignerInvalid
from chainward.trust.identity import IdentityMatch
from chainward.trust.match import members_of

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call
    from chainward.trust.model import TrustedSigner

__all__ = ["ROUTES", "MatchMembers", "instant_of", "match_from", "match_members"]

_Text = Annotated[str, Meta(min_length=1, max_length=512)]
_Long = Annotated[str, Meta(min_length=1, max_length=4096)]


class MatchMembers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which identities: subject and issuer, each exactly or by a regular expression over all of it, and claims."""

    subject: _Long | None = None
    subject_regex: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    issuer: _Long | None = None
    issuer_regex: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None
    claims: Annotated[dict[str, _Long], Meta(max_length=32)] = {}


class SignerRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key (``public_key``, PEM) or an identity to be trusted; ``predicates`` are predicate types or ``*``.

    What a ``portable`` signer states counts in all of its repositories, else only where it was first published.
    """

    name: Annotated[str, Meta(max_length=64)]
    public_key: Annotated[str, Meta(max_length=4096)] | None = None
    identity: MatchMembers | None = None
    repositories: Annotated[tuple[_Text, ...], Meta(min_length=1, max_length=64)]
    predicates: Annotated[tuple[_Text, ...], Meta(min_length=1, max_length=64)] = ("*",)
    portable: bool = False


class SignerView(Struct, frozen=True, kw_only=True):
    """A signer, trusted or (with ``distrusted_at``) not any more, but for what it signed before ``distrusted_since``.

    ``fingerprint`` and ``public_key`` are empty for an identity.
    """

    name: str
    fingerprint: str
    public_key: str
    identity: MatchMembers | None
    repositories: tuple[str, ...]
    predicates: tuple[str, ...]
    portable: bool
    trusted_since: str
    distrusted_at: str | None
    distrusted_since: str | None


class SignerList(Struct, frozen=True, kw_only=True):
    """Signers by name."""

    signers: tuple[SignerView, ...]


def match_from(members: MatchMembers) -> IdentityMatch:
    """Return the match that a request describes; raises IdentityPatternInvalid."""
    return IdentityMatch(
        subject=members.subject,
        subject_regex=members.subject_regex,
        issuer=members.issuer,
        issuer_regex=members.issuer_regex,
        claims=tuple(sorted(members.claims.items())),
    )


def match_members(match: IdentityMatch | None) -> MatchMembers | None:
    """Return the wire form of a match."""
    return None if match is None else MatchMembers(**members_of(match))


def instant_of(text: str | None) -> datetime | None:
    """Return an instant (RFC 3339) that a request may name."""
    return parse_instant(text) if text else None


def _list(call: Call) -> Answer:
    return json_answer(SignerList(signers=tuple(map(_view, call.platform.signers.listed()))))


def _show(call: Call) -> Answer:
    return json_answer(SignerList(signers=tuple(map(_view, call.platform.signers.named(call.path["name"])))))


def _add(call: Call) -> Answer:
    request = call.decode(SignerRequest, "signer")
    signer = call.platform.signers.add(
        request.name,
        _who(request),
        [RepositoryPattern(text) for text in request.repositories],
        request.predicates,
        portable=request.portable,
        context=call.context,
    )
    return json_answer(_view(signer), 201)


def _who(request: SignerRequest) -> PublicKey | IdentityMatch:
    match request:
        case SignerRequest(public_key=str() as key, identity=None):
            return PublicKey.from_pem(key.encode())
        case SignerRequest(public_key=None, identity=MatchMembers() as members):
            return match_from(members)
        case _:
            raise SignerInvalid(f"signer {request.name[:64]} needs either a key or an identity")


def _distrust(call: Call) -> Answer:
    since = instant_of(call.text("since"))
    call.platform.signers.distrust(call.path["name"], call.required("reason"), since=since, context=call.context)
    return no_content()


def _view(signer: TrustedSigner) -> SignerView:
    return SignerView(
        name=signer.name,
        fingerprint=signer.fingerprint,
        public_key=signer.public_key.pem.decode() if signer.public_key else "",
        identity=match_members(signer.match),
        repositories=tuple(map(str, signer.repositories)),
        predicates=signer.predicates,
        portable=signer.portable,
        trusted_since=rfc3339(signer.trusted_since),
        distrusted_at=rfc3339(signer.distrusted_at) if signer.distrusted_at else None,
        distrusted_since=rfc3339(signer.distrusted_since) if signer.distrusted_since else None,
    )


_ADMINISTER = Needs(Permission.ADMINISTER, Reach.PLATFORM)
_READ = Needs(Permission.READ_LEDGER, Reach.ANYWHERE)

ROUTES = (
    Route("GET", "/api/v1/signers", _READ, _list, "List the trusted signers, and those that were.", gives=SignerList),
    Route(
        "POST",
        "/api/v1/signers",
        _ADMINISTER,
        _add,
        "Trust a key or an identity.",
        takes=SignerRequest,
        gives=SignerView,
    ),
    Route(
        "GET",
        "/api/v1/signers/{name}",
        _READ,
        _show,
        "Show the signers that have or had a name, the oldest first.",
        gives=SignerList,
    ),
    Route(
        "DELETE",
        "/api/v1/signers/{name}",
        _ADMINISTER,
        _distrust,
        "Distrust a signer; only what it is proven to have signed before `since` counts from then on.",
        parameters=(
            ("reason", "Why; required."),
            ("since", "Since when it is not believed (RFC 3339); nothing it ever signed counts if not given."),
        ),
    ),
)
