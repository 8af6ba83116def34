"""Who may do what: default deny, roles, patterns, and the platform as a whole."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.access.standins import START
from tests.strategies import repository_names

from chainward.access.authorize import authorize, authorize_anywhere
from chainward.access.errors import Forbidden
from chainward.access.model import EVERYWHERE, PLATFORM_PRINCIPAL, Binding, Permission, Principal, Role
from chainward.kernel.identity import Actor
from chainward.kernel.name import RepositoryName, RepositoryPattern

SHOP = RepositoryName("shop/web")
ALLOWED = {
    Role.READER: {"pull", "read-ledger"},
    Role.PUBLISHER: {"pull", "read-ledger", "push"},
    Role.PROMOTER: {"pull", "read-ledger", "promote", "admit"},
    Role.RESPONDER: {"pull", "read-ledger", "revoke"},
    Role.ADMIN: {"pull", "read-ledger", "push", "promote", "admit", "revoke", "administer"},
}
BINDINGS = st.builds(
    Binding, st.sampled_from(Role), st.sampled_from(["**", "shop/**", "shop/*", "shop/web"]).map(RepositoryPattern)
)


def holder(*bindings: Binding) -> Principal:
    return Principal(Actor("token:test"), bindings, "id", START)


@pytest.mark.parametrize(("role", "permission"), list(itertools.product(Role, Permission)))
def test_a_role_allows_what_the_table_says_and_nothing_else(role: Role, permission: Permission) -> None:
    principal = holder(Binding(role, RepositoryPattern("shop/**")))
    if permission.value in ALLOWED[role]:
        authorize(principal, permission, SHOP)
    else:
        with pytest.raises(Forbidden, match="may not"):
            authorize(principal, permission, SHOP)


@pytest.mark.parametrize("permission", Permission)
def test_whoever_holds_nothing_may_do_nothing(permission: Permission) -> None:
    with pytest.raises(Forbidden):
        authorize(holder(), permission, SHOP)
    with pytest.raises(Forbidden):
        authorize(holder(), permission)
    with pytest.raises(Forbidden):
        authorize_anywhere(holder(), permission)


@given(repository_names(), st.sampled_from(Permission))
def test_a_right_ends_at_its_pattern(repository: RepositoryName, permission: Permission) -> None:
    principal = holder(Binding(Role.ADMIN, RepositoryPattern("shop/**")))
    assert principal.may(permission, repository) == repository.text.startswith("shop/")


@pytest.mark.parametrize("pattern", ["*", "*/*", "shop/**", "a**", "**/web"])
def test_a_right_over_many_repositories_is_not_one_over_the_platform(pattern: str) -> None:
    with pytest.raises(Forbidden, match="whole platform"):
        authorize(holder(Binding(Role.ADMIN, RepositoryPattern(pattern))), Permission.ADMINISTER)


def test_a_right_over_everything_is_one_over_the_platform() -> None:
    authorize(holder(Binding(Role.ADMIN, EVERYWHERE)), Permission.ADMINISTER)
    authorize(PLATFORM_PRINCIPAL, Permission.ADMINISTER)


def test_a_publisher_somewhere_may_log_signatures() -> None:
    authorize_anywhere(holder(Binding(Role.PUBLISHER, RepositoryPattern("shop/web"))), Permission.PUSH)


def test_a_refusal_names_the_role_to_ask_for() -> None:
    with pytest.raises(Forbidden) as refusal:
        authorize(holder(Binding(Role.READER, EVERYWHERE)), Permission.PUSH, SHOP)
    assert refusal.value.details == {"permission": "push", "right": "publisher:shop/web"}
    assert "--role publisher:shop/web" in refusal.value.hint


@given(BINDINGS, BINDINGS, st.sampled_from(Permission), st.sampled_from(["shop/web", "shop/web/api", "blog"]))
def test_a_binding_that_includes_another_allows_all_that_the_other_allows(
    one: Binding, other: Binding, permission: Permission, repository: str
) -> None:
    for where in (RepositoryName(repository), None):
        if one.includes(other) and other.allows(permission, where):
            assert one.allows(permission, where)
