"""What can go wrong with tokens and rights. No message here ever repeats the text of a token."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = [
    "Forbidden",
    "InvalidGrant",
    "ScopeInvalid",
    "ScopeTooSmall",
    "TokenAlreadyRevoked",
    "TokenExpired",
    "TokenInvalid",
    "TokenRevoked",
    "TokenUnknown",
]


class Forbidden(Problem):
    """The caller is known, and has no right to do this."""

    kind: ClassVar[Kind] = Kind.FORBIDDEN
    code: ClassVar[str] = "access-denied"
    hint = "Ask an administrator for a token with the role that the message names."


class TokenInvalid(Problem):
    """The text is not a token of this platform."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "token-invalid"
    hint = "Send the whole token, cwt_…_…, as it was printed once by: chainward token issue"


class TokenExpired(Problem):
    """The token was good and is over."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "token-expired"
    hint = "Ask an administrator for a new one, made with: chainward token issue"


class TokenRevoked(Problem):
    """The token was good and was revoked."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "token-revoked"
    hint = "Ask an administrator why, and for a new one, made with: chainward token issue"


class TokenUnknown(Problem):
    """There is no token with that id."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "token-unknown"
    hint = "List the tokens with: chainward token list"


class TokenAlreadyRevoked(Problem):
    """The token is revoked already; to revoke it again changes nothing."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "token-already-revoked"
    hint = "Nothing is left to do; the token is refused everywhere."


class InvalidGrant(Problem):
    """The token that was asked for cannot exist: its name, rights or lifetime are out of bounds."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "token-request-invalid"
    hint = "Give a name such as ci-shop, one to 32 rights such as publisher:shop/**, and at most 366 days."


class ScopeInvalid(Problem):
    """The scopes that were asked for cannot be read, or are too many."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "scope-invalid"
    hint = "Ask for scopes such as repository:shop/web:pull,push, at most 32."


class ScopeTooSmall(Problem):
    """The registry session does not allow this, or nobody without a token may do it."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "scope-too-small"
    hint = "Log in with a token that has the right: docker login, skopeo login or oras login, any user name."
