"""Issuing and revoking: bounds, who may grant what, and that no secret is anywhere but in its holder's hands."""

from __future__ import annotations

import contextlib
import logging
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.access.standins import CountingEntropy
from tests.databases import CONTEXT, ManualClock, sqlite_platform

from chainward.access.authenticate import Authenticator
from chainward.access.errors import Forbidden, InvalidGrant, TokenExpired, TokenInvalid, TokenRevoked, TokenUnknown
from chainward.access.facts import FACTS
from chainward.access.model import EVERYWHERE, PLATFORM_PRINCIPAL, Binding, IssueToken, Principal, Role
from chainward.access.tokens import DEFAULT_LIFETIME, MAX_LIFETIME, IssuedToken, Tokens
from chainward.adapters.sql.access import WRITES, SqlAccessStore
from chainward.kernel.name import RepositoryPattern
from chainward.kernel.problem import Problem
from chainward.ledger.errors import CommitUncertain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.databases import PlatformDatabase

    from chainward.ledger.commit import Ledger

ADMIN = Binding(Role.ADMIN, EVERYWHERE)


def right(text: str) -> Binding:
    role, _, pattern = text.partition(":")
    return Binding(Role(role), RepositoryPattern(pattern))


class Office:
    """Everything that issuing and checking tokens needs, over a real database."""

    def __init__(self, platform: PlatformDatabase) -> None:
        self.clock = ManualClock()
        self.ledger: Ledger = platform.open_ledger(WRITES, clock=self.clock)
        self.store = SqlAccessStore(platform.database)
        self.authenticator = Authenticator(self.store, self.clock)
        self.tokens = Tokens(self.ledger, self.store, self.authenticator, self.clock, CountingEntropy())

    def issue(self, *rights: str, granter: Principal = PLATFORM_PRINCIPAL, **more: timedelta) -> IssuedToken:
        return self.tokens.issue(granter, "ci", [right(text) for text in rights], context=CONTEXT, **more)

    def holder(self, *rights: str) -> Principal:
        return self.authenticator.authenticate(self.issue(*rights).text.reveal())

    def facts(self) -> list[dict[str, object]]:
        with self.ledger.view() as view:
            found = view.facts(0, 100, frozenset(fact.schema for fact in FACTS))
        return [{"schema": fact.schema, **(fact.body or {})} for fact in found]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with sqlite_platform(tmp_path) as platform:
        yield Office(platform)


def test_a_token_is_good_for_ninety_days_unless_said_otherwise(office: Office) -> None:
    issued = office.issue("publisher:shop/**")
    assert issued.token.expires_at - issued.token.issued_at == DEFAULT_LIFETIME == timedelta(days=90)
    assert office.authenticator.authenticate(issued.text.reveal()).bindings == (right("publisher:shop/**"),)
    office.clock.advance(timedelta(days=90))
    with pytest.raises(TokenExpired):
        office.authenticator.authenticate(issued.text.reveal())


@pytest.mark.parametrize("lifetime", [timedelta(0), -timedelta(days=1), MAX_LIFETIME + timedelta(seconds=1)])
def test_a_lifetime_out_of_bounds_is_refused(office: Office, lifetime: timedelta) -> None:
    with pytest.raises(InvalidGrant, match="366 days"):
        office.issue("reader:**", lifetime=lifetime)


@pytest.mark.parametrize("name", ["", "CI", "a b", "x" * 64, "-a", "a\n", "é"])
def test_a_name_that_is_none_is_refused(office: Office, name: str) -> None:
    with pytest.raises(InvalidGrant, match="not a name"):
        office.tokens.issue(PLATFORM_PRINCIPAL, name, [ADMIN], context=CONTEXT)


@pytest.mark.parametrize("count", [0, 33])
def test_a_token_has_one_to_thirty_two_rights(office: Office, count: int) -> None:
    with pytest.raises(InvalidGrant, match="1 to 32 rights"):
        office.issue(*(f"reader:shop/{number}" for number in range(count)))
    assert office.tokens.issued() == []


def test_a_right_named_twice_is_one_right(office: Office) -> None:
    assert office.issue("reader:shop/*", "reader:shop/*").token.bindings == (right("reader:shop/*"),)


@pytest.mark.parametrize("own", ["reader:**", "publisher:**", "promoter:**", "responder:**"])
def test_nobody_below_admin_hands_out_anything_not_even_what_they_have(office: Office, own: str) -> None:
    with pytest.raises(Forbidden, match="hand out"):
        office.issue(own, granter=office.holder(own))


@pytest.mark.parametrize(
    "wanted", ["reader:**", "admin:**", "reader:blog", "publisher:shop**", "reader:*/web", "admin:shop"]
)
def test_an_admin_of_some_repositories_cannot_grant_beyond_them(office: Office, wanted: str) -> None:
    with pytest.raises(Forbidden):
        office.issue("reader:shop/web", wanted, granter=office.holder("admin:shop/**"))


@pytest.mark.parametrize("wanted", ["reader:shop/web", "admin:shop/**", "publisher:shop/*-api", "responder:shop/a/**"])
def test_an_admin_of_some_repositories_grants_within_them(office: Office, wanted: str) -> None:
    granter = office.holder("admin:shop/**")
    assert office.issue(wanted, granter=granter).token.issued_by == granter.token_id


def test_an_admin_of_everything_grants_everything(office: Office) -> None:
    issued = office.issue(*(f"{role}:**" for role in Role), granter=office.holder("admin:**"))
    assert len(issued.token.bindings) == len(Role)


def test_a_revoked_token_is_refused_when_the_call_returns(office: Office) -> None:
    issued = office.issue("publisher:shop/**")
    office.authenticator.authenticate(issued.text.reveal())
    revoked = office.tokens.revoke(PLATFORM_PRINCIPAL, issued.token.id, "leaked", context=CONTEXT)
    assert revoked.revoked_at is not None
    with pytest.raises(TokenRevoked):
        office.authenticator.authenticate(issued.text.reveal())


def test_revoking_twice_changes_nothing_and_is_one_fact(office: Office) -> None:
    issued = office.issue("publisher:shop/**")
    first = office.tokens.revoke(PLATFORM_PRINCIPAL, issued.token.id, "leaked", context=CONTEXT)
    assert office.tokens.revoke(PLATFORM_PRINCIPAL, issued.token.id, "again", context=CONTEXT) == first
    assert [fact["schema"] for fact in office.facts()] == ["access.token-issued/1", "access.token-revoked/1"]


def test_everybody_may_revoke_their_own_token_and_no_other(office: Office) -> None:
    other = office.issue("reader:shop/web")
    holder = office.holder("reader:shop/web")
    assert holder.token_id is not None
    with pytest.raises(Forbidden, match="take back"):
        office.tokens.revoke(holder, other.token.id, "envy", context=CONTEXT)
    assert office.tokens.revoke(holder, holder.token_id, "laptop lost", context=CONTEXT).revoked_at is not None


def test_an_admin_of_some_repositories_cannot_revoke_an_admin_of_all(office: Office) -> None:
    root = office.issue("admin:**")
    with pytest.raises(Forbidden):
        office.tokens.revoke(office.holder("admin:shop/**"), root.token.id, "coup", context=CONTEXT)


def test_a_token_that_does_not_exist_cannot_be_revoked(office: Office) -> None:
    with pytest.raises(TokenUnknown):
        office.tokens.revoke(PLATFORM_PRINCIPAL, "0" * 22, "", context=CONTEXT)


def test_a_reason_that_is_too_long_is_refused(office: Office) -> None:
    issued = office.issue("reader:**")
    with pytest.raises(InvalidGrant, match="500"):
        office.tokens.revoke(PLATFORM_PRINCIPAL, issued.token.id, "x" * 501, context=CONTEXT)


def test_memory_is_emptied_even_when_nobody_knows_whether_the_revocation_was_kept(tmp_path: Path) -> None:
    """The fault is injected after it persisted: the row is revoked, the caller only hears that it is uncertain."""
    with sqlite_platform(tmp_path) as platform:
        office = Office(platform)
        issued = office.issue("publisher:shop/**")
        office.authenticator.authenticate(issued.text.reveal())

        class Uncertain:
            def commit(self, *arguments: object, **named: object) -> None:
                office.ledger.commit(*arguments, **named)  # type: ignore[arg-type]  # passed on as they came
                raise CommitUncertain("the answer was lost")

        tokens = Tokens(Uncertain(), office.store, office.authenticator, office.clock, CountingEntropy(9))  # type: ignore[arg-type]  # only commit is called
        with pytest.raises(CommitUncertain):
            tokens.revoke(PLATFORM_PRINCIPAL, issued.token.id, "leaked", context=CONTEXT)
        with pytest.raises(TokenRevoked):
            office.authenticator.authenticate(issued.text.reveal())


# No secret anywhere


def test_the_text_of_a_token_shows_itself_only_when_told_to(office: Office) -> None:
    issued = office.issue("reader:**")
    secret = issued.text.reveal()[27:]
    for shown in (repr(issued), str(issued), f"{issued.text}", f"{issued.text!r}", str(issued.token)):
        assert secret not in shown


def test_an_encoder_that_meets_the_text_of_a_token_does_not_write_it(office: Office) -> None:
    issued = office.issue("reader:**")
    for encode in (msgspec.json.encode, msgspec.to_builtins, orjson.dumps):
        with pytest.raises(TypeError):
            encode(issued.text)


def test_facts_name_the_token_and_hold_neither_secret_nor_digest(office: Office) -> None:
    issued = office.issue("reader:**")
    office.tokens.revoke(PLATFORM_PRINCIPAL, issued.token.id, "leaked", context=CONTEXT)
    stored = office.store.token(issued.token.id)
    assert stored is not None
    facts = office.facts()
    assert {fact["token_id"] for fact in facts} == {issued.token.id}
    for secret in (issued.text.reveal(), issued.text.reveal()[27:], stored.digest.hex()):
        assert secret not in str(facts)


def test_the_secret_is_nowhere_in_the_database_file(tmp_path: Path) -> None:
    with sqlite_platform(tmp_path) as platform:
        office = Office(platform)
        issued = office.issue("reader:**")
        office.authenticator.authenticate(issued.text.reveal())
        with contextlib.suppress(TokenInvalid):
            office.authenticator.authenticate(issued.text.reveal() + "x")
    secret = issued.text.reveal()[27:].encode()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if secret in path.read_bytes()] == []


def test_what_waits_to_be_written_does_not_show_the_secret(office: Office) -> None:
    issued = office.issue("reader:**")
    stored = office.store.token(issued.token.id)
    assert stored is not None
    assert issued.text.reveal()[27:] not in repr(IssueToken(stored))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(cut=st.integers(0, 70), extra=st.text(max_size=5), now=st.booleans())
def test_no_refusal_repeats_the_text_that_was_sent(office: Office, cut: int, extra: str, now: bool) -> None:  # noqa: FBT001
    issued = office.issue("reader:**")
    if now:
        office.tokens.revoke(PLATFORM_PRINCIPAL, issued.token.id, "gone", context=CONTEXT)
    sent = issued.text.reveal()[:cut] + extra
    secret = sent[27:]
    try:
        office.authenticator.authenticate(sent)
    except Problem as problem:
        told = f"{problem.message} {problem.hint} {problem.details} {problem!r}"
        told += "".join(traceback.format_exception(problem))
        if len(secret) > 8:
            assert secret not in told


def test_nothing_is_logged_about_tokens(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        issued = office.issue("reader:**")
        office.authenticator.authenticate(issued.text.reveal())
    assert issued.text.reveal()[27:] not in caplog.text
