"""Declaring services and environments, noting deployments, and reading the portfolio back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.portfolio.facts import Deployed, EnvironmentDeclared, ServiceDeclared
from chainward.portfolio.model import DeclareEnvironment, DeclareService, Deployment, RecordDeployment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.kernel.digest import Digest
    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.kernel.name import RepositoryName
    from chainward.ledger.commit import Ledger
    from chainward.portfolio.map import Portfolio
    from chainward.portfolio.model import Environment, Service
    from chainward.portfolio.ports import PortfolioStore

__all__ = ["Portfolios", "deployment_of"]


def deployment_of(deployment: Deployment) -> tuple[Deployed, RecordDeployment]:
    """Return the fact and the write of a deployment, for a commit that holds more than this."""
    fact = Deployed(
        environment=deployment.environment, repository=str(deployment.repository), digest=str(deployment.digest)
    )
    return fact, RecordDeployment(deployment)


class Portfolios:
    """The portfolio of one platform. Thread-safe."""

    def __init__(self, ledger: Ledger, store: PortfolioStore, clock: Clock) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._known: Portfolio | None = None

    def declare_service(self, service: Service, *, context: Context) -> None:
        """Declare a service, or replace the declaration of that name.

        Raises:
            DeclarationAmbiguous: a pattern collides with another service's.
        """
        fact = ServiceDeclared(
            name=service.name,
            owner=service.owner,
            tier=service.tier,
            repositories=tuple(map(str, service.repositories)),
        )
        self._ledger.commit([fact], [DeclareService(service)], context=context)

    def declare_environment(self, environment: Environment, *, context: Context) -> None:
        """Declare an environment, or replace the declaration of that name.

        Raises:
            DeclarationAmbiguous: a pattern or the order collides with another environment's.
        """
        fact = EnvironmentDeclared(
            name=environment.name, order=environment.order, namespaces=tuple(map(str, environment.namespaces))
        )
        self._ledger.commit([fact], [DeclareEnvironment(environment)], context=context)

    def note_deployment(
        self, environment: str, repository: RepositoryName, digest: Digest, *, context: Context
    ) -> Deployment:
        """Note that an image was let into an environment; says nothing new when it is the newest one there already.

        Raises:
            EnvironmentUnknown: there is no such environment.
        """
        self.current().environment(environment)
        newest = next(iter(self._store.deployments(environment=environment, repository=repository)), None)
        if newest is not None and newest.digest == digest:
            return newest
        deployment = Deployment(environment, repository, digest, self._clock.now())
        fact, write = deployment_of(deployment)
        self._ledger.commit([fact], [write], context=context, occurred_at=deployment.since)
        return deployment

    def current(self) -> Portfolio:
        """Return the portfolio as it is now; reads only the epoch when nothing was declared since the last call."""
        return self.at(self._store.epoch())

    def at(self, epoch: int) -> Portfolio:
        """Return the portfolio of an epoch that was just read, or a later one."""
        known = self._known
        if known is None or known.epoch != epoch:
            known = self._known = self._store.portfolio()
        return known

    def deployments(
        self, *, environment: str | None = None, repository: RepositoryName | None = None, digest: Digest | None = None
    ) -> Sequence[Deployment]:
        """Return what is deployed, the newest first, narrowed by what is given."""
        return self._store.deployments(environment=environment, repository=repository, digest=digest)
