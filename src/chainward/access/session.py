"""Short-lived registry sessions: what docker, containerd, skopeo and oras fetch before they push or pull.

Follows the distribution registry's token authentication specification: a client that was answered 401 asks the token
service for the scopes that the challenge names, and then sends what it got as a Bearer token. A session never allows
more than the token it was made from, ends with that token or earlier, and is good for the registry protocol only.

A scope is ``repository:NAME:ACTION,…`` with the actions ``pull``, ``push`` and ``delete`` (``*`` for all three), or
``registry:catalog:*``. What is asked for and not allowed is left out, as the specification demands; the client finds
out when it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from chainward.access.errors import ScopeInvalid
from chainward.access.model import Permission, Principal
from chainward.kernel.name import RepositoryName
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

__all__ = ["ACTIONS", "CATALOG", "MAX_SCOPES", "Scope", "Session", "granted", "narrowed", "parse_scopes"]

MAX_SCOPES: Final = 32
CATALOG: Final = "registry:catalog:*"
ACTIONS: Final[Mapping[str, Permission]] = {
    "pull": Permission.PULL,
    "push": Permission.PUSH,
    "delete": Permission.ADMINISTER,
}
_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be done in one repository, or (``repository`` is None) that the names of repositories may be listed."""

    repository: RepositoryName | None
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return CATALOG if self.repository is None else f"repository:{self.repository}:{','.join(self.actions)}"


@dataclass(frozen=True, slots=True)
class Session:
    """What a session says: whose token it was made from (None: nobody's), what it allows, and until when."""

    token_id: str | None
    scopes: tuple[Scope, ...]
    expires_at: datetime


def parse_scopes(texts: Iterable[str]) -> tuple[Scope, ...]:
    """Read scopes; each text may hold several, separated by spaces.

    Scopes of kinds that are not known here are left out: other registries' plugins have their own.

    Raises:
        ScopeInvalid: too many, or a repository that cannot be.
    """
    words = [word for text in texts for word in text.split(" ") if word]
    if len(words) > MAX_SCOPES:
        raise ScopeInvalid(f"{len(words)} scopes were asked for, at most {MAX_SCOPES} are possible")
    return tuple(scope for scope in map(_scope, words) if scope is not None)


def granted(principal: Principal, scopes: Iterable[Scope]) -> tuple[Scope, ...]:
    """Return what of ``scopes`` the principal may do."""
    allowed = (replace(scope, actions=_allowed(principal, scope)) for scope in scopes)
    return tuple(scope for scope in allowed if scope.actions)


def narrowed(principal: Principal, scopes: Sequence[Scope]) -> Principal:
    """Return the principal with no more rights than ``scopes`` name."""
    limits: dict[str | None, frozenset[Permission]] = {}
    for scope in scopes:
        permissions = frozenset(ACTIONS[action] for action in scope.actions)
        name = None if scope.repository is None else str(scope.repository)
        limits[name] = limits.get(name, frozenset()) | permissions
    return replace(principal, limits=limits)


def _scope(word: str) -> Scope | None:
    if word == CATALOG:
        return Scope(None, ("pull",))
    kind, _, rest = word.partition(":")
    name, _, actions = rest.rpartition(":")
    if kind != "repository" or not name:
        return None
    try:
        repository = RepositoryName(name)
    except Problem as problem:
        raise ScopeInvalid(f"the scope {word[:300]!r} names no repository: {problem.message}") from None
    asked = actions.split(",")
    known = tuple(action for action in ACTIONS if action in asked or "*" in asked)
    return Scope(repository, known)


def _allowed(principal: Principal, scope: Scope) -> tuple[str, ...]:
    if scope.repository is None:
        return scope.actions if principal.may_anywhere(Permission.PULL) else ()
    return tuple(action for action in scope.actions if principal.may(ACTIONS[action], scope.repository))
