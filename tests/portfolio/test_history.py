"""Any sequence of declarations and deployments, over a real database, held against a plain model."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.databases import CONTEXT, ManualClock, sqlite_platform

from chainward.adapters.sql.portfolio import WRITES, SqlPortfolioStore
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.portfolio.declare import Portfolios
from chainward.portfolio.errors import DeclarationAmbiguous, EnvironmentUnknown
from chainward.portfolio.model import Environment, NamespacePattern, Service

PATTERNS = ["**", "shop/**", "shop/*", "shop/web", "*/web", "shop/*-api", "shop/web-*", "blog"]
REPOSITORIES = [RepositoryName(text) for text in ("shop/web", "shop/web-api", "shop/a/b", "blog", "bank/web")]
NAMESPACES = ["dev", "dev-*", "prod", "prod-eu", "*-eu", "prod-*"]
DIGESTS = [Digest.of(bytes([number])) for number in range(3)]


class History(RuleBasedStateMachine):
    """The model keeps what was accepted; the product must accept the same and answer the same."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.services: dict[str, Service] = {}
        self.environments: dict[str, Environment] = {}
        self.deployed: dict[tuple[str, str], list[Digest]] = {}

    @initialize()
    def open(self) -> None:
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        platform = self.stack.enter_context(sqlite_platform(folder))
        self.ledger = platform.open_ledger(WRITES)
        self.portfolios = Portfolios(self.ledger, SqlPortfolioStore(platform.database), ManualClock())

    @rule(
        name=st.sampled_from("abc"), patterns=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2, unique=True)
    )
    def declare_service(self, name: str, patterns: list[str]) -> None:
        service = Service(name, "team", "standard", tuple(map(RepositoryPattern, patterns)))
        before = self.size()
        try:
            self.portfolios.declare_service(service, context=CONTEXT)
        except DeclarationAmbiguous:
            assert self.size() == before
        else:
            assert self.size() == before + 1
            self.services[name] = service

    @rule(
        name=st.sampled_from(["dev", "prod", "qa"]),
        order=st.integers(0, 3),
        namespaces=st.lists(st.sampled_from(NAMESPACES), min_size=1, max_size=2, unique=True),
    )
    def declare_environment(self, name: str, order: int, namespaces: list[str]) -> None:
        environment = Environment(name, order, tuple(map(NamespacePattern, namespaces)))
        try:
            self.portfolios.declare_environment(environment, context=CONTEXT)
        except DeclarationAmbiguous:
            return
        assert order not in {each.order for each in self.environments.values() if each.name != name}
        self.environments[name] = environment

    @rule(
        name=st.sampled_from(["dev", "prod"]),
        repository=st.sampled_from(REPOSITORIES[:2]),
        digest=st.sampled_from(DIGESTS),
    )
    def deploy(self, name: str, repository: RepositoryName, digest: Digest) -> None:
        before = self.size()
        try:
            self.portfolios.note_deployment(name, repository, digest, context=CONTEXT)
        except EnvironmentUnknown:
            assert name not in self.environments
            return
        line = self.deployed.setdefault((name, repository.text), [])
        assert self.size() == before + (line[:1] != [digest])
        self.deployed[name, repository.text] = [digest, *(each for each in line if each != digest)]

    @invariant()
    def what_was_accepted_is_there(self) -> None:
        if not hasattr(self, "portfolios"):
            return
        current = self.portfolios.current()
        assert {each.name: each for each in current.services} == self.services
        assert {each.name: each for each in current.environments} == self.environments
        assert [each.order for each in current.environments] == sorted(each.order for each in current.environments)

    @invariant()
    def every_repository_has_one_service_and_a_reason_for_it(self) -> None:
        if not hasattr(self, "portfolios"):
            return
        current = self.portfolios.current()
        for repository in REPOSITORIES:
            claims = [each for each in self.services.values() if any(p.matches(repository) for p in each.repositories)]
            answer = current.service_of(repository)
            assert (answer in claims) if claims else (answer is None)

    @invariant()
    def deployments_are_in_order_of_their_newest_arrival(self) -> None:
        for (name, repository), line in self.deployed.items():
            found = self.portfolios.deployments(environment=name, repository=RepositoryName(repository))
            assert [each.digest for each in found] == line

    def size(self) -> int:
        with self.ledger.view() as view:
            return len(view.facts(0, 10_000))

    def teardown(self) -> None:
        self.stack.close()


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
