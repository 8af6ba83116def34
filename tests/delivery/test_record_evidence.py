"""Evidence that comes in is stated as a fact: accepted, rejected with the reason, or complete, each exactly once."""

from __future__ import annotations

from typing import Any

import pytest
from tests.delivery.rig import BUILDER, REPOSITORY, Rig

from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.delivery.record_evidence import EvidenceFollower
from chainward.keys.local import generate
from chainward.keys.model import Scheme


def test_accepted_statements_are_facts_and_the_last_demanded_one_completes_them(rig: Rig) -> None:
    digest = rig.push(rig.release())
    assert rig.follower.catch_up() == 4
    assert rig.schemas("attest.") == ["attested/1"] * 3 + ["completed/1"]
    facts = rig.bodies("attest.attested/1")
    assert {fact["digest"] for fact in facts} == {str(digest)}
    assert {fact["signer"] for fact in facts} == {"release"}
    assert [fact["builder"] for fact in facts] == [BUILDER, None, None]


def test_evidence_that_lacks_a_statement_is_not_complete_until_it_comes(rig: Rig) -> None:
    release = rig.release()
    rig.push(release, without=("tests",))
    rig.follower.catch_up()
    assert rig.schemas("attest.") == ["attested/1"] * 2
    rig.attach(release, rig.sign(release.statements["tests"]))
    rig.attach(release, rig.sign(release.statements["tests"]))
    rig.follower.catch_up()
    assert rig.schemas("attest.") == ["attested/1"] * 4 + ["completed/1"]


def test_a_bundle_of_a_stranger_is_a_rejection_with_its_code_and_key(rig: Rig) -> None:
    stranger = generate(Scheme.ECDSA_P256_SHA256)
    rig.push(rig.release(), key=stranger)
    rig.follower.catch_up()
    facts = rig.bodies("attest.rejected/1")
    assert [fact["code"] for fact in facts] == ["signer-unknown"] * 3
    assert {fact["fingerprint"] for fact in facts} == {stranger.public_key.fingerprint}
    assert rig.bodies("attest.attested/1") == []


def test_a_replayed_bundle_is_a_rejection(rig: Rig) -> None:
    good, bad = rig.release("good"), rig.release("bad")
    rig.push(bad, "bad", without=tuple(bad.statements))
    rig.attach(bad, rig.sign(good.statements["tests"]))
    rig.follower.catch_up()
    assert [fact["code"] for fact in rig.bodies("attest.rejected/1")] == ["subject-mismatch"]


def test_nothing_is_stated_twice_whatever_is_repeated(rig: Rig) -> None:
    rig.push(rig.release())
    assert rig.follower.catch_up() == 4
    assert rig.follower.catch_up() == 0
    facts = rig.ledger.facts(-1, 1000, rig.follower.schemas)
    assert rig.follower.apply(facts) == 0
    assert rig.schemas("attest.") == ["attested/1"] * 3 + ["completed/1"]


def test_after_a_crash_the_follower_goes_on_where_it_was(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    inner = rig.registry.blob_bytes
    calls: list[int] = []

    class Crashing:
        def __getattr__(self, name: str) -> Any:
            return getattr(rig.registry, name)

        def blob_bytes(self, *arguments: Any) -> bytes:
            calls.append(1)
            if len(calls) == 2:
                raise DatabaseUnavailable("gone")
            data: bytes = inner(*arguments)
            return data

    follower = EvidenceFollower(rig.ledger, rig.store, Crashing(), rig.trust)
    with pytest.raises(DatabaseUnavailable):
        follower.catch_up()
    assert rig.schemas("attest.") == ["attested/1"]
    assert rig.follower.catch_up() == 3
    assert rig.schemas("attest.") == ["attested/1"] * 3 + ["completed/1"]


def test_two_followers_at_once_state_each_bundle_once(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    other = EvidenceFollower(rig.ledger, rig.store, rig.registry, rig.trust)

    class Racing:
        """Answers that nothing was noted, as a replica that reads too early would see it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(rig.store, name)

        def is_noted(self, *_: Any) -> bool:
            return False

        def is_complete(self, *_: Any) -> bool:
            return False

    other._store = Racing()
    rig.follower.catch_up()
    facts = rig.ledger.facts(-1, 1000, rig.follower.schemas)
    assert other.apply(facts) == 0
    assert rig.schemas("attest.") == ["attested/1"] * 3 + ["completed/1"]


def test_builders_that_count_as_isolated_are_marked(rig: Rig) -> None:
    rig.push(rig.release())
    follower = EvidenceFollower(rig.ledger, rig.store, rig.registry, rig.trust, isolated_builders=frozenset({BUILDER}))
    follower.catch_up()
    assert [fact["isolated"] for fact in rig.bodies("attest.attested/1")] == [True, False, False]


def test_the_position_is_remembered_and_never_moves_back(rig: Rig) -> None:
    rig.push(rig.release())
    rig.follower.catch_up()
    position = rig.store.position(rig.follower.name)
    assert position > 0
    assert rig.store.is_complete(REPOSITORY, rig.release().digest)
    assert rig.store.position("another") == -1
