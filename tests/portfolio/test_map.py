"""Which service a repository belongs to, which environment a namespace belongs to, and what may be declared."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.strategies import repository_names

from chainward.kernel.name import InvalidName, RepositoryName, RepositoryPattern
from chainward.portfolio.errors import DeclarationAmbiguous, DeclarationInvalid, EnvironmentUnknown
from chainward.portfolio.map import Portfolio, check_environment, check_service
from chainward.portfolio.model import Environment, NamespacePattern, Service


def service(name: str, *patterns: str, tier: str = "standard") -> Service:
    return Service(name, "team@example.test", tier, tuple(map(RepositoryPattern, patterns)))


def environment(name: str, order: int, *patterns: str) -> Environment:
    return Environment(name, order, tuple(map(NamespacePattern, patterns)))


def portfolio(*services: Service, environments: tuple[Environment, ...] = ()) -> Portfolio:
    return Portfolio(1, services, environments)


def owner(value: Portfolio, repository: str) -> str | None:
    found = value.service_of(RepositoryName(repository))
    return None if found is None else found.name


USUAL = (environment("dev", 0, "dev"), environment("staging", 1, "staging"), environment("prod", 2, "prod", "prod-*"))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_most_specific_pattern_names_the_service(order: tuple[int, ...]) -> None:
    services = (service("all", "**"), service("shop", "shop/**"), service("web", "shop/web", "shop/web/*"))
    value = portfolio(*(services[position] for position in order))
    assert owner(value, "shop/web") == "web"
    assert owner(value, "shop/web/assets") == "web"
    assert owner(value, "shop/api") == "shop"
    assert owner(value, "blog") == "all"


def test_a_repository_that_nobody_declared_has_no_service() -> None:
    assert owner(portfolio(service("shop", "shop/**")), "blog/web") is None
    assert owner(portfolio(), "blog/web") is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("shop/*", "*/web"), ("shop/*-web", "shop/front-*"), ("shop/**", "shop/**"), ("**/web", "shop/**")],
)
def test_two_services_whose_patterns_cross_are_refused(one: str, other: str) -> None:
    with pytest.raises(DeclarationAmbiguous, match="neither is more specific"):
        check_service(service("one", one), [service("other", other)])


@pytest.mark.parametrize(("one", "other"), [("shop/**", "shop/web"), ("shop/*", "blog/*"), ("**", "shop/*")])
def test_two_services_of_which_one_lies_within_the_other_are_accepted(one: str, other: str) -> None:
    check_service(service("one", one), [service("other", other)])
    check_service(service("one", other), [service("other", one)])


def test_a_service_may_be_declared_anew_over_its_own_patterns() -> None:
    check_service(service("shop", "shop/*", "*/web"), [service("shop", "shop/**")])


PATTERNS = st.sampled_from(
    [
        "**",
        "shop/**",
        "shop/*",
        "shop/web",
        "shop/web/*",
        "*/web",
        "**/web",
        "shop/*-api",
        "shop/web-*",
        "blog/**",
        "blog",
    ]
)


@given(st.lists(st.tuples(st.sampled_from("abc"), PATTERNS), min_size=2, max_size=5), repository_names())
def test_whatever_was_accepted_has_one_answer_in_any_order(
    declared: list[tuple[str, str]], extra: RepositoryName
) -> None:
    services = [
        service(name, *{pattern for owner_, pattern in declared if owner_ == name})
        for name in sorted({name for name, _ in declared})
    ]
    try:
        for each in services:
            check_service(each, services)
    except DeclarationAmbiguous:
        assume(False)  # noqa: FBT003 - how Hypothesis is told to look elsewhere
    repositories = [extra, *map(RepositoryName, ("shop/web", "shop/web/x", "shop/web-api", "blog/web", "a/b/web"))]
    for repository in repositories:
        answers = {portfolio(*order).service_of(repository) for order in itertools.permutations(services)}
        assert len(answers) == 1


def test_a_namespace_belongs_to_the_environment_that_names_it() -> None:
    value = portfolio(environments=USUAL)
    found = {name: value.environment_of(name) for name in ("dev", "prod", "prod-eu", "staging")}
    assert {name: each.name if each else None for name, each in found.items()} == {
        "dev": "dev",
        "prod": "prod",
        "prod-eu": "prod",
        "staging": "staging",
    }


@pytest.mark.parametrize("namespace", ["default", "kube-system", "production", "prod.", "", "dev-x", "PROD", "prod/x"])
def test_a_namespace_that_nobody_mapped_has_no_environment(namespace: str) -> None:
    assert portfolio(environments=USUAL).environment_of(namespace) is None


@pytest.mark.parametrize("pattern", ["prod", "prod-*", "*-eu"])
def test_two_environments_that_could_claim_one_namespace_are_refused(pattern: str) -> None:
    with pytest.raises(DeclarationAmbiguous):
        check_environment(environment("other", 7, pattern), USUAL)


def test_a_namespace_within_the_pattern_of_another_environment_is_more_specific() -> None:
    special = environment("canary", 7, "prod-canary")
    check_environment(special, USUAL)
    found = portfolio(environments=(*USUAL, special)).environment_of("prod-canary")
    assert found is special


def test_two_environments_at_one_place_in_line_are_refused() -> None:
    with pytest.raises(DeclarationAmbiguous, match="order"):
        check_environment(environment("other", 1, "other"), USUAL)


def test_goods_come_from_the_environment_before() -> None:
    value = portfolio(environments=USUAL)
    assert [getattr(value.before(each), "name", None) for each in USUAL] == [None, "dev", "staging"]


def test_an_unknown_environment_is_told_with_the_known_ones() -> None:
    with pytest.raises(EnvironmentUnknown, match="known: dev, staging, prod"):
        portfolio(environments=USUAL).environment("production")
    assert portfolio(environments=USUAL).environment("prod").order == 2


@pytest.mark.parametrize("text", ["", "Prod", "prod.eu", "**", "a/b", "x" * 64, "prod\n", "*" * 5 + "x"])
def test_a_pattern_over_namespaces_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(DeclarationInvalid):
        NamespacePattern(text)


@pytest.mark.parametrize(
    "change", [{"name": "Web"}, {"name": ""}, {"name": "-a"}, {"tier": ""}, {"tier": "very high"}, {"owner": " "}]
)
def test_a_service_with_a_name_tier_or_owner_that_is_none_is_refused(change: dict[str, str]) -> None:
    members = {"name": "web", "owner": "team", "tier": "standard"} | change
    with pytest.raises(DeclarationInvalid):
        Service(**members, repositories=(RepositoryPattern("shop/**"),))


@pytest.mark.parametrize("owner_", ["x" * 201, "two\nlines", "esc\x1b[31m"])
def test_an_owner_that_would_spoil_a_page_is_refused(owner_: str) -> None:
    with pytest.raises(DeclarationInvalid, match="owner"):
        Service("web", owner_, "standard", (RepositoryPattern("shop/**"),))


def test_declarations_need_patterns_and_not_too_many() -> None:
    for count in (0, 65):
        with pytest.raises(DeclarationInvalid, match="1 to 64"):
            service("web", *(f"shop/{number}" for number in range(count)))
        with pytest.raises(DeclarationInvalid, match="1 to 64"):
            environment("prod", 1, *(f"ns-{number}" for number in range(count)))
    with pytest.raises(InvalidName):
        service("web", "SHOP")


@pytest.mark.parametrize("order", [-1, 1001])
def test_an_order_out_of_bounds_is_refused(order: int) -> None:
    with pytest.raises(DeclarationInvalid, match="order"):
        environment("prod", order, "prod")


def test_what_is_remembered_about_names_is_bounded() -> None:
    value = portfolio(environments=USUAL)
    for number in range(5000):
        value.environment_of(f"namespace-{number}")
    assert len(value._places) <= 4096
    assert value.environment_of("prod") is USUAL[2]
