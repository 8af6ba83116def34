"""The words of the portfolio, and the writes that change it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.kernel.pattern import matches
from chainward.ledger.model import Write
from chainward.portfolio.errors import DeclarationInvalid

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName, RepositoryPattern

__all__ = [
    "DeclareEnvironment",
    "DeclareService",
    "Deployment",
    "Environment",
    "NamespacePattern",
    "RecordDeployment",
    "Service",
]

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_NAMESPACES: Final = re.compile(r"[a-z0-9*-]{1,63}\Z")
_MAX_OWNER: Final = 200
_MAX_PATTERNS: Final = 64
_MAX_ORDER: Final = 1000


def _check_name(what: str, name: str) -> None:
    if _NAME.match(name) is None:
        raise DeclarationInvalid(f"{name[:80]!r} is not a name for {what}")


def _check_count(what: str, count: int) -> None:
    if not 0 < count <= _MAX_PATTERNS:
        raise DeclarationInvalid(f"{what} needs 1 to {_MAX_PATTERNS} patterns, not {count}")


@dataclass(frozen=True, slots=True, order=True)
class NamespacePattern:
    """Which namespaces of a cluster: ``prod``, or ``prod-*``."""

    text: str

    def __post_init__(self) -> None:
        if _NAMESPACES.match(self.text) is None or "**" in self.text:
            raise DeclarationInvalid(f"{self.text[:80]!r} is not a pattern over namespaces")

    def matches(self, namespace: str) -> bool:
        """Whether ``namespace`` is covered."""
        return matches(self.text, namespace)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Service:
    """Something that a team runs: its images live in ``repositories``; ``tier`` says how much depends on it."""

    name: str
    owner: str
    tier: str
    repositories: tuple[RepositoryPattern, ...]

    def __post_init__(self) -> None:
        _check_name("a service", self.name)
        _check_name("a tier", self.tier)
        _check_count(f"service {self.name}", len(self.repositories))
        if not self.owner.strip() or len(self.owner) > _MAX_OWNER or not self.owner.isprintable():
            raise DeclarationInvalid(f"service {self.name} needs an owner: one line of at most {_MAX_OWNER} characters")


@dataclass(frozen=True, slots=True)
class Environment:
    """A place where workloads run. Goods move from a lower ``order`` to a higher one."""

    name: str
    order: int
    namespaces: tuple[NamespacePattern, ...]

    def __post_init__(self) -> None:
        _check_name("an environment", self.name)
        _check_count(f"environment {self.name}", len(self.namespaces))
        if not 0 <= self.order <= _MAX_ORDER:
            raise DeclarationInvalid(f"the order of environment {self.name} lies between 0 and {_MAX_ORDER}")


@dataclass(frozen=True, slots=True)
class Deployment:
    """An image that was let into an environment, and since when it is the newest one there, or was."""

    environment: str
    repository: RepositoryName
    digest: Digest
    since: datetime


@dataclass(frozen=True, slots=True)
class DeclareService(Write):
    """Keep a service under its name. Refused when a pattern collides with another service's."""

    service: Service


@dataclass(frozen=True, slots=True)
class DeclareEnvironment(Write):
    """Keep an environment under its name. Refused when a pattern or the order collides with another's."""

    environment: Environment


@dataclass(frozen=True, slots=True)
class RecordDeployment(Write):
    """Keep that an image is now the newest of its repository in an environment; never refused."""

    deployment: Deployment
