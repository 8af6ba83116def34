"""Tables and statements of the portfolio: services, environments, deployments and the epoch of declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text, select
from sqlalchemy.dialects import postgresql, sqlite

from chainward.adapters.sql.metadata import METADATA, Instant
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.portfolio.map import Portfolio, check_environment, check_service
from chainward.portfolio.model import (
    DeclareEnvironment,
    DeclareService,
    Deployment,
    Environment,
    NamespacePattern,
    RecordDeployment,
    Service,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.ledger.model import Write

__all__ = ["DEPLOYMENT", "ENVIRONMENT", "PORTFOLIO_EPOCH", "SERVICE", "WRITES", "SqlPortfolioStore"]

SERVICE = Table(
    "service",
    METADATA,
    Column("name", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("tier", String, nullable=False),
    Column("repositories", Text, nullable=False),
)
ENVIRONMENT = Table(
    "environment",
    METADATA,
    Column("name", String, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("namespaces", Text, nullable=False),
)
DEPLOYMENT = Table(
    "deployment",
    METADATA,
    Column("environment", String, primary_key=True),
    Column("repository", String, primary_key=True),
    Column("digest", String, primary_key=True, index=True),
    Column("since", Instant, nullable=False),
)
PORTFOLIO_EPOCH = Table(
    "portfolio_epoch",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)

_THE_ROW: Final = 1
_SELECT_EPOCH = select(PORTFOLIO_EPOCH.c.epoch).where(PORTFOLIO_EPOCH.c.id == _THE_ROW)


class SqlPortfolioStore:
    """The PortfolioStore over SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def epoch(self) -> int:
        """Return the epoch of declarations; 0 before the first."""
        with self._database.read() as connection:
            return _epoch(connection)

    def portfolio(self) -> Portfolio:
        """Return the whole portfolio in one snapshot."""
        with self._database.read() as connection:
            return Portfolio(_epoch(connection), _services(connection), _environments(connection))

    def deployments(
        self, *, environment: str | None = None, repository: RepositoryName | None = None, digest: Digest | None = None
    ) -> list[Deployment]:
        """Return deployments, the newest first."""
        query = select(DEPLOYMENT).order_by(
            DEPLOYMENT.c.since.desc(), DEPLOYMENT.c.environment, DEPLOYMENT.c.repository, DEPLOYMENT.c.digest
        )
        narrow = {"environment": environment, "repository": repository, "digest": digest}
        for name, value in narrow.items():
            if value is not None:
                query = query.where(DEPLOYMENT.c[name] == str(value))
        with self._database.read() as connection:
            return [
                Deployment(row.environment, RepositoryName(row.repository), Digest.parse(row.digest), row.since)
                for row in connection.execute(query)
            ]


def _epoch(connection: Connection) -> int:
    return connection.execute(_SELECT_EPOCH).scalar() or 0


def _services(connection: Connection) -> tuple[Service, ...]:
    return tuple(
        Service(row.name, row.owner, row.tier, tuple(map(RepositoryPattern, row.repositories.split())))
        for row in connection.execute(select(SERVICE).order_by(SERVICE.c.name))
    )


def _environments(connection: Connection) -> tuple[Environment, ...]:
    return tuple(
        Environment(row.name, row.position, tuple(map(NamespacePattern, row.namespaces.split())))
        for row in connection.execute(select(ENVIRONMENT).order_by(ENVIRONMENT.c.position))
    )


def _upsert(scope: Scope, table: Table, row: dict[str, Any]) -> None:
    dialect = postgresql if scope.dialect_name == "postgresql" else sqlite
    keys = [column.name for column in table.primary_key]
    changes = {name: value for name, value in row.items() if name not in keys}
    statement = dialect.insert(table).values(row)
    scope.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))


def _move_epoch(scope: Scope) -> None:
    _upsert(scope, PORTFOLIO_EPOCH, {"id": _THE_ROW, "epoch": _epoch(scope.connection) + 1})


def _declare_service(scope: Scope, write: DeclareService) -> None:
    service = write.service
    check_service(service, _services(scope.connection))
    row = {
        "name": service.name,
        "owner": service.owner,
        "tier": service.tier,
        "repositories": " ".join(map(str, service.repositories)),
    }
    _upsert(scope, SERVICE, row)
    _move_epoch(scope)


def _declare_environment(scope: Scope, write: DeclareEnvironment) -> None:
    environment = write.environment
    check_environment(environment, _environments(scope.connection))
    row = {
        "name": environment.name,
        "position": environment.order,
        "namespaces": " ".join(map(str, environment.namespaces)),
    }
    _upsert(scope, ENVIRONMENT, row)
    _move_epoch(scope)


def _record_deployment(scope: Scope, write: RecordDeployment) -> None:
    deployment = write.deployment
    row = {
        "environment": deployment.environment,
        "repository": str(deployment.repository),
        "digest": str(deployment.digest),
        "since": deployment.since,
    }
    _upsert(scope, DEPLOYMENT, row)


WRITES: Final[Mapping[type[Write], Handler]] = {
    DeclareService: _declare_service,
    DeclareEnvironment: _declare_environment,
    RecordDeployment: _record_deployment,
}
