"""Declaring and reading back, with the facts that this leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.databases import CONTEXT, ManualClock, sqlite_platform

from chainward.adapters.sql.portfolio import WRITES, SqlPortfolioStore
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.portfolio.declare import Portfolios
from chainward.portfolio.errors import DeclarationAmbiguous, EnvironmentUnknown
from chainward.portfolio.model import Environment, NamespacePattern, Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import Recorded
    from chainward.portfolio.map import Portfolio

WEB, API = RepositoryName("shop/web"), RepositoryName("shop/api")
ONE, OTHER = Digest.of(b"one"), Digest.of(b"other")
SHOP = Service("shop", "team@example.test", "critical", (RepositoryPattern("shop/**"),))
PROD = Environment("prod", 2, (NamespacePattern("prod"), NamespacePattern("prod-*")))


class CountingStore(SqlPortfolioStore):
    """The real store, which counts how often the whole portfolio is read."""

    reads = 0

    def portfolio(self) -> Portfolio:
        self.reads += 1
        return super().portfolio()


class World:
    def __init__(self, ledger: Ledger, store: CountingStore) -> None:
        self.ledger, self.store = ledger, store
        self.portfolios = Portfolios(ledger, store, ManualClock())

    def facts(self) -> list[Recorded]:
        with self.ledger.view() as view:
            return [fact for fact in view.facts(0, 100) if fact.schema.startswith("portfolio.")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with sqlite_platform(tmp_path) as platform:
        yield World(platform.open_ledger(WRITES), CountingStore(platform.database))


def test_what_was_declared_is_current_at_once(world: World) -> None:
    assert world.portfolios.current().service_of(WEB) is None
    world.portfolios.declare_service(SHOP, context=CONTEXT)
    world.portfolios.declare_environment(PROD, context=CONTEXT)
    assert world.portfolios.current().service_of(WEB) == SHOP
    assert world.portfolios.current().environment_of("prod-eu") == PROD


def test_the_portfolio_is_read_once_for_each_epoch(world: World) -> None:
    for _ in range(5):
        world.portfolios.current()
    world.portfolios.declare_service(SHOP, context=CONTEXT)
    for _ in range(5):
        world.portfolios.current()
    assert world.store.reads == 2


def test_a_service_that_would_share_a_repository_is_refused_and_leaves_no_fact(world: World) -> None:
    world.portfolios.declare_service(SHOP, context=CONTEXT)
    rival = Service("rival", "them", "low", (RepositoryPattern("*/web"),))
    with pytest.raises(DeclarationAmbiguous):
        world.portfolios.declare_service(rival, context=CONTEXT)
    assert world.portfolios.current().services == (SHOP,)
    assert len(world.facts()) == 1


def test_a_declaration_is_a_fact_about_its_name(world: World) -> None:
    world.portfolios.declare_service(SHOP, context=CONTEXT)
    world.portfolios.declare_environment(PROD, context=CONTEXT)
    service, environment = world.facts()
    assert service.subjects == ("service:shop",)
    assert service.body == {
        "name": "shop",
        "owner": "team@example.test",
        "tier": "critical",
        "repositories": ["shop/**"],
    }
    assert environment.subjects == ("environment:prod",)
    assert environment.body == {"name": "prod", "order": 2, "namespaces": ["prod", "prod-*"]}


def test_a_deployment_is_noted_once_while_it_is_the_newest(world: World) -> None:
    world.portfolios.declare_environment(PROD, context=CONTEXT)
    for digest in (ONE, ONE, OTHER, OTHER, ONE):
        world.portfolios.note_deployment("prod", WEB, digest, context=CONTEXT)
    deployed = [fact.body["digest"] for fact in world.facts() if fact.schema == "portfolio.deployed/1" and fact.body]
    assert deployed == [str(ONE), str(OTHER), str(ONE)]
    assert [each.digest for each in world.portfolios.deployments(environment="prod", repository=WEB)] == [ONE, OTHER]


def test_a_deployment_is_found_by_its_digest_wherever_it_is(world: World) -> None:
    for name, order in (("dev", 0), ("prod", 1)):
        namespaces = (NamespacePattern(name),)
        world.portfolios.declare_environment(Environment(name, order, namespaces), context=CONTEXT)
        world.portfolios.note_deployment(name, WEB, ONE, context=CONTEXT)
    world.portfolios.note_deployment("prod", API, OTHER, context=CONTEXT)
    assert {each.environment for each in world.portfolios.deployments(digest=ONE)} == {"dev", "prod"}


def test_nothing_is_deployed_into_an_environment_that_does_not_exist(world: World) -> None:
    with pytest.raises(EnvironmentUnknown):
        world.portfolios.note_deployment("prod", WEB, ONE, context=CONTEXT)
    assert world.facts() == []
