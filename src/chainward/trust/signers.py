"""Who is trusted: adding a signer with its scope, and taking the trust back.

Distrust is for ever for a key: a compromised key does not become sound again, and nothing in a bundle says when it was
signed. A name may be given to a new key once its old key is distrusted, which is how a key is rotated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from chainward.ledger.model import Write
from chainward.trust.errors import SignerInvalid, SignerNotFound
from chainward.trust.facts import SignerDistrust, SignerTrusted
from chainward.trust.model import TrustedSigner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.kernel.name import RepositoryPattern
    from chainward.keys.model import PublicKey
    from chainward.ledger.commit import Ledger
    from chainward.trust.ports import TrustStore

__all__ = ["DistrustSigner", "Signers", "TrustSigner"]

_MAX_REASON: Final = 500
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class TrustSigner(Write):
    """Trust ``signer``; refused with SignerExists if its name or its key is taken. Bumps the trust epoch."""

    signer: TrustedSigner


@dataclass(frozen=True, slots=True)
class DistrustSigner(Write):
    """Distrust the key ``fingerprint``; refused with SignerNotFound unless it is trusted. Bumps the trust epoch."""

    name: str
    fingerprint: str
    at: datetime


class Signers:
    """The trusted signers of the platform. Thread-safe."""

    def __init__(self, ledger: Ledger, store: TrustStore, clock: Clock) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock

    def add(
        self,
        name: str,
        public_key: PublicKey,
        repositories: Sequence[RepositoryPattern],
        predicates: Sequence[str],
        *,
        context: Context,
    ) -> TrustedSigner:
        """Trust ``public_key`` as ``name`` for these repositories and predicate types, and return the signer.

        When this returns, every decision believes it.

        Raises:
            SignerInvalid: name, scope or key cannot be.
            SignerExists: a trusted signer has this name, or this key was trusted before.
        """
        now = self._clock.now()
        signer = TrustedSigner(
            name=name,
            public_key=public_key,
            repositories=tuple(sorted(set(repositories))),
            predicates=tuple(sorted(set(predicates))),
            trusted_since=now,
        )
        fact = SignerTrusted(
            name=name,
            fingerprint=signer.fingerprint,
            repositories=tuple(map(str, signer.repositories)),
            predicates=signer.predicates,
        )
        self._ledger.commit([fact], [TrustSigner(signer)], context=context, occurred_at=now)
        return signer

    def distrust(self, name: str, reason: str, *, context: Context) -> TrustedSigner:
        """Cease to trust the signer ``name``; from then on nothing it ever signed counts.

        Raises:
            SignerInvalid: the reason is empty, too long, or not one line.
            SignerNotFound: no signer of this name is trusted.
        """
        if not reason.strip() or len(reason) > _MAX_REASON or _CONTROL.search(reason):
            raise SignerInvalid(
                f"a reason is one line of 1 to {_MAX_REASON} characters", hint="Say in a line why it is distrusted."
            )
        signer = self._trusted(name)
        now = self._clock.now()
        fact = SignerDistrust(name=name, fingerprint=signer.fingerprint, reason=reason)
        write = DistrustSigner(name, signer.fingerprint, now)
        self._ledger.commit([fact], [write], context=context, occurred_at=now)
        return replace(signer, distrusted_at=now)

    def listed(self) -> Sequence[TrustedSigner]:
        """Return all signers by name, distrusted ones too."""
        return sorted(self._store.snapshot().root.signers, key=lambda signer: (signer.name, signer.trusted_since))

    def _trusted(self, name: str) -> TrustedSigner:
        for signer in self._store.snapshot().root.signers:
            if signer.name == name and signer.distrusted_at is None:
                return signer
        raise SignerNotFound(f"no signer {name[:80]!r} is trusted")
