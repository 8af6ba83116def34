"""The contract of the store of services, environments and deployments, over SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.databases import CONTEXT

from chainward.adapters.sql.portfolio import WRITES, SqlPortfolioStore
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.portfolio.errors import DeclarationAmbiguous
from chainward.portfolio.map import check_service
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
    from tests.databases import PlatformDatabase

    from chainward.ledger.commit import Ledger

WEB, API = RepositoryName("shop/web"), RepositoryName("shop/api")
ONE, OTHER = Digest.of(b"one"), Digest.of(b"other")
START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.fixture
def ledger(platform_database: PlatformDatabase) -> Ledger:
    return platform_database.open_ledger(WRITES)


@pytest.fixture
def store(platform_database: PlatformDatabase) -> SqlPortfolioStore:
    return SqlPortfolioStore(platform_database.database)


def service(name: str, *patterns: str, owner: str = "team") -> Service:
    return Service(name, owner, "standard", tuple(map(RepositoryPattern, patterns)))


def environment(name: str, order: int, *patterns: str) -> Environment:
    return Environment(name, order, tuple(map(NamespacePattern, patterns)))


def test_an_empty_portfolio_has_epoch_zero(store: SqlPortfolioStore) -> None:
    value = store.portfolio()
    assert (value.epoch, value.services, value.environments, store.epoch()) == (0, (), (), 0)


def test_declarations_come_back_as_they_were_made(ledger: Ledger, store: SqlPortfolioStore) -> None:
    shop, blog = service("shop", "shop/**", "web-shop", owner="Ünïcode & co"), service("blog", "blog/*")
    prod, dev = environment("prod", 2, "prod", "prod-*"), environment("dev", 0, "dev")
    ledger.commit([], [DeclareService(shop), DeclareService(blog)], context=CONTEXT)
    ledger.commit([], [DeclareEnvironment(prod), DeclareEnvironment(dev)], context=CONTEXT)
    value = store.portfolio()
    assert value.services == (blog, shop)
    assert value.environments == (dev, prod)


def test_every_declaration_moves_the_epoch(ledger: Ledger, store: SqlPortfolioStore) -> None:
    writes = (
        DeclareService(service("a", "a")),
        DeclareService(service("a", "b")),
        DeclareEnvironment(environment("e", 0, "e")),
    )
    epochs: list[int] = []
    for write in writes:
        ledger.commit([], [write], context=CONTEXT)
        epochs.append(store.epoch())
    assert epochs == [1, 2, 3]
    assert store.portfolio().epoch == 3
    assert [each.repositories for each in store.portfolio().services] == [(RepositoryPattern("b"),)]


def test_a_refused_declaration_leaves_nothing(ledger: Ledger, store: SqlPortfolioStore) -> None:
    ledger.commit([], [DeclareService(service("a", "shop/*"))], context=CONTEXT)
    with pytest.raises(DeclarationAmbiguous):
        ledger.commit([], [DeclareService(service("c", "c")), DeclareService(service("b", "*/web"))], context=CONTEXT)
    assert [each.name for each in store.portfolio().services] == ["a"]
    assert store.epoch() == 1


def test_of_two_who_claim_one_repository_at_once_one_gets_it(ledger: Ledger, store: SqlPortfolioStore) -> None:
    def claim(number: int) -> bool:
        try:
            ledger.commit([], [DeclareService(service(f"s{number}", "shop/*-api"))], context=CONTEXT)
        except DeclarationAmbiguous:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(16))) == 1
    services = store.portfolio().services
    for each in services:
        check_service(each, services)


def test_two_environments_cannot_take_one_place_in_line(ledger: Ledger, store: SqlPortfolioStore) -> None:
    ledger.commit([], [DeclareEnvironment(environment("dev", 0, "dev"))], context=CONTEXT)
    with pytest.raises(DeclarationAmbiguous):
        ledger.commit([], [DeclareEnvironment(environment("test", 0, "test"))], context=CONTEXT)
    assert len(store.portfolio().environments) == 1


def test_deployments_are_narrowed_and_the_newest_comes_first(ledger: Ledger, store: SqlPortfolioStore) -> None:
    rows = [("dev", WEB, ONE), ("prod", WEB, ONE), ("prod", WEB, OTHER), ("prod", API, OTHER)]
    deployments = [Deployment(*row, START + timedelta(minutes=minute)) for minute, row in enumerate(rows)]
    ledger.commit([], [RecordDeployment(each) for each in deployments], context=CONTEXT)
    dev_web, prod_web, prod_web_new, prod_api = deployments
    assert store.deployments() == [prod_api, prod_web_new, prod_web, dev_web]
    assert store.deployments(environment="prod", repository=WEB) == [prod_web_new, prod_web]
    assert store.deployments(digest=ONE) == [prod_web, dev_web]
    assert store.deployments(environment="staging") == []


def test_a_deployment_that_returns_becomes_the_newest_again(ledger: Ledger, store: SqlPortfolioStore) -> None:
    for minute, digest in enumerate((ONE, OTHER, ONE)):
        deployment = Deployment("prod", WEB, digest, START + timedelta(minutes=minute))
        ledger.commit([], [RecordDeployment(deployment)], context=CONTEXT)
    assert [each.digest for each in store.deployments()] == [ONE, OTHER]
    assert store.epoch() == 0
