"""What the portfolio needs from a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.portfolio.map import Portfolio
    from chainward.portfolio.model import Deployment

__all__ = ["PortfolioStore"]


class PortfolioStore(Protocol):
    """Reads of the portfolio; each call is one consistent snapshot of what was durable when it began. Thread-safe."""

    def epoch(self) -> int:
        """Return a number that grows with every declaration, and never otherwise."""
        ...

    def portfolio(self) -> Portfolio:
        """Return all services, by name, and all environments, by order."""
        ...

    def deployments(
        self, *, environment: str | None = None, repository: RepositoryName | None = None, digest: Digest | None = None
    ) -> Sequence[Deployment]:
        """Return deployments, the newest first, narrowed by what is given."""
        ...
