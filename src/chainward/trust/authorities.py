"""The authorities of the platform: founding them, rotating, retiring, and saying that a key is compromised.

Each verb is one commit: the rows, the facts that say so, and for logs the log itself. Signers are opened once and kept;
which instance is active is asked of the store each time, so that a rotation on one replica is seen by all at once.

The root keys of certificate and timestamp authorities are offline. So those rotate in two steps: :meth:`request` makes
the new key and gives a certificate request, and :meth:`Authorities.rotate` takes the certificates that the holder of
the root made of it. Logs have no certificates and rotate in one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chainward.kernel.instant import rfc3339
from chainward.keys.model import Scheme
from chainward.keys.x509 import certificate_request
from chainward.ledger.checkpoint import NoteSigner
from chainward.ledger.logs import FreezeLog, OpenLog
from chainward.trust.authority import Authority, AuthorityKind, Compromise
from chainward.trust.custody import (
    CompromiseAuthority,
    EstablishAuthority,
    KeepPending,
    PendingAuthority,
    RetireAuthority,
)
from chainward.trust.errors import AuthorityConflict, AuthorityInvalid, AuthorityUnknown
from chainward.trust.facts import AuthorityCompromised, AuthorityEstablished, AuthorityRetired
from chainward.trust.issuing_chain import check_chain
from chainward.trust.pins import anchored_before, check_pins

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from chainward.kernel.entropy import Entropy
    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.keys.ports import DigestSigner
    from chainward.keys.uri import KeyReference
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import FactBody, Write
    from chainward.trust.authority import AuthoritySnapshot, PinnedCheckpoint
    from chainward.trust.custody import KeptKey
    from chainward.trust.offline import OfflineRoot
    from chainward.trust.ports import AuthorityStore
    from chainward.trust.signing_keys import AuthoritySigners

__all__ = ["Authorities", "AuthorityRequest"]

_GRACE: Final = timedelta(minutes=1)  # for what a slower replica signs while the news reaches it
_CERTIFICATE_LIFE: Final = timedelta(minutes=10)  # stock clients want a certificate's authority unended when it is used
_KEYS: Final = {
    AuthorityKind.CA: Scheme.ECDSA_P256_SHA256,
    AuthorityKind.CT: Scheme.ECDSA_P256_SHA256,
    AuthorityKind.LOG: Scheme.ED25519,
    AuthorityKind.TSA: Scheme.ECDSA_P256_SHA256,
}


@dataclass(frozen=True, slots=True)
class AuthorityRequest:
    """What the holder of an offline root needs: whom to certify, by a request in PEM, and under which root (DER)."""

    name: str
    kind: AuthorityKind
    organization: str
    request: bytes
    root: bytes


@dataclass(frozen=True, slots=True)
class _Drafts:
    """What one commit states and changes."""

    facts: list[FactBody] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)

    def establish(self, authority: Authority, key: KeptKey, signer: DigestSigner) -> None:
        self.writes.append(EstablishAuthority(authority, key))
        if authority.kind.is_log:
            self.writes.append(OpenLog(authority.origin, NoteSigner(authority.origin, signer)))
        self.facts.append(
            AuthorityEstablished(
                name=authority.name,
                service=authority.kind.value,
                origin=authority.origin,
                fingerprint=authority.public_key.fingerprint,
                certificates=tuple(hashlib.sha256(each).hexdigest() for each in authority.certificates),
                start=rfc3339(authority.start),
            )
        )

    def freeze(self, authority: Authority) -> None:
        if authority.kind.is_log:
            self.writes.append(FreezeLog(authority.origin))

    def state_end(self, authority: Authority, end: datetime) -> None:
        fingerprint = authority.public_key.fingerprint
        self.facts.append(AuthorityRetired(name=authority.name, fingerprint=fingerprint, end=rfc3339(end)))

    def retire(self, authority: Authority, end: datetime) -> None:
        self.writes.append(RetireAuthority(authority.name, end))
        self.freeze(authority)
        self.state_end(authority, end)


class Authorities:
    """The authorities of one platform. Thread-safe.

    ``organization`` stands in their certificates, and is the end of the origins of their logs.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: AuthorityStore,
        signers: AuthoritySigners,
        clock: Clock,
        organization: str,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._signers = signers
        self._clock = clock
        self._organization = organization
        self._listeners: list[Callable[[Context], None]] = []

    def on_change(self, listener: Callable[[Context], None]) -> None:
        """Call ``listener``, within the context of the change, after each change that is made here."""
        self._listeners.append(listener)

    def snapshot(self) -> AuthoritySnapshot:
        """Return all authorities, as the last commit of any replica left them."""
        return self._store.snapshot()

    def stored(self) -> Sequence[Authority]:
        """Return all authorities as their rows are now, for an audit."""
        return self._store.stored()

    def active(self, kind: AuthorityKind) -> Authority:
        """Return the instance that signs new things; raises AuthorityMissing."""
        return self._store.snapshot().active(kind)

    def signer(self, name: str) -> DigestSigner:
        """Return the signer of an authority; raises AuthorityUnknown or KeySealed."""
        return self._signers.signer(name)

    def found(self, ca: OfflineRoot, tsa: OfflineRoot, entropy: Entropy, *, context: Context) -> AuthoritySnapshot:
        """Establish the first instance of every service, in one commit; raises AuthorityConflict if there is one."""
        now = self._clock.now()
        drafts = _Drafts()
        for kind in (AuthorityKind.LOG, AuthorityKind.CT):
            self._new_log(drafts, kind, now)
        for root in (ca, tsa):
            name = self._next_name(root.kind)
            key, signer = self._signers.vault.make(name, _KEYS[root.kind])
            chain = root.certify(signer.public_key, self._organization, self._clock, entropy)
            pending = PendingAuthority(name, root.kind, signer.public_key, key)
            drafts.establish(_authority_of(pending, chain, now), key, signer)
        return self._commit(drafts, now, context)

    def request(self, kind: AuthorityKind, *, key: KeyReference | None = None, context: Context) -> AuthorityRequest:
        """Make the key of the next certificate or timestamp authority, and ask for its certificates.

        With a ``key`` reference the key is used where it is, and stays there. A request replaces any earlier one of its
        kind. Nothing changes until :meth:`rotate` brings the certificates.

        Raises:
            AuthorityInvalid: logs have no certificates.
            AuthorityUnknown: the service was never founded, so that there is no root.
        """
        if kind.is_log:
            raise AuthorityInvalid(f"a {kind} authority has no certificates", hint=f"chainward trust rotate {kind}")
        name = self._next_name(kind)
        kept, signer = self._key(name, kind, key)
        pending = PendingAuthority(name, kind, signer.public_key, kept)
        self._ledger.commit(writes=[KeepPending(pending)], context=context)
        subject = f"{self._organization} {name}"[:64]
        return AuthorityRequest(name, kind, self._organization, certificate_request(signer, subject), self._root(kind))

    def rotate(
        self,
        kind: AuthorityKind,
        certificates: Sequence[bytes] = (),
        *,
        new_root: bool = False,
        key: KeyReference | None = None,
        context: Context,
    ) -> Authority:
        """Let the next instance of a service take over, and retire the present one if it is active.

        A log needs nothing (or a ``key`` reference, if its key shall stay where it is): a new shard begins under a new
        origin, and the old one is frozen. A certificate or timestamp authority needs the ``certificates`` (DER, its
        own first) that its offline root made of the last :meth:`request`. With ``new_root`` they may end at another
        root than the present one's.

        Raises:
            AuthorityChainInvalid: the certificates are not what was requested.
            AuthorityConflict: nothing was requested, or somebody else rotated meanwhile.
        """
        now = self._clock.now()
        drafts = _Drafts()
        for present in self._store.snapshot().of(kind):
            if present.is_active:
                drafts.retire(present, now + _GRACE + (_CERTIFICATE_LIFE if kind is AuthorityKind.CA else timedelta()))
        if kind.is_log:
            if certificates:
                raise AuthorityInvalid(f"a {kind} authority has no certificates")
            name = self._new_log(drafts, kind, now, key)
        else:
            name = self._certified(drafts, kind, certificates, None if new_root else self._root(kind), now)
        return self._commit(drafts, now, context).named(name)

    def retire(self, name: str, *, context: Context) -> Authority:
        """Let an instance sign nothing new, without another to take over; what it signed stays valid.

        Raises:
            AuthorityUnknown: there is no such authority.
            AuthorityConflict: it is not active.
        """
        now = self._clock.now()
        drafts = _Drafts()
        drafts.retire(self._store.snapshot().named(name), now)
        return self._commit(drafts, now, context).named(name)

    def mark_compromised(
        self,
        name: str,
        since: datetime,
        reason: str,
        checkpoints: Sequence[PinnedCheckpoint] = (),
        *,
        context: Context,
    ) -> Authority:
        """State that somebody else may have the key of an instance ``since`` then, and end it if it is active.

        What relies on it counts from now on only if it was logged below one of the pinned ``checkpoints``; for each
        log that is not pinned that is the last state that the facts log anchored before ``since``.

        Raises:
            AuthorityUnknown: there is no such authority.
            AuthorityInvalid: ``since`` lies in the future, or the reason is not one line.
            AuthorityConflict: it is marked already with an earlier instant, or a log never had a pinned state, or not
                before ``since``.
            LogUnknown: a pinned log is none of ours.
        """
        now = self._clock.now()
        if since > now:
            raise AuthorityInvalid("a compromise that has not happened yet cannot be stated")
        authority = self._store.snapshot().named(name)
        compromise = Compromise(since=since, checkpoints=self._pins(since, checkpoints), reason=reason)
        drafts = _Drafts()
        drafts.writes.append(CompromiseAuthority(name, compromise, now))
        if authority.end is None:
            drafts.freeze(authority)
            drafts.state_end(authority, now)
        drafts.facts.append(
            AuthorityCompromised(
                name=name,
                fingerprint=authority.public_key.fingerprint,
                since=rfc3339(since),
                reason=reason,
                checkpoints=tuple(f"{pin.origin} {pin.size} {pin.root.hex()}" for pin in compromise.checkpoints),
            )
        )
        return self._commit(drafts, now, context).named(name)

    def _pins(self, since: datetime, given: Sequence[PinnedCheckpoint]) -> tuple[PinnedCheckpoint, ...]:
        check_pins(self._ledger, given, since)
        origins = {each.origin for each in self._store.snapshot().authorities if each.origin}
        anchored = anchored_before(self._ledger, origins - {pin.origin for pin in given}, since)
        return tuple(sorted((*given, *anchored)))

    def _certified(
        self,
        drafts: _Drafts,
        kind: AuthorityKind,
        certificates: Sequence[bytes],
        root: bytes | None,
        now: datetime,
    ) -> str:
        pending = self._store.pending(kind)
        if pending is None:
            raise AuthorityConflict(f"no new {kind} authority was requested")
        check_chain(kind, certificates, pending.public_key, root=root, now=now)
        signer = self._signers.vault.open(pending.name, pending.key, pending.public_key)
        drafts.establish(_authority_of(pending, certificates, now), pending.key, signer)
        return pending.name

    def _key(self, name: str, kind: AuthorityKind, key: KeyReference | None) -> tuple[KeptKey, DigestSigner]:
        if key is None:
            return self._signers.vault.make(name, _KEYS[kind])
        return key, self._signers.vault.refer(key)

    def _new_log(self, drafts: _Drafts, kind: AuthorityKind, now: datetime, key: KeyReference | None = None) -> str:
        name = self._next_name(kind)
        kept, signer = self._key(name, kind, key)
        authority = Authority(
            name=name,
            kind=kind,
            origin=self._next_origin(kind, now),
            public_key=signer.public_key,
            certificates=(),
            start=now.replace(microsecond=0),
        )
        drafts.establish(authority, kept, signer)
        return name

    def _next_name(self, kind: AuthorityKind) -> str:
        instances = self._store.snapshot().of(kind)
        return f"{kind}-{instances[-1].number + 1 if instances else 1}"

    def _next_origin(self, kind: AuthorityKind, now: datetime) -> str:
        """Return the first origin that is free: ``log.…`` to begin with, then ``log2027-1.…`` and so on."""
        taken = {each.origin for each in self._store.snapshot().of(kind)}
        if not taken:
            return f"{kind}.{self._organization}"
        return next(
            origin
            for number in range(1, len(taken) + 2)
            if (origin := f"{kind}{now:%Y}-{number}.{self._organization}") not in taken
        )

    def _root(self, kind: AuthorityKind) -> bytes:
        instances = self._store.snapshot().of(kind)
        if not instances:
            raise AuthorityUnknown(f"the platform never had a {kind} authority")
        return instances[-1].certificates[-1]

    def _commit(self, drafts: _Drafts, now: datetime, context: Context) -> AuthoritySnapshot:
        self._ledger.commit(drafts.facts, drafts.writes, context=context, occurred_at=now)
        for listener in self._listeners:
            listener(context)
        return self._store.snapshot()


def _authority_of(pending: PendingAuthority, certificates: Sequence[bytes], now: datetime) -> Authority:
    return Authority(
        name=pending.name,
        kind=pending.kind,
        origin="",
        public_key=pending.public_key,
        certificates=tuple(certificates),
        # Timestamps and certificates have whole seconds; the very first must not lie before the start.
        start=now.replace(microsecond=0),
    )
