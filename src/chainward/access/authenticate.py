"""From the text of a token to a principal, fast, and never for a token that was revoked.

Tokens that passed are remembered by the SHA-256 of their text, so the usual request costs one hash and one look-up.
What is remembered is thrown away

* on this replica, before the call that revoked a token returns (:meth:`Authenticator.forget`), so the next request with
  that token is refused;
* on every other replica within 500 ms: before an answer is given from memory, the access epoch must have been read from
  the store no longer ago than that; it grows with every revocation, and a new value empties the memory.

When the epoch cannot be read, the store's Problem goes to the caller: no answer is given from an old memory.
"""

from __future__ import annotations

import hmac
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chainward.access.errors import TokenExpired, TokenInvalid, TokenRevoked
from chainward.access.secret import digest_of, id_in

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.access.model import Principal, Token
    from chainward.access.ports import AccessStore
    from chainward.kernel.instant import Clock

__all__ = ["FRESHNESS", "Authenticator"]

FRESHNESS: Final = timedelta(milliseconds=500)
_CAPACITY: Final = 4096
_BY_ID: Final = b"token id "  # with an id it has 31 bytes, a digest has 32


class Authenticator:
    """Checks tokens. Thread-safe."""

    def __init__(self, store: AccessStore, clock: Clock, *, capacity: int = _CAPACITY) -> None:
        self._store = store
        self._clock = clock
        self._capacity = capacity
        self._lock = threading.Lock()
        self._known: dict[bytes, tuple[Principal, datetime]] = {}
        self._generation = 0
        self._epoch = -1
        self._epoch_read_at: datetime | None = None

    def authenticate(self, text: str) -> Principal:
        """Return who holds the token ``text``.

        Raises:
            TokenInvalid: there is no such token.
            TokenExpired: its time is over.
            TokenRevoked: it was revoked.
        """
        now = self._clock.now()
        self._keep_up(now)
        digest = digest_of(text)
        known = self._known.get(digest)
        if known is None:
            return self._check(text, digest, now)
        principal, expires_at = known
        if now >= expires_at:
            raise _expired(expires_at)
        return principal

    def holder(self, token_id: str) -> Principal:
        """Return who holds the token with this id, for somebody who proved to have held it; raises as authenticate."""
        now = self._clock.now()
        self._keep_up(now)
        key = _BY_ID + token_id.encode()
        known = self._known.get(key)
        if known is None:
            return self._check_holder(token_id, key, now)
        principal, expires_at = known
        if now >= expires_at:
            raise _expired(expires_at)
        return principal

    def forget(self) -> None:
        """Check every token anew from now on; called when this replica revoked one."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._generation += 1
        self._known = {}

    def _keep_up(self, now: datetime) -> None:
        if self._is_fresh(now):
            return
        with self._lock:
            if self._is_fresh(now):  # another thread was faster
                return
            epoch = self._store.epoch()
            if epoch != self._epoch:
                self._forget()
                self._epoch = epoch
            self._epoch_read_at = now

    def _is_fresh(self, now: datetime) -> bool:
        read_at = self._epoch_read_at
        return read_at is not None and read_at <= now < read_at + FRESHNESS

    def _check(self, text: str, digest: bytes, now: datetime) -> Principal:
        generation = self._generation  # read before the row: a revocation in between must not be remembered as good
        stored = self._store.token(id_in(text))
        if stored is None or not hmac.compare_digest(stored.digest, digest):
            raise TokenInvalid("this is not a token of this platform")
        return self._remember(digest, stored.token, generation, now)

    def _check_holder(self, token_id: str, key: bytes, now: datetime) -> Principal:
        generation = self._generation
        stored = self._store.token(token_id)
        if stored is None:
            raise TokenInvalid("the session was made from a token that this platform does not know")
        return self._remember(key, stored.token, generation, now)

    def _remember(self, key: bytes, token: Token, generation: int, now: datetime) -> Principal:
        _refuse_if_over(token, now)
        principal = token.principal()
        with self._lock:
            if generation == self._generation:
                while len(self._known) >= self._capacity:
                    del self._known[next(iter(self._known))]
                self._known[key] = (principal, token.expires_at)
        return principal


def _refuse_if_over(token: Token, now: datetime) -> None:
    if token.revoked_at is not None:
        raise TokenRevoked(f"token {token.name} was revoked at {token.revoked_at:%Y-%m-%d %H:%M:%S} UTC")
    if now >= token.expires_at:
        raise _expired(token.expires_at)


def _expired(expires_at: datetime) -> TokenExpired:
    return TokenExpired(f"the token expired at {expires_at:%Y-%m-%d %H:%M:%S} UTC")
