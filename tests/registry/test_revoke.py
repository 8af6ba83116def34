"""Revoking: reasons, repetition, and what the refusal tells."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.registry_stand import ALICE, BOB, SANDBOX, WEB, Stand

from chainward.kernel.digest import Digest
from chainward.kernel.instant import rfc3339
from chainward.registry.errors import ArtifactRevoked, RevocationInvalid
from chainward.registry.revoke import MAX_REASON


@pytest.mark.parametrize("reason", ["", "   \n", "x" * (MAX_REASON + 1)])
def test_a_revocation_needs_a_reason_of_bearable_length(stand: Stand, reason: str) -> None:
    with pytest.raises(RevocationInvalid):
        stand.registry.revocations.revoke(Digest.of(b"x"), reason, ALICE)
    assert stand.facts() == []


def test_the_longest_reason_fits_into_a_fact(stand: Stand) -> None:
    reason = "\U0001f512" * MAX_REASON
    revocation = stand.registry.revocations.revoke(Digest.of(b"x"), reason, ALICE)
    (fact,) = stand.facts()
    assert fact.body is not None
    assert fact.body["reason"] == revocation.reason == reason


def test_revoking_again_keeps_the_first_revocation(stand: Stand) -> None:
    revoke = stand.registry.revocations.revoke
    first = revoke(Digest.of(b"x"), "first", ALICE)
    assert revoke(Digest.of(b"x"), "second", BOB) == first
    assert (first.actor, first.repository) == ("token:alice", None)
    here = revoke(Digest.of(b"x"), "here", BOB, repository=WEB)
    assert here.repository == WEB
    assert stand.registry.revocations.revocations() == [first, here]
    assert stand.schemas() == ["revoked", "revoked"]


def test_a_digest_nobody_knows_yet_can_be_revoked_before_it_arrives(stand: Stand) -> None:
    stand.registry.revocations.revoke(Digest.of(b"known bad layer"), "malware", ALICE)
    digest = stand.push_blob(b"known bad layer")
    with pytest.raises(ArtifactRevoked):
        stand.read(digest)


def test_a_refusal_says_what_was_revoked_since_when_and_why(stand: Stand) -> None:
    body = stand.push_image()
    revocation = stand.registry.revocations.revoke(Digest.of(body), "stolen key", ALICE)
    stand.clock.advance(timedelta(seconds=90))
    with pytest.raises(ArtifactRevoked) as caught:
        stand.read(Digest.of(b"layer"))
    assert "stolen key" in caught.value.message
    assert caught.value.details == {
        "digest": str(Digest.of(b"layer")),
        "revoked": str(Digest.of(body)),
        "reason": "stolen key",
        "revoked_at": rfc3339(revocation.revoked_at),
        "fact": revocation.fact_index,
    }
    (fact,) = stand.facts("registry.revocation-enforced/1")
    assert fact.body is not None
    assert fact.body["after_ms"] >= 90_000
    assert fact.subjects == (str(Digest.of(body)), str(Digest.of(b"layer")))
    assert fact.actor == "token:bob"


def test_a_revocation_in_one_repository_leaves_the_others(stand: Stand) -> None:
    body = stand.push_image()
    stand.push_image(repository=SANDBOX)
    stand.registry.revocations.revoke(Digest.of(body), "not for the shop", ALICE, repository=WEB)
    assert stand.pull("v1", SANDBOX) == body
    assert stand.read(Digest.of(b"layer"), SANDBOX) == b"layer"
    with pytest.raises(ArtifactRevoked):
        stand.pull("v1")
    with pytest.raises(ArtifactRevoked):
        stand.read(Digest.of(b"layer"))
