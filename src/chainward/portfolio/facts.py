"""The facts of the portfolio."""

from __future__ import annotations

from typing import ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = ["FACTS", "Deployed", "EnvironmentDeclared", "ServiceDeclared"]


class ServiceDeclared(FactBody, frozen=True, kw_only=True):
    """A service was declared or declared anew: its owner, its tier and its repositories."""

    schema: ClassVar[str] = "portfolio.service-declared/1"

    name: str
    owner: str
    tier: str
    repositories: tuple[str, ...]

    def subjects(self) -> tuple[str, ...]:
        """Return the service."""
        return (f"service:{self.name}",)


class EnvironmentDeclared(FactBody, frozen=True, kw_only=True):
    """An environment was declared or declared anew: its place in line and its namespaces."""

    schema: ClassVar[str] = "portfolio.environment-declared/1"

    name: str
    order: int
    namespaces: tuple[str, ...]

    def subjects(self) -> tuple[str, ...]:
        """Return the environment."""
        return (f"environment:{self.name}",)


class Deployed(FactBody, frozen=True, kw_only=True):
    """An image became the newest one of its repository in an environment."""

    schema: ClassVar[str] = "portfolio.deployed/1"

    environment: str
    repository: str
    digest: str

    def subjects(self) -> tuple[str, ...]:
        """Return the image and the environment."""
        return (self.digest, f"environment:{self.environment}")


FACTS: Final[tuple[type[FactBody], ...]] = (ServiceDeclared, EnvironmentDeclared, Deployed)
