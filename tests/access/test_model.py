"""The words of access: what roles imply, what a binding is written as, what facts look like."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from tests.access.standins import START

from chainward.access.facts import FACTS, TokenIssued, TokenRevocation
from chainward.access.model import (
    EVERYWHERE,
    PLATFORM_PRINCIPAL,
    Binding,
    Permission,
    Principal,
    Role,
    StoredToken,
    Token,
)
from chainward.formats.codec import canonical_json
from chainward.kernel.identity import PLATFORM
from chainward.kernel.name import RepositoryPattern

IMPLIED = {
    Role.READER: {Role.READER},
    Role.PUBLISHER: {Role.READER, Role.PUBLISHER},
    Role.PROMOTER: {Role.READER, Role.PROMOTER},
    Role.RESPONDER: {Role.READER, Role.RESPONDER},
    Role.ADMIN: set(Role),
}


@pytest.mark.parametrize(("one", "other"), list(itertools.product(Role, Role)))
def test_which_role_implies_which(one: Role, other: Role) -> None:
    assert one.implies(other) == (other in IMPLIED[one])


def test_every_permission_belongs_to_some_role_and_all_to_admin() -> None:
    assert set().union(*(role.permissions for role in Role)) == set(Permission)
    assert Role.ADMIN.permissions == set(Permission)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_admin_administers(role: Role) -> None:
    assert Permission.ADMINISTER not in role.permissions


def test_nobody_below_admin_both_pushes_and_promotes() -> None:
    """Whoever makes an image is not who lets it through."""
    both = {Permission.PUSH, Permission.PROMOTE}
    assert [role for role in Role if both <= role.permissions] == [Role.ADMIN]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("admin:**", "publisher:shop/web", True),
        ("publisher:shop/**", "reader:shop/web", True),
        ("publisher:shop/web", "publisher:shop/**", False),
        ("reader:**", "publisher:shop/web", False),
        ("publisher:**", "promoter:**", False),
    ],
)
def test_a_binding_includes_what_is_less_in_role_and_pattern(one: str, other: str, expected: bool) -> None:  # noqa: FBT001
    def parse(text: str) -> Binding:
        role, _, pattern = text.partition(":")
        return Binding(Role(role), RepositoryPattern(pattern))

    assert str(parse(one)) == one
    assert parse(one).includes(parse(other)) is expected


def test_the_platform_itself_has_every_right_and_no_token() -> None:
    assert PLATFORM_PRINCIPAL.actor == PLATFORM
    assert (PLATFORM_PRINCIPAL.token_id, PLATFORM_PRINCIPAL.expires_at) == (None, None)
    assert all(PLATFORM_PRINCIPAL.may(permission, None) for permission in Permission)


def test_two_tokens_of_one_name_act_under_two_names() -> None:
    names = {Token(identity, "ci", (), START, START, None).actor for identity in ("one", "two")}
    assert len(names) == 2


def test_a_principal_shows_what_it_may_and_no_digest() -> None:
    token = Token("id", "ci", (Binding(Role.READER, EVERYWHERE),), START, START, None)
    stored = StoredToken(token, b"digest-of-the-secret")
    assert isinstance(stored.token.principal(), Principal)
    assert "digest-of" not in repr(stored.token.principal())


@pytest.mark.parametrize(
    "fact",
    [
        TokenIssued(
            token_id="t", name="ci", bindings=("reader:**",), expires_at="2026-11-23T09:30:00Z", issued_by=None
        ),
        TokenRevocation(token_id="t", name="ci", reason="leaked"),
    ],
)
def test_a_fact_of_access_is_canonical_and_about_the_token(fact: TokenIssued | TokenRevocation) -> None:
    assert type(fact) in FACTS
    assert fact.subjects() == ("token:t",)
    written = canonical_json(msgspec.to_builtins(fact))
    assert msgspec.json.decode(written, type=type(fact)) == fact


def test_a_fact_of_the_largest_token_stays_far_below_the_limit() -> None:
    bindings = tuple(f"publisher:{'x' * 250}{number:05}" for number in range(32))
    fact = TokenIssued(token_id="t" * 22, name="n" * 63, bindings=bindings, expires_at="x" * 27, issued_by="t" * 22)
    assert len(canonical_json(msgspec.to_builtins(fact))) < 12 * 1024
