"""The contract of the store of tokens, over SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.access.standins import START, CountingEntropy
from tests.databases import CONTEXT

from chainward.access.errors import TokenAlreadyRevoked, TokenUnknown
from chainward.access.model import Binding, IssueToken, RevokeToken, Role, StoredToken, Token
from chainward.access.secret import digest_of, fresh
from chainward.adapters.sql.access import WRITES, SqlAccessStore
from chainward.kernel.name import RepositoryPattern

if TYPE_CHECKING:
    from tests.databases import PlatformDatabase

    from chainward.ledger.commit import Ledger

ENTROPY = CountingEntropy()


@pytest.fixture
def ledger(platform_database: PlatformDatabase) -> Ledger:
    return platform_database.open_ledger(WRITES)


@pytest.fixture
def store(platform_database: PlatformDatabase) -> SqlAccessStore:
    return SqlAccessStore(platform_database.database)


def some_token(*rights: tuple[Role, str], age: int = 0, issued_by: str | None = None) -> StoredToken:
    token_id, text = fresh(ENTROPY)
    bindings = tuple(Binding(role, RepositoryPattern(pattern)) for role, pattern in rights)
    issued_at = START - timedelta(days=age)
    token = Token(token_id, "ci", bindings, issued_at, issued_at + timedelta(days=90), issued_by)
    return StoredToken(token, digest_of(text.reveal()))


def test_a_token_comes_back_as_it_was_kept(ledger: Ledger, store: SqlAccessStore) -> None:
    stored = some_token((Role.PUBLISHER, "shop/**"), (Role.READER, "**"), issued_by="someone")
    ledger.commit([], [IssueToken(stored)], context=CONTEXT)
    assert store.token(stored.token.id) == stored


def test_a_token_that_was_never_issued_is_not_there(store: SqlAccessStore) -> None:
    assert store.token("0" * 22) is None
    assert store.tokens() == []


def test_tokens_are_listed_the_newest_first(ledger: Ledger, store: SqlAccessStore) -> None:
    kept = [some_token((Role.READER, "**"), age=age) for age in (2, 0, 1)]
    ledger.commit([], [IssueToken(each) for each in kept], context=CONTEXT)
    assert [token.id for token in store.tokens()] == [kept[position].token.id for position in (1, 2, 0)]


def test_issuing_leaves_the_epoch_and_revoking_moves_it(ledger: Ledger, store: SqlAccessStore) -> None:
    one, other = some_token((Role.READER, "**")), some_token((Role.READER, "**"))
    epochs = [store.epoch()]
    ledger.commit([], [IssueToken(one), IssueToken(other)], context=CONTEXT)
    epochs.append(store.epoch())
    for each in (one, other):
        ledger.commit([], [RevokeToken(each.token.id)], context=CONTEXT)
        epochs.append(store.epoch())
    assert epochs == [0, 0, 1, 2]


def test_a_revoked_token_says_since_when(ledger: Ledger, store: SqlAccessStore) -> None:
    stored = some_token((Role.READER, "**"))
    ledger.commit([], [IssueToken(stored)], context=CONTEXT)
    receipt = ledger.commit([], [RevokeToken(stored.token.id)], context=CONTEXT)
    found = store.token(stored.token.id)
    assert found is not None
    assert found.token.revoked_at == receipt.recorded_at


def test_an_unknown_token_cannot_be_revoked(ledger: Ledger, store: SqlAccessStore) -> None:
    with pytest.raises(TokenUnknown):
        ledger.commit([], [RevokeToken("0" * 22)], context=CONTEXT)
    assert store.epoch() == 0


def test_of_many_who_revoke_one_token_at_once_one_does(ledger: Ledger, store: SqlAccessStore) -> None:
    stored = some_token((Role.READER, "**"))
    ledger.commit([], [IssueToken(stored)], context=CONTEXT)

    def revoke(_: int) -> bool:
        try:
            ledger.commit([], [RevokeToken(stored.token.id)], context=CONTEXT)
        except TokenAlreadyRevoked:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(revoke, range(24))) == 1
    assert store.epoch() == 1


def test_another_replica_sees_a_revocation_that_was_answered(
    ledger: Ledger, platform_database: PlatformDatabase
) -> None:
    other = SqlAccessStore(platform_database.reopen())
    stored = some_token((Role.READER, "**"))
    ledger.commit([], [IssueToken(stored)], context=CONTEXT)
    assert other.epoch() == 0
    ledger.commit([], [RevokeToken(stored.token.id)], context=CONTEXT)
    assert other.epoch() == 1
