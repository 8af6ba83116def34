"""``/api/v1/signers``: whose signatures count, for which repositories and which kinds of statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import json_answer, no_content
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.instant import rfc3339
from chainward.kernel.name import RepositoryPattern
from chainward.keys.model import PublicKey

if TYPE_CHECKING:
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call
    from chainward.trust.model import TrustedSigner

__all__ = ["ROUTES"]

_Text = Annotated[str, Meta(min_length=1, max_length=512)]


class SignerRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be trusted: ``public_key`` is PEM, ``predicates`` are predicate types or ``*``."""

    name: Annotated[str, Meta(max_length=64)]
    public_key: Annotated[str, Meta(max_length=4096)]
    repositories: Annotated[tuple[_Text, ...], Meta(min_length=1, max_length=64)]
    predicates: Annotated[tuple[_Text, ...], Meta(min_length=1, max_length=64)] = ("*",)


class SignerView(Struct, frozen=True, kw_only=True):
    """A signer, trusted or (with ``distrusted_at``) not any more."""

    name: str
    fingerprint: str
    public_key: str
    repositories: tuple[str, ...]
    predicates: tuple[str, ...]
    trusted_since: str
    distrusted_at: str | None


class SignerList(Struct, frozen=True, kw_only=True):
    """All signers by name."""

    signers: tuple[SignerView, ...]


def _list(call: Call) -> Answer:
    return json_answer(SignerList(signers=tuple(map(_view, call.platform.signers.listed()))))


def _add(call: Call) -> Answer:
    request = call.decode(SignerRequest, "signer")
    signer = call.platform.signers.add(
        request.name,
        PublicKey.from_pem(request.public_key.encode()),
        [RepositoryPattern(text) for text in request.repositories],
        request.predicates,
        context=call.context,
    )
    return json_answer(_view(signer), 201)


def _distrust(call: Call) -> Answer:
    call.platform.signers.distrust(call.path["name"], call.required("reason"), context=call.context)
    return no_content()


def _view(signer: TrustedSigner) -> SignerView:
    return SignerView(
        name=signer.name,
        fingerprint=signer.fingerprint,
        public_key=signer.public_key.pem.decode(),
        repositories=tuple(map(str, signer.repositories)),
        predicates=signer.predicates,
        trusted_since=rfc3339(signer.trusted_since),
        distrusted_at=rfc3339(signer.distrusted_at) if signer.distrusted_at else None,
    )


_ADMINISTER = Needs(Permission.ADMINISTER, Reach.PLATFORM)

ROUTES = (
    Route(
        "GET",
        "/api/v1/signers",
        Needs(Permission.READ_LEDGER, Reach.ANYWHERE),
        _list,
        "List the trusted signers, and those that were.",
        gives=SignerList,
    ),
    Route(
        "POST",
        "/api/v1/signers",
        _ADMINISTER,
        _add,
        "Trust a key.",
        takes=SignerRequest,
        gives=SignerView,
    ),
    Route(
        "DELETE",
        "/api/v1/signers/{name}",
        _ADMINISTER,
        _distrust,
        "Distrust a signer; nothing that it ever signed counts from then on.",
        parameters=(("reason", "Why; required."),),
    ),
)
