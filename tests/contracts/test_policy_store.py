"""The contract of the store of policies, over SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.databases import CONTEXT

from chainward.adapters.sql.policy import WRITES, SqlPolicyStore
from chainward.kernel.digest import Digest
from chainward.policy.facts import PolicyActivated
from chainward.policy.model import ActivatePolicy, Activation

if TYPE_CHECKING:
    from tests.databases import PlatformDatabase

    from chainward.ledger.commit import Ledger


@pytest.fixture
def ledger(platform_database: PlatformDatabase) -> Ledger:
    return platform_database.open_ledger(WRITES)


@pytest.fixture
def store(platform_database: PlatformDatabase) -> SqlPolicyStore:
    return SqlPolicyStore(platform_database.database)


def activate(ledger: Ledger, document: bytes) -> int:
    digest = Digest.of(document)
    fact = PolicyActivated(name="test", digest=str(digest), rules=1)
    return ledger.commit([fact], [ActivatePolicy(document, digest, "token:test")], context=CONTEXT).facts[0]


def test_before_any_activation_there_is_no_epoch(store: SqlPolicyStore) -> None:
    assert (store.epoch(), store.activation(1), store.history(10)) == (None, None, [])


def test_a_document_comes_back_byte_for_byte(ledger: Ledger, store: SqlPolicyStore) -> None:
    document = bytes(range(256)) * 1024
    epoch = activate(ledger, document)
    found = store.activation(epoch)
    assert found is not None
    assert found == Activation(epoch, document, Digest.of(document), found.activated_at, "token:test")
    assert ledger.fact(epoch).recorded_at == found.activated_at


def test_the_newest_activation_is_in_force_and_older_ones_stay(ledger: Ledger, store: SqlPolicyStore) -> None:
    epochs = [activate(ledger, f"document {number}".encode()) for number in range(4)]
    assert store.epoch() == epochs[-1]
    assert [each.epoch for each in store.history(3)] == epochs[:0:-1]
    assert [getattr(store.activation(epoch), "document", None) for epoch in epochs] == [
        f"document {number}".encode() for number in range(4)
    ]


def test_the_same_document_may_come_into_force_again(ledger: Ledger, store: SqlPolicyStore) -> None:
    first = activate(ledger, b"one")
    activate(ledger, b"two")
    again = activate(ledger, b"one")
    assert again > first
    assert store.epoch() == again


def test_activations_at_once_get_an_epoch_each(ledger: Ledger, store: SqlPolicyStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        epochs = list(pool.map(lambda number: activate(ledger, b"%d" % number), range(24)))
    assert len(set(epochs)) == 24
    assert store.epoch() == max(epochs)


def test_another_replica_sees_an_activation_that_was_answered(
    ledger: Ledger, platform_database: PlatformDatabase
) -> None:
    other = SqlPolicyStore(platform_database.reopen())
    epoch = activate(ledger, b"one")
    assert other.epoch() == epoch
