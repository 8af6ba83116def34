"""Signatures that must not count any more, whoever is trusted: by certificate, identity, key or log entry.

To distrust a signer takes back a grant; to revoke denies what others may grant as well. In: what was proven of a
signature. Out: the revocation that it falls under, if any. The end of a window in a trusted root revokes nothing
(stock clients differ in whether they look at it at all), which is why this exists.

A window limits a revocation to a time, and doubt is for the revocation: a signature escapes it only if it is *proven*
to have been made outside. That it was made before ``since`` is proven by its earliest timestamp. That it was made after
``until`` is proven by a certificate alone, which was not valid before: an old signature of a key can be timestamped
anew at any time, so for a key there is no ``until``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from chainward.kernel.instant import rfc3339
from chainward.ledger.model import Write
from chainward.trust.errors import SignatureRevocationInvalid
from chainward.trust.facts import SignatureRevocationStated
from chainward.trust.match import described, members_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.ledger.commit import Ledger
    from chainward.trust.identity import Identity, IdentityMatch
    from chainward.trust.ports import TrustStore

__all__ = ["Made", "RevokeSignatures", "RevokedBy", "SignatureRevocation", "SignatureRevocations", "revocation_of"]

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}\Z")
_ENTRY: Final = re.compile(r"(?P<origin>[a-z0-9.-]{1,253})/(?P<index>0|[1-9][0-9]{0,18})\Z")
_MAX_REASON: Final = 500
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class RevokedBy(StrEnum):
    """By what a revocation knows the signatures it is about."""

    CERTIFICATE = "certificate"
    IDENTITY = "identity"
    KEY = "key"
    ENTRY = "entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was proven of one signature: by whom it was made, where it was logged, and between which instants.

    ``key`` is the fingerprint of the key, also of the one in a certificate. ``earliest`` is the first instant at which
    it could have been made (certificates have one), ``latest`` the first at which it is proven to have existed.
    """

    key: str
    certificate: str = ""
    identity: Identity | None = None
    log_origin: str
    log_index: int
    earliest: datetime | None = None
    latest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRevocation:
    """Signatures that do not count. ``target`` is a fingerprint (hex), ``ORIGIN/INDEX``, or an identity in words.

    Raises:
        SignatureRevocationInvalid: a target, window or reason that cannot be.
    """

    by: RevokedBy
    target: str
    match: IdentityMatch | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str
    revoked_at: datetime

    def __post_init__(self) -> None:
        _check_target(self.by, self.target, self.match)
        if not self.reason.strip() or len(self.reason) > _MAX_REASON or _CONTROL.search(self.reason):
            raise SignatureRevocationInvalid(f"a reason is one line of 1 to {_MAX_REASON} characters")
        if self.until is not None and self.by is not RevokedBy.IDENTITY:
            raise SignatureRevocationInvalid(
                f"a revocation by {self.by} has no end: only an identity is proven anew for every signature",
                hint="Leave --until out.",
            )
        if self.since is not None and self.by in {RevokedBy.CERTIFICATE, RevokedBy.ENTRY}:
            raise SignatureRevocationInvalid(
                f"a revocation by {self.by} has no window: it is about one moment", hint="Leave --since out."
            )
        if self.since is not None and self.until is not None and self.until < self.since:
            raise SignatureRevocationInvalid("the window ends before it begins")

    def covers(self, made: Made) -> bool:
        """Whether a signature does not count because of this."""
        match self.by:
            case RevokedBy.CERTIFICATE:
                is_meant = made.certificate == self.target
            case RevokedBy.KEY:
                is_meant = made.key == self.target
            case RevokedBy.ENTRY:
                is_meant = f"{made.log_origin}/{made.log_index}" == self.target
            case RevokedBy.IDENTITY:
                is_meant = made.identity is not None and self.match is not None and self.match.matches(made.identity)
            case _:
                assert_never(self.by)
        return is_meant and not self._is_outside(made)

    def _is_outside(self, made: Made) -> bool:
        """Whether a signature is proven to have been made before or after the window."""
        before = self.since is not None and made.latest is not None and made.latest < self.since
        after = self.until is not None and made.earliest is not None and made.earliest > self.until
        return before or after


@dataclass(frozen=True, slots=True)
class RevokeSignatures(Write):
    """Let the signatures that ``revocation`` covers not count from this commit on. Bumps the trust epoch."""

    revocation: SignatureRevocation
    actor: str


class SignatureRevocations:
    """The revocations of the platform. Thread-safe. Nothing takes one back."""

    def __init__(self, ledger: Ledger, store: TrustStore, clock: Clock) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock

    def draft(
        self,
        by: RevokedBy,
        target: str,
        *,
        match: IdentityMatch | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        reason: str,
    ) -> SignatureRevocation:
        """Return a revocation that is not in force, to see what it would cover; raises SignatureRevocationInvalid."""
        shown = described(match) if match is not None else target.removeprefix("sha256:")
        now = self._clock.now()
        return SignatureRevocation(
            by=by, target=shown, match=match, since=since, until=until, reason=reason, revoked_at=now
        )

    def revoke(self, revocation: SignatureRevocation, *, context: Context) -> None:
        """Put a revocation in force: every decision that begins after this knows it."""
        fact = SignatureRevocationStated(
            by=revocation.by.value,
            target=revocation.target,
            match=members_of(revocation.match) if revocation.match else None,
            since=rfc3339(revocation.since) if revocation.since else None,
            until=rfc3339(revocation.until) if revocation.until else None,
            reason=revocation.reason,
        )
        write = RevokeSignatures(revocation, context.actor.name)
        self._ledger.commit([fact], [write], context=context, occurred_at=revocation.revoked_at)

    def listed(self) -> Sequence[SignatureRevocation]:
        """Return all revocations, the oldest first."""
        return self._store.snapshot().root.revocations


def revocation_of(made: Made, revocations: Iterable[SignatureRevocation]) -> SignatureRevocation | None:
    """Return the first revocation that covers a signature."""
    return next((each for each in revocations if each.covers(made)), None)


def _check_target(by: RevokedBy, target: str, match: IdentityMatch | None) -> None:
    if (by is RevokedBy.IDENTITY) is (match is None):
        raise SignatureRevocationInvalid("an identity, and nothing else, is named by subject and issuer")
    if by in {RevokedBy.CERTIFICATE, RevokedBy.KEY} and _FINGERPRINT.match(target) is None:
        raise SignatureRevocationInvalid(f"{target[:80]!r} is not the SHA-256 of a {by}, 64 hex digits")
    if by is RevokedBy.ENTRY and _ENTRY.match(target) is None:
        raise SignatureRevocationInvalid(f"{target[:80]!r} is not a log entry, such as log.example.org/42")
