"""Putting a policy in force: at once, for everybody, written down, and never half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.databases import CONTEXT, sqlite_platform

from chainward.adapters.sql.policy import WRITES, SqlPolicyStore
from chainward.kernel.digest import Digest
from chainward.kernel.problem import Kind
from chainward.policy import activate as module
from chainward.policy.activate import Policies
from chainward.policy.document import parse_policy
from chainward.policy.errors import PolicyAbsent, PolicyInvalid
from chainward.policy.starter import starter_policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import Recorded
    from chainward.policy.model import Policy

STARTER = starter_policy()
OTHER = b"""apiVersion: chainward.dev/v1
kind: Policy
name: other
rules:
  - id: only
    require: {promotion: {from: dev}}
"""


class World:
    def __init__(self, ledger: Ledger, store: SqlPolicyStore) -> None:
        self.ledger, self.store = ledger, store
        self.policies = Policies(ledger, store)

    def facts(self) -> list[Recorded]:
        with self.ledger.view() as view:
            return [fact for fact in view.facts(0, 100) if fact.schema == "policy.activated/1"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with sqlite_platform(tmp_path) as platform:
        yield World(platform.open_ledger(WRITES), SqlPolicyStore(platform.database))


def test_without_a_policy_there_is_a_refusal_and_not_a_default(world: World) -> None:
    with pytest.raises(PolicyAbsent) as refusal:
        world.policies.current()
    assert refusal.value.kind is Kind.REFUSED


def test_an_activated_policy_is_in_force_at_once(world: World) -> None:
    first, policy = world.policies.activate(STARTER, context=CONTEXT)
    assert world.policies.current() == (first, policy)
    second, other = world.policies.activate(OTHER, context=CONTEXT)
    assert world.policies.current() == (second, other)
    assert second > first


def test_the_epoch_is_the_index_of_the_fact(world: World) -> None:
    epoch, policy = world.policies.activate(STARTER, context=CONTEXT)
    (fact,) = world.facts()
    assert fact.index == epoch
    assert fact.body == {"name": "starter", "digest": str(Digest.of(STARTER)), "rules": len(policy.rules)}
    assert fact.subjects == ("policy:starter", str(Digest.of(STARTER)))
    assert fact.actor == str(CONTEXT.actor)


def test_a_document_that_is_no_policy_changes_nothing(world: World) -> None:
    epoch, _ = world.policies.activate(STARTER, context=CONTEXT)
    with pytest.raises(PolicyInvalid):
        world.policies.activate(STARTER.replace(b"require:", b"requires:", 1), context=CONTEXT)
    assert world.policies.current()[0] == epoch
    assert len(world.facts()) == 1


def test_a_policy_is_parsed_once_for_each_epoch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[Digest] = []

    def counting(document: bytes) -> Policy:
        parsed.append(Digest.of(document))
        return parse_policy(document)

    world.policies.activate(STARTER, context=CONTEXT)
    monkeypatch.setattr(module, "parse_policy", counting)
    fresh = Policies(world.ledger, world.store)
    for _ in range(5):
        fresh.current()
    world.policies.activate(OTHER, context=CONTEXT)
    parsed.remove(Digest.of(OTHER))  # activating reads it as well
    for _ in range(5):
        fresh.current()
    assert parsed == [Digest.of(STARTER), Digest.of(OTHER)]


def test_another_replica_follows_at_its_next_decision(world: World) -> None:
    replica = Policies(world.ledger, world.store)
    world.policies.activate(STARTER, context=CONTEXT)
    assert replica.current()[1].name == "starter"
    world.policies.activate(OTHER, context=CONTEXT)
    assert replica.current()[1].name == "other"


def test_a_past_policy_can_be_read_again_for_a_decision_of_its_time(world: World) -> None:
    epoch, policy = world.policies.activate(STARTER, context=CONTEXT)
    world.policies.activate(OTHER, context=CONTEXT)
    assert world.policies.at(epoch) == policy
    assert world.policies.current()[1].name == "other"
    with pytest.raises(PolicyAbsent):
        world.policies.at(epoch + 1000)


def test_the_history_names_who_activated_what_the_newest_first(world: World) -> None:
    for document in (STARTER, OTHER):
        world.policies.activate(document, context=CONTEXT)
    assert [each.document for each in world.policies.history()] == [OTHER, STARTER]
    assert {each.actor for each in world.policies.history()} == {str(CONTEXT.actor)}
    assert len(world.policies.history(1)) == 1
