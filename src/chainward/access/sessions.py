"""Opening registry sessions, and finding out who shows one, a token, or nothing at all.

A session is checked without the database but for the token it was made from: when that is revoked or over, so is the
session, within the bounds of :class:`~chainward.access.authenticate.Authenticator`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chainward.access.errors import TokenExpired
from chainward.access.model import Principal
from chainward.access.secret import PREFIX
from chainward.access.session import Session, granted, narrowed
from chainward.kernel.identity import Actor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.access.authenticate import Authenticator
    from chainward.access.model import Binding
    from chainward.access.ports import SessionMint
    from chainward.access.session import Scope
    from chainward.kernel.instant import Clock

__all__ = ["LIFETIME", "RegistrySessions"]

LIFETIME: Final = timedelta(minutes=5)


class RegistrySessions:
    """Registry sessions of one platform. Thread-safe. ``anonymous`` is what may be done without any token."""

    def __init__(
        self, authenticator: Authenticator, mint: SessionMint, clock: Clock, anonymous: Sequence[Binding] = ()
    ) -> None:
        self._authenticator = authenticator
        self._mint = mint
        self._clock = clock
        self.anonymous: Final = Principal(Actor("anonymous"), tuple(anonymous), None, None)

    def open(self, principal: Principal, scopes: Sequence[Scope]) -> tuple[str, Session]:
        """Make a session of what of ``scopes`` the principal may do, and return its text with it."""
        now = self._clock.now()
        ends = now + LIFETIME
        if principal.expires_at is not None:
            ends = min(ends, principal.expires_at)
        session = Session(principal.token_id, granted(principal, scopes), ends)
        return self._mint.mint(session, now), session

    def authenticate(self, text: str) -> Principal:
        """Return who shows ``text``, a token or a session; raises as :meth:`Authenticator.authenticate`."""
        if text.startswith(PREFIX):
            return self._authenticator.authenticate(text)
        session = self._mint.read(text)
        if self._clock.now() >= session.expires_at:
            raise TokenExpired(f"the registry session ended at {session.expires_at:%Y-%m-%d %H:%M:%S} UTC")
        token_id = session.token_id
        holder = self.anonymous if token_id is None else self._authenticator.holder(token_id)
        return narrowed(holder, session.scopes)
