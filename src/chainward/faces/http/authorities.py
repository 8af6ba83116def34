"""``/api/v1/trust``: the authorities of the platform, their rotation and compromise, and the root of the repository.

Certificate and timestamp authorities have offline roots, so they rotate in two requests: one makes the key and answers
with a certificate request, the other brings the certificates that the root's holder made of it. Logs rotate in one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from msgspec import Meta, Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import NO_STORE, Answer, json_answer
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.instant import parse_instant, rfc3339
from chainward.keys.uri import KeyReference
from chainward.trust.authority import AuthorityKind
from chainward.trust.errors import AuthorityUnknown
from chainward.trust.export import EXPORT_TYPE
from chainward.trust.issuing_chain import certificate_from_pem, certificate_to_pem
from chainward.trust.pins import pin_of

if TYPE_CHECKING:
    from chainward.faces.http.requests import Call
    from chainward.keys.model import PublicKey
    from chainward.trust.authority import Authority, Compromise
    from chainward.trust.distribution import PublishedState, RootSummary

__all__ = ["ROUTES"]

_READ: Final = Needs(Permission.READ_LEDGER, Reach.ANYWHERE)
_CHANGE: Final = Needs(Permission.ADMINISTER, Reach.PLATFORM)
_Pem = Annotated[str, Meta(min_length=1, max_length=64 * 1024)]
_Reason = Annotated[str, Meta(min_length=1, max_length=500)]
_LIMIT: Final = 1024 * 1024


class PinView(Struct, frozen=True, kw_only=True):
    """A state of a log that is believed whatever happens to keys later; ``root`` is hex."""

    origin: str
    size: int
    root: str


class CompromiseView(Struct, frozen=True, kw_only=True):
    """Since when somebody else may have the key, and which states of logs are believed nevertheless."""

    since: str
    reason: str
    checkpoints: tuple[PinView, ...]


class AuthorityView(Struct, frozen=True, kw_only=True):
    """One instance of one service. ``certificates`` are PEM, issuer first; logs have an ``origin`` instead."""

    name: str
    service: str
    active: bool
    origin: str
    fingerprint: str
    public_key: str
    certificates: tuple[str, ...]
    start: str
    end: str | None
    compromise: CompromiseView | None


class AuthorityList(Struct, frozen=True, kw_only=True):
    """All instances that ever were, by service and age."""

    authorities: tuple[AuthorityView, ...]


class NewAuthority(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the next instance of a certificate or timestamp authority shall be; ``key`` is a reference on the server."""

    key: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None


class AuthorityRequestView(Struct, frozen=True, kw_only=True):
    """What the holder of the offline root needs: a certificate request and the root's certificate, both PEM."""

    name: str
    service: str
    organization: str
    request: str
    root: str


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The certificates (PEM, its own first, root last) of the next instance; none for a log.

    With ``new_root`` they may end at another root than the present one's. ``key`` is a reference on the server, for a
    log whose key shall stay where it is.
    """

    certificates: Annotated[tuple[_Pem, ...], Meta(max_length=4)] = ()
    new_root: bool = False
    key: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None


class CompromiseRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Since when (RFC 3339) and why; ``checkpoints`` are signed checkpoints of our logs to be believed nevertheless.

    For each log without one, the last state that the facts log anchored before ``since`` is believed.
    """

    since: Annotated[str, Meta(max_length=64)]
    reason: _Reason
    checkpoints: Annotated[tuple[_Pem, ...], Meta(max_length=64)] = ()


class RepositoryView(Struct, frozen=True, kw_only=True):
    """The TUF repository: versions and dates of its roles, and the keys (PEM) of its root by their ids."""

    versions: dict[str, int]
    expires: dict[str, str]
    threshold: int
    root_keys: dict[str, str]
    online_keys: dict[str, str]


class NewRoot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A root (the JSON text of N.root.json) that the holders of its keys signed."""

    root: Annotated[str, Meta(min_length=1, max_length=512 * 1024)]


class OnlineKeysView(Struct, frozen=True, kw_only=True):
    """New keys (PEM) of the online roles, which count once a root names them."""

    online_keys: dict[str, str]


def _list(call: Call) -> Answer:
    snapshot = call.platform.services.authorities.snapshot()
    return json_answer(AuthorityList(authorities=tuple(map(_view, snapshot.authorities))))


def _request(call: Call) -> Answer:
    wanted = call.decode(NewAuthority, "authority")
    kind = _kind(call)
    request = call.platform.services.authorities.request(kind, key=_reference(wanted.key), context=call.context)
    view = AuthorityRequestView(
        name=request.name,
        service=kind.value,
        organization=request.organization,
        request=request.request.decode("ascii"),
        root=certificate_to_pem(request.root),
    )
    return json_answer(view, 201)


def _rotate(call: Call) -> Answer:
    wanted = call.decode(Rotation, "rotation")
    made = call.platform.services.authorities.rotate(
        _kind(call),
        tuple(certificate_from_pem(pem.encode()) for pem in wanted.certificates),
        new_root=wanted.new_root,
        key=_reference(wanted.key),
        context=call.context,
    )
    return json_answer(_view(made), 201)


def _retire(call: Call) -> Answer:
    return json_answer(_view(call.platform.services.authorities.retire(call.path["name"], context=call.context)))


def _compromise(call: Call) -> Answer:
    stated = call.decode(CompromiseRequest, "compromise")
    authorities = call.platform.services.authorities
    snapshot = authorities.snapshot()
    pins = [pin_of(text.encode(), snapshot) for text in stated.checkpoints]
    since = parse_instant(stated.since)
    marked = authorities.mark_compromised(call.path["name"], since, stated.reason, pins, context=call.context)
    return json_answer(_view(marked))


def _export(call: Call) -> Answer:
    return Answer(call.platform.trust_export(), 200, EXPORT_TYPE, {"Cache-Control": NO_STORE})


def _repository(call: Call) -> Answer:
    distribution = call.platform.services.distribution
    return json_answer(_repository_view(distribution.state(), distribution.summary()))


def _replace_root(call: Call) -> Answer:
    distribution = call.platform.services.distribution
    summary = distribution.replace_root(call.decode(NewRoot, "root").root.encode(), context=call.context)
    return json_answer(_repository_view(distribution.state(), summary), 201)


def _online_keys(call: Call) -> Answer:
    made = call.platform.services.distribution.make_online_keys(context=call.context)
    return json_answer(OnlineKeysView(online_keys={role: _text(key) for role, key in made.items()}), 201)


def _kind(call: Call) -> AuthorityKind:
    text = call.path["kind"]
    try:
        return AuthorityKind(text)
    except ValueError:
        known = ", ".join(AuthorityKind)
        raise AuthorityUnknown(f"there is no service {text[:40]!r}, only {known}") from None


def _reference(text: str | None) -> KeyReference | None:
    return None if text is None else KeyReference.parse(text)


def _text(key: PublicKey) -> str:
    return key.pem.decode("ascii")


def _view(authority: Authority) -> AuthorityView:
    return AuthorityView(
        name=authority.name,
        service=authority.kind.value,
        active=authority.is_active,
        origin=authority.origin,
        fingerprint=authority.public_key.fingerprint,
        public_key=_text(authority.public_key),
        certificates=tuple(map(certificate_to_pem, authority.certificates)),
        start=rfc3339(authority.start),
        end=None if authority.end is None else rfc3339(authority.end),
        compromise=None if authority.compromise is None else _compromise_view(authority.compromise),
    )


def _compromise_view(compromise: Compromise) -> CompromiseView:
    pins = (PinView(origin=pin.origin, size=pin.size, root=pin.root.hex()) for pin in compromise.checkpoints)
    return CompromiseView(since=rfc3339(compromise.since), reason=compromise.reason, checkpoints=tuple(pins))


def _repository_view(state: PublishedState, root: RootSummary) -> RepositoryView:
    return RepositoryView(
        versions=dict(state.versions),
        expires={role: rfc3339(instant) for role, instant in state.expires.items()},
        threshold=root.threshold,
        root_keys={key_id: _text(key) for key_id, key in root.keys.items()},
        online_keys={role: _text(keys[0]) for role, keys in root.online.items()},
    )


_AUTHORITIES: Final = "/api/v1/trust/authorities"
_REPOSITORY: Final = "/api/v1/trust/repository"

ROUTES = (
    Route("GET", _AUTHORITIES, _READ, _list, "List the authorities of the trust root.", gives=AuthorityList),
    Route(
        "POST",
        f"{_AUTHORITIES}/{{kind}}/requests",
        _CHANGE,
        _request,
        "Make the key of the next ca or tsa, and ask for its certificates.",
        takes=NewAuthority,
        gives=AuthorityRequestView,
    ),
    Route(
        "POST",
        f"{_AUTHORITIES}/{{kind}}/rotate",
        _CHANGE,
        _rotate,
        "Let the next instance of ca, ct, log or tsa take over.",
        takes=Rotation,
        gives=AuthorityView,
        limit=_LIMIT,
    ),
    Route(
        "POST",
        f"{_AUTHORITIES}/{{name}}/retire",
        _CHANGE,
        _retire,
        "End an instance; what it signed stays valid.",
        gives=AuthorityView,
    ),
    Route(
        "POST",
        f"{_AUTHORITIES}/{{name}}/compromise",
        _CHANGE,
        _compromise,
        "State that somebody else may have the key of an instance.",
        takes=CompromiseRequest,
        gives=AuthorityView,
        limit=_LIMIT,
    ),
    Route(
        "GET",
        "/api/v1/trust/export",
        _READ,
        _export,
        "Give all that verification needs in one file, for where no network is.",
        gives=EXPORT_TYPE,
    ),
    Route("GET", _REPOSITORY, _READ, _repository, "Show the TUF repository and its root keys.", gives=RepositoryView),
    Route(
        "POST",
        f"{_REPOSITORY}/root",
        _CHANGE,
        _replace_root,
        "Publish the next root of the TUF repository.",
        takes=NewRoot,
        gives=RepositoryView,
        limit=_LIMIT,
    ),
    Route(
        "POST",
        f"{_REPOSITORY}/online-keys",
        _CHANGE,
        _online_keys,
        "Make new online keys of the TUF repository, for the next root.",
        gives=OnlineKeysView,
    ),
)
