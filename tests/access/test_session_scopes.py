"""Registry sessions: what a scope allows, and nothing beside it."""

from __future__ import annotations

from datetime import UTC, datetime

from chainward.access.model import Binding, Permission, Principal
from chainward.access.session import CATALOG, narrowed, parse_scopes
from chainward.kernel.identity import Actor
from chainward.kernel.name import RepositoryName

HOLDER = Principal(Actor("token:ci/1"), (Binding.parse("reader:shop/**"),), "1", datetime(2030, 1, 1, tzinfo=UTC))


def test_a_session_for_the_catalog_pulls_nothing() -> None:
    """Who is handed a session to list names must not be able to read what stands under them."""
    session = narrowed(HOLDER, parse_scopes([CATALOG]))
    assert not session.may(Permission.PULL, RepositoryName("shop/web"))
    assert session.may_list(RepositoryName("shop/web"))
    assert not session.may_list(RepositoryName("other/web"))


def test_a_session_for_one_repository_lists_that_one() -> None:
    session = narrowed(HOLDER, parse_scopes(["repository:shop/web:pull"]))
    assert session.may_list(RepositoryName("shop/web"))
    assert not session.may_list(RepositoryName("shop/api"))
    assert not narrowed(HOLDER, parse_scopes(["repository:shop/web:push"])).may_list(RepositoryName("shop/web"))


def test_a_token_lists_what_it_may_pull() -> None:
    assert HOLDER.may_list(RepositoryName("shop/web"))
    assert not HOLDER.may_list(RepositoryName("other/web"))
