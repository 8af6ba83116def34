"""What delivery keeps and what it decides on, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.delivery.rig import CONTEXT, HOST, POLICY, REPOSITORY, Rig, review_of

from chainward.adapters.sql import delivery
from chainward.delivery.errors import AdmissionKnown, AnchorMoved, EvidenceNoted, PromotionKnown, PromotionRevoked
from chainward.delivery.facts import AdmissionsAnchored
from chainward.delivery.writes import (
    Anchor,
    KeepAdmission,
    KeepAnchor,
    KeepPromotion,
    KeepRepeats,
    MovePosition,
    NoteCompletion,
    NoteEvidence,
    Repeat,
)
from chainward.formats.admission import decode_review
from chainward.formats.oci import OCI_INDEX, Manifest, encode_manifest
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, Tag
from chainward.ledger.model import Write
from chainward.portfolio.declare import deployment_of
from chainward.portfolio.model import Deployment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.databases import PlatformDatabase

DIGEST = Digest.of(b"artifact")
VSA = Digest.of(b"vsa")


@pytest.fixture
def rig(platform_database: PlatformDatabase, tmp_path: Path) -> Rig:
    return Rig(platform_database, tmp_path).prepare()


def _commit(rig: Rig, *writes: Write) -> None:
    rig.ledger.commit((), writes, context=CONTEXT)


def test_a_snapshot_of_nothing_still_names_the_epochs(rig: Rig) -> None:
    snapshot = rig.reader.read(REPOSITORY, Tag("none"), "prod")
    assert snapshot.state is None
    assert snapshot.deployed is None
    assert (snapshot.trust_epoch, snapshot.portfolio_epoch) == (2, 4)
    assert snapshot.policy_epoch is not None


def test_before_the_first_policy_signer_and_environment_there_are_no_epochs(
    platform_database: PlatformDatabase, tmp_path: Path
) -> None:
    rig = Rig(platform_database, tmp_path)
    snapshot = rig.reader.read(REPOSITORY, DIGEST, "prod")
    assert (snapshot.policy_epoch, snapshot.trust_epoch, snapshot.portfolio_epoch) == (None, 0, 0)


def test_a_snapshot_by_tag_and_by_digest_is_the_same(rig: Rig) -> None:
    digest = rig.push(rig.release())
    by_tag = rig.reader.read(REPOSITORY, Tag("1"), "prod")
    assert by_tag == rig.reader.read(REPOSITORY, digest, "prod")
    assert by_tag.state is not None
    assert by_tag.state == rig.registry.state_of(REPOSITORY, digest)
    assert by_tag.state.evidence_epoch == 3


def test_every_change_that_matters_is_in_the_next_snapshot(rig: Rig) -> None:
    release = rig.release()
    digest = rig.push(release)
    before = rig.reader.read(REPOSITORY, digest, "prod")
    rig.attach(release, rig.sign(release.statements["tests"]))
    rig.policies.activate(POLICY, context=CONTEXT)
    rig.signers.distrust("release", "leaked", context=CONTEXT)
    rig.portfolios.note_deployment("prod", REPOSITORY, digest, context=CONTEXT)
    after = rig.reader.read(REPOSITORY, digest, "prod")
    assert before.state is not None
    assert after.state is not None
    assert after.state.evidence_epoch > before.state.evidence_epoch
    assert after.policy_epoch is not None
    assert before.policy_epoch is not None
    assert after.policy_epoch > before.policy_epoch
    assert after.trust_epoch > before.trust_epoch
    assert after.deployed == digest
    assert rig.reader.read(REPOSITORY, digest, "staging").deployed is None


@pytest.mark.parametrize("repository", [None, REPOSITORY])
def test_a_revocation_is_in_the_next_snapshot(rig: Rig, repository: RepositoryName | None) -> None:
    digest = rig.push(rig.release())
    rig.registry.revocations.revoke(digest, "leaked", CONTEXT, repository=repository)
    for reference in (Tag("1"), digest):
        state = rig.reader.read(REPOSITORY, reference, "prod").state
        assert state is not None
        assert state.revoked is not None
        assert (state.revoked.reason, state.revoked.repository) == ("leaked", repository)


def test_a_revocation_in_another_repository_does_not_reach_here(rig: Rig) -> None:
    digest = rig.push(rig.release())
    rig.registry.revocations.revoke(digest, "leaked", CONTEXT, repository=RepositoryName("shop/api"))
    state = rig.reader.read(REPOSITORY, digest, "prod").state
    assert state is not None
    assert state.revoked is None


def test_an_image_of_a_revoked_index_is_revoked_with_it(rig: Rig) -> None:
    release = rig.release()
    rig.push(release, None)
    index = encode_manifest(Manifest(media_type=OCI_INDEX, manifests=(release.manifest,)))
    rig.registry.manifests.put(REPOSITORY, Digest.of(index), OCI_INDEX, index, CONTEXT)
    rig.registry.revocations.revoke(Digest.of(index), "whole release", CONTEXT)
    state = rig.reader.read(REPOSITORY, release.digest, "prod").state
    assert state is not None
    assert state.revoked is not None
    assert state.revoked.digest == Digest.of(index)


def test_a_deleted_tag_names_nothing(rig: Rig) -> None:
    rig.push(rig.release())
    rig.registry.deletions.tag(REPOSITORY, Tag("1"), CONTEXT)
    assert rig.reader.read(REPOSITORY, Tag("1"), "prod").state is None


def test_the_newest_deployment_is_the_one_of_the_snapshot(rig: Rig) -> None:
    first, second = rig.push(rig.release("one"), "1"), rig.push(rig.release("two"), "2")
    for digest in (first, second, first):
        rig.clock.advance(timedelta(seconds=1))
        fact, write = deployment_of(Deployment("prod", REPOSITORY, digest, rig.clock.now()))
        rig.ledger.commit([fact], [write], context=CONTEXT)
        assert rig.reader.read(REPOSITORY, first, "prod").deployed == digest


def test_a_decision_is_first_only_once(rig: Rig) -> None:
    _commit(rig, KeepAdmission("a", 0))
    with pytest.raises(AdmissionKnown) as caught:
        _commit(rig, KeepRepeats((Repeat("b", "u"),)), KeepAdmission("a", 0))
    assert caught.value.key == "a"
    assert rig.store.repeats(0, 10) == []


def test_repetitions_come_back_in_order_with_growing_ids(rig: Rig) -> None:
    _commit(rig, KeepRepeats((Repeat("a", "1"), Repeat("b", "2"))))
    _commit(rig, KeepRepeats((Repeat("a", "3"),)))
    rows = rig.store.repeats(0, 10)
    assert [(row.key, row.request) for row in rows] == [("a", "1"), ("b", "2"), ("a", "3")]
    assert [row.id for row in rows] == sorted({row.id for row in rows})
    assert rig.store.repeats(rows[0].id, 1) == [rows[1]]


def test_ids_of_repetitions_grow_in_the_order_of_their_commits(rig: Rig) -> None:
    def caller() -> None:
        for _ in range(20):
            _commit(rig, KeepRepeats((Repeat("a", "u"),)))

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = rig.store.repeats(0, 1000)
    assert len(rows) == 80
    assert [row.at for row in rows] == sorted(row.at for row in rows)


def test_an_anchor_begins_behind_the_last_one(rig: Rig) -> None:
    assert rig.store.anchored() == 0
    fact = AdmissionsAnchored(first=1, last=5, count=5, sha256="x")
    rig.ledger.commit([fact], [KeepAnchor(Anchor(1, 5, 5, "x"))], context=CONTEXT)
    assert rig.store.anchored() == 5
    for first in (1, 5):
        with pytest.raises(AnchorMoved):
            _commit(rig, KeepAnchor(Anchor(first, 7, 2, "y")))
    _commit(rig, KeepAnchor(Anchor(6, 7, 2, "y")))
    assert rig.store.anchors() == [Anchor(1, 5, 5, "x"), Anchor(6, 7, 2, "y")]


def test_a_promotion_is_kept_once_and_comes_back(rig: Rig) -> None:
    _commit(rig, KeepPromotion(REPOSITORY, DIGEST, "dev", VSA))
    with pytest.raises(PromotionKnown):
        _commit(rig, KeepPromotion(REPOSITORY, DIGEST, "dev", Digest.of(b"other")))
    _commit(rig, KeepPromotion(REPOSITORY, DIGEST, "staging", VSA))
    found = rig.store.promotion(REPOSITORY, DIGEST, "dev")
    assert found is not None
    assert found.vsa == VSA
    assert rig.store.promotion(REPOSITORY, DIGEST, "prod") is None
    assert rig.store.promotion(RepositoryName("shop/api"), DIGEST, "dev") is None
    assert {each.environment for each in rig.store.promotions(REPOSITORY, DIGEST)} == {"dev", "staging"}


def test_a_promotion_of_what_was_revoked_is_refused_in_the_transaction(rig: Rig) -> None:
    rig.registry.revocations.revoke(DIGEST, "leaked", CONTEXT)
    with pytest.raises(PromotionRevoked):
        _commit(rig, KeepPromotion(REPOSITORY, DIGEST, "dev", VSA))
    assert rig.store.promotions(REPOSITORY, DIGEST) == []


def test_evidence_is_noted_and_completed_once(rig: Rig) -> None:
    for write in (NoteEvidence(REPOSITORY, DIGEST), NoteCompletion(REPOSITORY, DIGEST)):
        _commit(rig, write)
        with pytest.raises(EvidenceNoted):
            _commit(rig, write)
    assert rig.store.is_noted(REPOSITORY, DIGEST)
    assert rig.store.is_complete(REPOSITORY, DIGEST)
    assert not rig.store.is_noted(RepositoryName("shop/api"), DIGEST)
    assert not rig.store.is_complete(REPOSITORY, VSA)


def test_a_position_moves_forward_only(rig: Rig) -> None:
    assert rig.store.position("f") == -1
    for position, expected in ((5, 5), (3, 5), (9, 9)):
        _commit(rig, MovePosition("f", position))
        assert rig.store.position("f") == expected


def test_every_write_has_a_handler() -> None:
    from chainward.delivery import writes

    declared = {getattr(writes, name) for name in writes.__all__}
    assert {each for each in declared if issubclass(each, Write)} == set(delivery.WRITES)


def test_a_database_that_cannot_be_read_raises_and_assumes_nothing(
    rig: Rig, platform_database: PlatformDatabase
) -> None:
    with platform_database.database.writer.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE policy_epoch RENAME TO policy_epoch_gone")
    with pytest.raises(Exception, match=r"did not answer|policy_epoch"):
        rig.reader.read(REPOSITORY, DIGEST, "prod")


def test_the_gate_and_the_promotions_work_the_same_on_either_store(rig: Rig) -> None:
    digest = rig.push(rig.release())
    review = decode_review(review_of(f"{HOST}/shop/web:1"))
    for _ in range(3):
        assert rig.admission.validate(review, context=CONTEXT).allowed
    assert rig.record.anchor(context=CONTEXT) == 2
    assert rig.record.check() == 2
    for environment in ("dev", "staging", "prod"):
        rig.promoter.promote(REPOSITORY, digest, environment, context=CONTEXT)
    assert rig.follower.catch_up() == 7
    rig.registry.revocations.revoke(digest, "leaked", CONTEXT)
    assert not rig.admission.validate(review, context=CONTEXT).allowed


def test_sixteen_callers_at_once_lose_no_repetition(rig: Rig) -> None:
    rig.push(rig.release())
    review = decode_review(review_of(f"{HOST}/shop/web:1"))
    threads = [
        threading.Thread(target=lambda: [rig.admission.validate(review, context=CONTEXT) for _ in range(10)])
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rig.schemas() == ["admission-allowed/1"]
    assert len(rig.store.repeats(0, 1000)) == 159
