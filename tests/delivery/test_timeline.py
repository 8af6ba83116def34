"""The timeline of an artifact: everything about it and what is attached to it, in order, each with its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.databases import FACTS_ORIGIN
from tests.delivery.rig import CONTEXT, HOST, REPOSITORY, Rig, review_of

from chainward.delivery.timeline import Timelines
from chainward.formats.admission import decode_review
from chainward.kernel.digest import Digest
from chainward.ledger.model import commitment
from chainward.ledger.proofs import leaf_hash, verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Sequence


class ScannedSubjects:
    """Finds facts by reading them all; what the projection does, without its delay."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def facts_about(self, subject: str, limit: int, before: int | None = None) -> Sequence[int]:
        facts = self._rig.ledger.facts(-1, 10_000)
        found = [fact.index for fact in facts if subject in fact.subjects and (before is None or fact.index < before)]
        return found[::-1][:limit]


@pytest.fixture
def timelines(rig: Rig) -> Timelines:
    return Timelines(rig.ledger, ScannedSubjects(rig), FACTS_ORIGIN)


def test_a_life_is_told_in_order_from_push_to_revocation(rig: Rig, timelines: Timelines) -> None:
    digest = rig.push(rig.release())
    rig.follower.catch_up()
    rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    rig.admission.validate(decode_review(review_of(f"{HOST}/shop/web:1")), context=CONTEXT)
    rig.registry.revocations.revoke(digest, "key leaked", CONTEXT)
    told = [event.fact.schema for event in timelines.of(digest).events]
    assert told[0] == "registry.pushed/1"
    assert told[-1] == "registry.revoked/1"
    for schema in ("attest.attested/1", "attest.completed/1", "delivery.promoted/1", "delivery.admission-allowed/1"):
        assert schema in told
    indexes = [event.fact.index for event in timelines.of(digest).events]
    assert indexes == sorted(set(indexes))


def test_what_happens_to_the_evidence_belongs_to_the_timeline(rig: Rig, timelines: Timelines) -> None:
    digest = rig.push(rig.release())
    referrer = rig.registry.referrers(REPOSITORY, digest)[0].digest
    rig.registry.revocations.revoke(referrer, "wrong", CONTEXT)
    assert timelines.of(digest).events[-1].fact.subjects == (str(referrer),)


def test_every_event_has_its_leaf_and_a_proof_that_verifies(rig: Rig, timelines: Timelines) -> None:
    digest = rig.push(rig.release())
    for event in timelines.of(digest).events:
        assert event.fact.salt is not None
        assert event.fact.envelope is not None
        assert event.leaf_hash == leaf_hash(commitment(event.fact.salt, event.fact.envelope))
        proof = timelines.proof(event.fact.index)
        verify_inclusion(proof.index, proof.size, event.leaf_hash, list(proof.hashes), proof.root)


def test_a_long_life_is_told_in_pages(rig: Rig, timelines: Timelines) -> None:
    digest = rig.push(rig.release())
    whole = timelines.of(digest)
    assert not whole.is_cut
    newest = timelines.of(digest, limit=2)
    assert newest.is_cut
    assert newest.events == whole.events[-2:]
    before = timelines.of(digest, before=newest.events[0].fact.index)
    assert before.events == whole.events[:-2]


def test_an_artifact_that_nobody_knows_has_an_empty_timeline(timelines: Timelines) -> None:
    found = timelines.of(Digest.of(b"nothing"))
    assert (found.events, found.is_cut) == ((), False)
