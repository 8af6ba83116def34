"""Issuing and revoking tokens.

Nobody gives more than they have: whoever issues a token must hold ``admin`` over every repository that it is for.
Holders of lesser roles issue nothing, because a token that leaked could otherwise be made to survive its revocation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chainward.access.errors import Forbidden, InvalidGrant, TokenAlreadyRevoked, TokenUnknown
from chainward.access.facts import TokenIssued, TokenRevocation
from chainward.access.model import Binding, IssueToken, Principal, RevokeToken, Role, StoredToken, Token
from chainward.access.secret import TokenText, digest_of, fresh
from chainward.kernel.instant import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.access.authenticate import Authenticator
    from chainward.access.ports import AccessStore
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.ledger.commit import Ledger

__all__ = ["DEFAULT_LIFETIME", "MAX_LIFETIME", "IssuedToken", "Tokens"]

DEFAULT_LIFETIME: Final = timedelta(days=90)
MAX_LIFETIME: Final = timedelta(days=366)
_MAX_BINDINGS: Final = 32
_MAX_REASON: Final = 500
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token and, this once, its text."""

    token: Token
    text: TokenText


class Tokens:
    """The tokens of the platform. Thread-safe."""

    def __init__(
        self, ledger: Ledger, store: AccessStore, authenticator: Authenticator, clock: Clock, entropy: Entropy
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._authenticator = authenticator
        self._clock = clock
        self._entropy = entropy

    def issue(
        self,
        granter: Principal,
        name: str,
        bindings: Sequence[Binding],
        *,
        context: Context,
        lifetime: timedelta = DEFAULT_LIFETIME,
    ) -> IssuedToken:
        """Issue a token on behalf of ``granter`` and return it; its text cannot be had again.

        Raises:
            InvalidGrant: name, rights or lifetime are out of bounds.
            Forbidden: ``granter`` does not hold ``admin`` over all that the token is for.
        """
        wanted = tuple(sorted(set(bindings)))
        _check_request(name, wanted, lifetime)
        _check_grant(granter, wanted)
        now = self._clock.now()
        token_id, text = fresh(self._entropy)
        token = Token(token_id, name, wanted, now, now + lifetime, granter.token_id)
        fact = TokenIssued(
            token_id=token_id,
            name=name,
            bindings=tuple(map(str, wanted)),
            expires_at=rfc3339(token.expires_at),
            issued_by=granter.token_id,
        )
        write = IssueToken(StoredToken(token, digest_of(text.reveal())))
        self._ledger.commit([fact], [write], context=context, occurred_at=now)
        return IssuedToken(token, text)

    def revoke(self, revoker: Principal, token_id: str, reason: str, *, context: Context) -> Token:
        """Revoke a token; to do so twice changes nothing. Everybody may revoke their own.

        When this returns, this replica refuses the token; every other does so in less than a second.

        Raises:
            TokenUnknown: there is no such token.
            Forbidden: ``revoker`` could not have issued it.
        """
        if len(reason) > _MAX_REASON:
            raise InvalidGrant(f"a reason has at most {_MAX_REASON} characters", hint="Shorten the reason.")
        token = self._found(token_id)
        if revoker.token_id != token_id:
            _check_grant(revoker, token.bindings)
        fact = TokenRevocation(token_id=token_id, name=token.name, reason=reason)
        try:
            self._ledger.commit([fact], [RevokeToken(token_id)], context=context)
        except TokenAlreadyRevoked:
            return token
        finally:
            self._authenticator.forget()  # also when nobody knows whether the commit succeeded
        return self._found(token_id)

    def issued(self) -> Sequence[Token]:
        """Return all tokens, the newest first, expired and revoked ones too."""
        return self._store.tokens()

    def _found(self, token_id: str) -> Token:
        stored = self._store.token(token_id)
        if stored is None:
            raise TokenUnknown(f"there is no token {token_id[:40]!r}")
        return stored.token


def _check_request(name: str, bindings: tuple[Binding, ...], lifetime: timedelta) -> None:
    if _NAME.match(name) is None:
        raise InvalidGrant(f"{name[:80]!r} is not a name for a token")
    if not 0 < len(bindings) <= _MAX_BINDINGS:
        raise InvalidGrant(f"a token has 1 to {_MAX_BINDINGS} rights, not {len(bindings)}")
    if not timedelta(0) < lifetime <= MAX_LIFETIME:
        raise InvalidGrant(f"a token lives for at most {MAX_LIFETIME.days} days, not for {lifetime}")


def _check_grant(granter: Principal, bindings: Sequence[Binding]) -> None:
    for binding in bindings:
        needed = Binding(Role.ADMIN, binding.pattern)
        if not any(own.includes(needed) for own in granter.bindings):
            raise Forbidden(
                f"{granter.actor} may not hand out or take back {binding}",
                hint=f"Let somebody with the right {needed} do it, or ask for less.",
                details={"binding": str(binding)},
            )
