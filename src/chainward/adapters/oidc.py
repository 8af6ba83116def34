"""Believing identity tokens (the port TokenVerifier): configuration, then keys, then signature, then claims.

The order is the protection: the issuer in a token must be configured before anything is asked of anybody, so no token
makes the platform open a connection to a host of the token's choosing. Keys are kept for ten minutes and no longer,
even if the issuer is down then: a key that was withdrawn must cease to count. A token with an unknown key makes us ask
again, but each issuer is asked only every 30 seconds for that; and however many names a wildcard admits, only 30 new
ones of its family are asked within a minute. The present keys answer while somebody fetches new ones. Who has to wait
for an issuer holds a thread of the platform, and anybody can send tokens: so only some may, and the others are refused.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from chainward.trust.errors import IssuerUnreachable
from chainward.trust.oidc import check_claims, read_token
from chainward.trust.principal import VerifiedToken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chainward.adapters.oidc_keys import KeySet
    from chainward.kernel.instant import Clock
    from chainward.trust.issuers import Issuer, Issuers

__all__ = ["KeySource", "OidcVerifier"]

_FRESH: Final = timedelta(minutes=5)
_USABLE: Final = timedelta(minutes=10)
_UNKNOWN_KEY: Final = timedelta(seconds=30)
_AFTER_FAILURE: Final = timedelta(seconds=5)
_FETCHES: Final = 30
_MINUTE: Final = timedelta(minutes=1)
_MAX_KNOWN: Final = 512
_WAIT: Final = 15.0
_CROWD: Final = 16


class KeySource(Protocol):
    """Where the keys of an issuer come from; blocks, and raises IssuerUnreachable."""

    def keys(self, issuer: Issuer, url: str) -> KeySet:
        """Return the present keys of the issuer at ``url``."""
        ...


@dataclass(slots=True)
class _Known:
    """What is known of one issuer; ``lock`` is held while it is asked."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: KeySet | None = None
    fetched: datetime | None = None
    failed: datetime | None = None

    def has(self, key_id: str | None, now: datetime, age: timedelta) -> bool:
        """Whether the key is here and was so ``age`` ago at most."""
        return self.keys is not None and self.is_younger(now, age) and self.keys.knows(key_id)

    def is_younger(self, now: datetime, age: timedelta) -> bool:
        return self.fetched is not None and now - self.fetched < age


class OidcVerifier:
    """Implements TokenVerifier. ``local`` are issuers of this very process, whose keys need not be fetched.

    At most ``crowd`` callers at a time ask an issuer or wait for one.
    """

    def __init__(
        self,
        issuers: Issuers,
        source: KeySource,
        clock: Clock,
        *,
        local: Mapping[str, KeySet] | None = None,
        crowd: int = _CROWD,
    ) -> None:
        self._issuers = issuers
        self._source = source
        self._clock = clock
        self._local = dict(local or {})
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._fetches: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()
        self._crowd = threading.BoundedSemaphore(crowd)

    def verify(self, token: str) -> VerifiedToken:
        """Return the claims of a token of a configured issuer, for its audience, valid now; raises as the port says."""
        unverified = read_token(token)
        url = unverified.issuer
        issuer = self._issuers.find(url)
        keys = self._local.get(url) or self._keys(issuer, url, unverified.key_id)
        keys.verify(unverified)
        check_claims(unverified.claims, issuer=url, audience=issuer.audience, now=self._clock.now())
        return VerifiedToken(issuer, url, unverified.claims)

    def _keys(self, issuer: Issuer, url: str, key_id: str | None) -> KeySet:
        known, now = self._known_of(url), self._clock.now()
        if known.keys is not None and known.has(key_id, now, _FRESH):
            return known.keys
        has_usable = known.has(key_id, now, _USABLE)
        if not self._crowd.acquire(blocking=False):
            if known.keys is not None and has_usable:
                return known.keys
            raise IssuerUnreachable(f"too many are waiting for issuers, so {url} is not asked now")
        try:
            return self._awaited(known, issuer, url, key_id, has_usable=has_usable)
        finally:
            self._crowd.release()

    def _awaited(self, known: _Known, issuer: Issuer, url: str, key_id: str | None, *, has_usable: bool) -> KeySet:
        if not known.lock.acquire(blocking=not has_usable, timeout=-1 if has_usable else _WAIT):
            if known.keys is not None and has_usable:
                return known.keys
            raise IssuerUnreachable(f"issuer {url} is being asked for its keys by too many")
        try:
            return self._refreshed(known, issuer, url, key_id)
        finally:
            known.lock.release()

    def _refreshed(self, known: _Known, issuer: Issuer, url: str, key_id: str | None) -> KeySet:
        now = self._clock.now()
        if known.keys is not None:
            asked_lately = known.is_younger(now, _UNKNOWN_KEY) and not known.keys.knows(key_id)
            if asked_lately or known.has(key_id, now, _FRESH):
                return known.keys
        try:
            self._allow(known, issuer, url, now)
            known.keys = self._source.keys(issuer, url)
            known.fetched, known.failed = self._clock.now(), None
        except IssuerUnreachable:
            known.failed = known.failed or now
            if known.keys is not None and known.has(key_id, now, _USABLE):
                return known.keys
            raise
        return known.keys

    def _allow(self, known: _Known, issuer: Issuer, url: str, now: datetime) -> None:
        """Return if the issuer may be asked now: not right after a failure, and not too often for all of its family."""
        if known.failed is not None and now - known.failed < _AFTER_FAILURE:
            raise IssuerUnreachable(f"issuer {url} did not answer a moment ago")
        known.failed = None
        if known.keys is not None:
            return  # one that answered before is asked every five minutes at most, or for a new key every 30 seconds
        with self._lock:
            asked = self._fetches.setdefault(issuer.url, deque())
            while asked and now - asked[0] >= _MINUTE:
                asked.popleft()
            if len(asked) >= _FETCHES:
                raise IssuerUnreachable(f"issuers like {issuer.url} were asked {_FETCHES} times within a minute")
            asked.append(now)

    def _known_of(self, url: str) -> _Known:
        with self._lock:
            known = self._known.setdefault(url, _Known())
            self._known.move_to_end(url)
            if len(self._known) > _MAX_KNOWN:
                self._forget_one(url)
            return known

    def _forget_one(self, but: str) -> None:
        """Forget an issuer that never answered, rather than one that did: made-up names must not push out real ones."""
        others = [url for url in self._known if url != but]
        silent = next((url for url in others if self._known[url].keys is None), others[0])
        del self._known[silent]
