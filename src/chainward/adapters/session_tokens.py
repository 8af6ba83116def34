"""Registry sessions as JSON Web Tokens (RFC 7519) under a key that the replicas of one platform share; by PyJWT.

The claims are those of the distribution registry's token specification: ``access`` lists what is allowed. ``sub`` is
the id of the token that the session was made from, and is absent for a session of nobody. Signed with HS256: who writes
the session is who reads it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import jwt

from chainward.access.errors import TokenInvalid
from chainward.access.session import ACTIONS, Scope, Session
from chainward.kernel.name import RepositoryName
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["JwtSessionMint"]

_ALGORITHM: Final = "HS256"
_KIND: Final = "chainward-registry-session"
_LIMIT: Final = 32 * 1024
_REQUIRED: Final = ("aud", "iss", "exp", "access")


class JwtSessionMint:
    """The SessionMint of one platform; ``issuer`` is its name."""

    def __init__(self, key: bytes, issuer: str) -> None:
        self._key = key
        self._issuer = issuer

    def mint(self, session: Session, issued_at: datetime) -> str:
        """Return the text of a session."""
        now = int(issued_at.timestamp())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": _KIND,
            "iat": now,
            "nbf": now,
            "exp": int(session.expires_at.timestamp()),
            "access": [_members(scope) for scope in session.scopes],
        }
        if session.token_id is not None:
            claims["sub"] = session.token_id
        return jwt.encode(claims, self._key, _ALGORITHM, headers={"typ": "JWT"})

    def read(self, text: str) -> Session:
        """Return the session that a text is; raises TokenInvalid."""
        if len(text) > _LIMIT:
            raise TokenInvalid("this is not a token of this platform")
        # Whether its time is over is asked of the platform's own clock, by the caller.
        options: Any = {"require": list(_REQUIRED), "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            claims = jwt.decode(text, self._key, [_ALGORITHM], audience=_KIND, issuer=self._issuer, options=options)
            return _session(claims)
        except (jwt.InvalidTokenError, Problem, KeyError, TypeError, ValueError, OverflowError):
            raise TokenInvalid("this is not a token of this platform") from None


def _members(scope: Scope) -> dict[str, Any]:
    if scope.repository is None:
        return {"type": "registry", "name": "catalog", "actions": ["*"]}
    return {"type": "repository", "name": str(scope.repository), "actions": list(scope.actions)}


def _session(claims: Mapping[str, Any]) -> Session:
    subject = claims.get("sub")
    scopes = tuple(map(_scope, claims["access"]))
    return Session(subject, scopes, datetime.fromtimestamp(claims["exp"], UTC))


def _scope(members: Mapping[str, Any]) -> Scope:
    if members["type"] == "registry":
        return Scope(None, ("pull",))
    return Scope(RepositoryName(members["name"]), tuple(action for action in ACTIONS if action in members["actions"]))
