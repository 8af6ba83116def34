"""The words of access: permissions, the roles that bundle them, bindings, principals, tokens and the writes on tokens.

A binding gives one role over the repositories of one pattern. What concerns no single repository (signers, policy, the
whole ledger) needs a binding over every repository, ``**``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from chainward.access.errors import InvalidGrant
from chainward.kernel.identity import PLATFORM, Actor
from chainward.kernel.name import RepositoryPattern
from chainward.kernel.pattern import covers
from chainward.ledger.model import Write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chainward.kernel.name import RepositoryName

__all__ = [
    "EVERYWHERE",
    "PLATFORM_PRINCIPAL",
    "Binding",
    "IssueToken",
    "Permission",
    "Principal",
    "RevokeToken",
    "Role",
    "StoredToken",
    "Token",
]

EVERYWHERE: Final = RepositoryPattern("**")


class Permission(StrEnum):
    """One thing that can be allowed."""

    PULL = "pull"
    PUSH = "push"
    PROMOTE = "promote"
    ADMIT = "admit"
    REVOKE = "revoke"
    ADMINISTER = "administer"
    READ_LEDGER = "read-ledger"


class Role(StrEnum):
    """A bundle of permissions, named after who needs it. Each implies ``reader``; ``admin`` implies all."""

    READER = "reader"
    PUBLISHER = "publisher"
    PROMOTER = "promoter"
    RESPONDER = "responder"
    ADMIN = "admin"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role allows."""
        return _PERMISSIONS[self]

    def implies(self, other: Role) -> bool:
        """Whether whoever holds this role may do everything that ``other`` may."""
        return self.permissions >= other.permissions


_READ: Final = frozenset({Permission.PULL, Permission.READ_LEDGER})
_PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.READER: _READ,
    Role.PUBLISHER: _READ | {Permission.PUSH},
    Role.PROMOTER: _READ | {Permission.PROMOTE, Permission.ADMIT},
    Role.RESPONDER: _READ | {Permission.REVOKE},
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True, order=True)
class Binding:
    """One role over the repositories of one pattern; written ``publisher:shop/**``."""

    role: Role
    pattern: RepositoryPattern

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``role:pattern``; raises InvalidGrant or InvalidName."""
        role, _, pattern = text.partition(":")
        if role not in set(Role):
            raise InvalidGrant(
                f"{text[:80]!r} is not a right; write role:pattern with one of the roles {', '.join(Role)}"
            )
        return cls(Role(role), RepositoryPattern(pattern))

    def allows(self, permission: Permission, repository: RepositoryName | None) -> bool:
        """Whether this binding allows something in a repository, or (None) on the platform as a whole."""
        if permission not in self.role.permissions:
            return False
        return self.pattern == EVERYWHERE if repository is None else self.pattern.matches(repository)

    def includes(self, other: Binding) -> bool:
        """Whether this binding allows everything that ``other`` allows; False where that cannot be told."""
        return self.role.implies(other.role) and covers(self.pattern.text, other.pattern.text)

    def __str__(self) -> str:
        return f"{self.role.value}:{self.pattern}"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody whose token was checked, and what the token allows.

    ``token_id`` and ``expires_at`` are None only for the platform itself and for those who show no token. ``limits``
    bound a registry session: what it allows at most, by the name of the repository; under None stands whether it may
    list the names of all that the token may pull from, which lets it read nothing.
    """

    actor: Actor
    bindings: tuple[Binding, ...]
    token_id: str | None
    expires_at: datetime | None
    limits: Mapping[str | None, frozenset[Permission]] | None = None

    @property
    def is_bounded(self) -> bool:
        """Whether somebody who logs in anew may be allowed more: the holder of a session, or of nothing."""
        return self.limits is not None or (self.token_id is None and self.actor != PLATFORM)

    def may(self, permission: Permission, repository: RepositoryName | None) -> bool:
        """Whether the principal may do something in a repository, or (None) on the platform as a whole."""
        allowed = any(binding.allows(permission, repository) for binding in self.bindings)
        return allowed and (self.limits is None or self._is_within(permission, repository))

    def may_anywhere(self, permission: Permission) -> bool:
        """Whether there is any repository in which the principal may do something."""
        allowed = any(permission in binding.role.permissions for binding in self.bindings)
        return allowed and (self.limits is None or any(permission in limit for limit in self.limits.values()))

    def may_list(self, repository: RepositoryName) -> bool:
        """Whether the principal may be told that a repository is there."""
        if self.limits is None or Permission.PULL not in self.limits.get(None, ()):
            return self.may(Permission.PULL, repository)
        return any(binding.allows(Permission.PULL, repository) for binding in self.bindings)

    def _is_within(self, permission: Permission, repository: RepositoryName | None) -> bool:
        if self.limits is None or repository is None:
            return False
        return permission in self.limits.get(str(repository), ())


PLATFORM_PRINCIPAL: Final = Principal(PLATFORM, (Binding(Role.ADMIN, EVERYWHERE),), None, None)


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token: everything but its secret. ``issued_by`` is the id of the token that made it."""

    id: str
    name: str
    bindings: tuple[Binding, ...]
    issued_at: datetime
    expires_at: datetime
    issued_by: str | None
    revoked_at: datetime | None = None

    @property
    def actor(self) -> Actor:
        """The name under which the holder acts in facts; it holds the id, so two tokens of one name stay apart."""
        return Actor(f"token:{self.name}/{self.id}")

    def principal(self) -> Principal:
        """Return the holder with the rights of this token."""
        return Principal(self.actor, self.bindings, self.id, self.expires_at)


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token and the SHA-256 of its text, which is all that is kept of the secret."""

    token: Token
    digest: bytes


@dataclass(frozen=True, slots=True)
class IssueToken(Write):
    """Keep a new token."""

    stored: StoredToken


@dataclass(frozen=True, slots=True)
class RevokeToken(Write):
    """Mark a token as revoked and move the access epoch. Refused when it is unknown or already revoked."""

    token_id: str
