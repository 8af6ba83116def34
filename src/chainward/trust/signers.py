"""Who is trusted: adding a signer with its scope, and taking the trust back.

Distrust is for ever for a key: a compromised key does not become sound again. An identity may be trusted again, under
any name, for its certificates live for minutes only. A name may be given to somebody else once its signer is
distrusted, which is how a key is rotated.

Several signers may mean the same identity, each with its own scope; a statement then is by all of them whose scope has
it. To distrust one of them takes back that grant alone; to deny an identity whoever else grants it, revoke it
(:mod:`chainward.trust.revocations`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from chainward.kernel.instant import rfc3339
from chainward.keys.model import PublicKey
from chainward.ledger.model import Write
from chainward.trust.errors import SignerInvalid, SignerNotFound
from chainward.trust.facts import SignerDistrust, SignerTrusted
from chainward.trust.identity import IdentityMatch
from chainward.trust.match import members_of
from chainward.trust.model import TrustedSigner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.kernel.name import RepositoryPattern
    from chainward.ledger.commit import Ledger
    from chainward.trust.ports import TrustStore

__all__ = ["DistrustSigner", "Signers", "TrustSigner"]

_MAX_REASON: Final = 500
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class TrustSigner(Write):
    """Trust ``signer``; refused with SignerExists if its name, its key or its id is taken. Bumps the trust epoch."""

    signer: TrustedSigner


@dataclass(frozen=True, slots=True)
class DistrustSigner(Write):
    """Distrust the signer ``id``; refused with SignerNotFound unless it is trusted. Bumps the trust epoch."""

    name: str
    id: str
    at: datetime
    since: datetime | None = None


class Signers:
    """The trusted signers of the platform. Thread-safe."""

    def __init__(self, ledger: Ledger, store: TrustStore, clock: Clock) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock

    def add(
        self,
        name: str,
        who: PublicKey | IdentityMatch,
        repositories: Sequence[RepositoryPattern],
        predicates: Sequence[str],
        *,
        portable: bool = False,
        context: Context,
    ) -> TrustedSigner:
        """Trust a key or an identity as ``name`` for these repositories and predicate types; returns the signer.

        When this returns, every decision believes it.

        Raises:
            SignerInvalid: name, scope or key cannot be.
            SignerExists: a trusted signer has this name, or this key was trusted before.
        """
        now = self._clock.now()
        signer = TrustedSigner(
            name=name,
            public_key=who if isinstance(who, PublicKey) else None,
            match=who if isinstance(who, IdentityMatch) else None,
            repositories=tuple(sorted(set(repositories))),
            predicates=tuple(sorted(set(predicates))),
            portable=portable,
            trusted_since=now,
        )
        fact = SignerTrusted(
            id=signer.id,
            name=name,
            fingerprint=signer.fingerprint,
            match=members_of(signer.match) if signer.match else None,
            repositories=tuple(map(str, signer.repositories)),
            predicates=signer.predicates,
            portable=portable,
        )
        self._ledger.commit([fact], [TrustSigner(signer)], context=context, occurred_at=now)
        return signer

    def distrust(self, name: str, reason: str, *, since: datetime | None = None, context: Context) -> TrustedSigner:
        """Cease to trust the signer ``name``; from then on nothing that it ever signed counts.

        With ``since``, what it is proven to have signed before that instant still does.

        Raises:
            SignerInvalid: the reason is empty, too long, or not one line; ``since`` lies ahead.
            SignerNotFound: no signer of this name is trusted.
        """
        if not reason.strip() or len(reason) > _MAX_REASON or _CONTROL.search(reason):
            raise SignerInvalid(
                f"a reason is one line of 1 to {_MAX_REASON} characters", hint="Say in a line why it is distrusted."
            )
        signer = self._trusted(name)
        now = self._clock.now()
        if since is not None and since > now:
            raise SignerInvalid("trust can be taken back from now or from the past, not from a time to come")
        fact = SignerDistrust(
            id=signer.id,
            name=name,
            fingerprint=signer.fingerprint,
            match=members_of(signer.match) if signer.match else None,
            since=rfc3339(since) if since else None,
            reason=reason,
        )
        write = DistrustSigner(name, signer.id, now, since)
        self._ledger.commit([fact], [write], context=context, occurred_at=now)
        return replace(signer, distrusted_at=now, distrusted_since=since)

    def named(self, name: str) -> Sequence[TrustedSigner]:
        """Return the signers that have or had this name, the oldest first; raises SignerNotFound."""
        found = [signer for signer in self.listed() if signer.name == name]
        if not found:
            raise SignerNotFound(f"there never was a signer {name[:80]!r}")
        return found

    def listed(self) -> Sequence[TrustedSigner]:
        """Return all signers by name, distrusted ones too."""
        return sorted(self._store.snapshot().root.signers, key=lambda signer: (signer.name, signer.trusted_since))

    def _trusted(self, name: str) -> TrustedSigner:
        for signer in self._store.snapshot().root.signers:
            if signer.name == name and signer.distrusted_at is None:
                return signer
        raise SignerNotFound(f"no signer {name[:80]!r} is trusted")
