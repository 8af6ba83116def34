"""``/api/v1/signature-revocations``: signatures that do not count, whoever is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from chainward.access.model import Permission
from chainward.delivery.affected import affected_by
from chainward.faces.http.answers import json_answer
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.faces.http.signers import MatchMembers, instant_of, match_from, match_members
from chainward.kernel.instant import rfc3339
from chainward.trust.revocations import RevokedBy

if TYPE_CHECKING:
    from chainward.delivery.affected import Affected
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call
    from chainward.trust.revocations import SignatureRevocation

__all__ = ["ROUTES"]

_Instant = Annotated[str, Meta(max_length=40)]


class SignatureRevocationRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to revoke signatures by: ``target`` is a fingerprint or ``ORIGIN/INDEX``, or else ``identity`` is given.

    With ``dry_run`` nothing is revoked, and the answer says what would stop counting.
    """

    by: Literal["certificate", "identity", "key", "entry"]
    target: Annotated[str, Meta(max_length=300)] = ""
    identity: MatchMembers | None = None
    since: _Instant | None = None
    until: _Instant | None = None
    reason: Annotated[str, Meta(max_length=500)]
    dry_run: bool = False


class SignatureRevocationView(Struct, frozen=True, kw_only=True):
    """A revocation of signatures."""

    by: str
    target: str
    identity: MatchMembers | None
    since: str | None
    until: str | None
    reason: str
    revoked_at: str


class AffectedView(Struct, frozen=True, kw_only=True):
    """An accepted attestation that does not count any more."""

    repository: str
    digest: str
    predicate_type: str
    signer: str
    bundle: str


class SignatureRevocationAnswer(Struct, frozen=True, kw_only=True):
    """A revocation, whether it is in force, and what it covers (the first thousand of ``count``, of ``among``)."""

    revocation: SignatureRevocationView
    in_force: bool
    affected: tuple[AffectedView, ...]
    count: int
    among: int


class SignatureRevocationList(Struct, frozen=True, kw_only=True):
    """All revocations of signatures, the oldest first."""

    revocations: tuple[SignatureRevocationView, ...]


def _revoke(call: Call) -> Answer:
    request = call.decode(SignatureRevocationRequest, "revocation of signatures")
    revocations = call.platform.signature_revocations
    drafted = revocations.draft(
        RevokedBy(request.by),
        request.target,
        match=match_from(request.identity) if request.identity else None,
        since=instant_of(request.since),
        until=instant_of(request.until),
        reason=request.reason,
    )
    if not request.dry_run:
        revocations.revoke(drafted, context=call.context)
    found = affected_by(call.platform.ledger, drafted)
    return json_answer(_answer(drafted, found, in_force=not request.dry_run), 200 if request.dry_run else 201)


def _list(call: Call) -> Answer:
    found = call.platform.signature_revocations.listed()
    return json_answer(SignatureRevocationList(revocations=tuple(map(_view, found))))


def _answer(revocation: SignatureRevocation, found: Affected, *, in_force: bool) -> SignatureRevocationAnswer:
    affected = tuple(
        AffectedView(
            repository=one.repository,
            digest=one.digest,
            predicate_type=one.predicate_type,
            signer=one.signer,
            bundle=one.bundle,
        )
        for one in found.attestations
    )
    return SignatureRevocationAnswer(
        revocation=_view(revocation), in_force=in_force, affected=affected, count=found.count, among=found.among
    )


def _view(revocation: SignatureRevocation) -> SignatureRevocationView:
    return SignatureRevocationView(
        by=revocation.by.value,
        target=revocation.target,
        identity=match_members(revocation.match),
        since=rfc3339(revocation.since) if revocation.since else None,
        until=rfc3339(revocation.until) if revocation.until else None,
        reason=revocation.reason,
        revoked_at=rfc3339(revocation.revoked_at),
    )


ROUTES = (
    Route(
        "GET",
        "/api/v1/signature-revocations",
        Needs(Permission.READ_LEDGER, Reach.ANYWHERE),
        _list,
        "List the revocations of signatures.",
        gives=SignatureRevocationList,
    ),
    Route(
        "POST",
        "/api/v1/signature-revocations",
        Needs(Permission.ADMINISTER, Reach.PLATFORM),
        _revoke,
        "Revoke signatures by certificate, identity, key or log entry, or see what that would do.",
        takes=SignatureRevocationRequest,
        gives=SignatureRevocationAnswer,
    ),
)
