"""Replay through the gates (T4): evidence that is good elsewhere, for something else, or was good once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.databases import sqlite_platform
from tests.delivery.certified import CertifiedRig
from tests.delivery.rig import CONTEXT, POLICY, REPOSITORY, Release, Rig
from tests.trust.sigstore_world import ISSUER, SUBJECT

from chainward.delivery.affected import affected_by
from chainward.delivery.evidence import Gathered, gather
from chainward.formats.bundle import decode_bundle, encode_bundle
from chainward.formats.oci import OCI_MANIFEST, decode_manifest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.policy.model import Gate
from chainward.trust.errors import SignerNotAllowed
from chainward.trust.identity import IdentityMatch
from chainward.trust.published import signature_id
from chainward.trust.revocations import RevokedBy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chainward.kernel.digest import Digest

PLAYGROUND = RepositoryName("shop/playground")


def bundles(rig: Rig, digest: Digest, repository: RepositoryName = REPOSITORY) -> list[bytes]:
    """The evidence beside an image, as anybody who may pull has it."""
    found = []
    for referrer in rig.registry.referrers(repository, digest):
        (layer,) = decode_manifest(rig.registry.manifest(repository, referrer.digest).body, OCI_MANIFEST).layers
        found.append(rig.registry.blob_bytes(repository, layer.digest, layer.size))
    return found


def copied(rig: Rig, release: Release, repository: RepositoryName, evidence: list[bytes]) -> None:
    """What somebody with push to another repository does: the same image, and the evidence of its betters."""
    rig.push(release, repository=repository, without=tuple(release.statements))
    for bundle in evidence:
        rig.attach(release, bundle, repository=repository)


def gathered(rig: Rig, release: Release, repository: RepositoryName) -> Gathered:
    root, key = rig.trust.snapshot().root, rig.platform_key.public_key.fingerprint
    return gather(
        rig.registry, repository, release.digest, root, platform_key=key, check_time=lambda: None, own=rig.own
    )


def allowed(rig: Rig, release: Release, repository: RepositoryName) -> bool:
    return rig.judge.ask(repository, release.digest, "prod", Gate.PROMOTE)[1].allowed


def test_cross_repository_replay_opens_no_gate(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    copied(rig, release, PLAYGROUND, bundles(rig, release.digest))
    assert allowed(rig, release, REPOSITORY)
    assert not allowed(rig, release, PLAYGROUND)
    found = gathered(rig, release, PLAYGROUND)
    assert found.statements == ()
    assert {each.code for each in found.rejected} == {"statement-replayed"}
    assert f"first published in {REPOSITORY}" in found.rejected[0].message


def test_a_replay_whose_bundle_was_written_anew_opens_no_gate(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    dressed = [b" " + bundle + b"\n" for bundle in bundles(rig, release.digest)]
    copied(rig, release, PLAYGROUND, dressed)
    assert not allowed(rig, release, PLAYGROUND)


def test_deleting_the_original_does_not_free_its_evidence_for_another_repository(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    evidence = bundles(rig, release.digest)
    for referrer in rig.registry.referrers(REPOSITORY, release.digest):
        rig.registry.deletions.manifest(REPOSITORY, referrer.digest, CONTEXT)
    copied(rig, release, PLAYGROUND, evidence)
    assert not allowed(rig, release, PLAYGROUND)


def test_evidence_of_a_portable_signer_goes_with_the_image(rig: Rig) -> None:
    release = rig.release()
    rig.signers.distrust("release", "to be replaced", context=CONTEXT)
    key = rig.release_key = generate(Scheme.ECDSA_P256_SHA256)
    rig.signers.add("release", key.public_key, [RepositoryPattern("shop/**")], ["*"], portable=True, context=CONTEXT)
    rig.push(release)
    copied(rig, release, PLAYGROUND, bundles(rig, release.digest))
    assert allowed(rig, release, PLAYGROUND)


def test_evidence_that_its_signer_made_for_both_repositories_counts_in_both(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    rig.push(release, repository=PLAYGROUND)
    assert allowed(rig, release, REPOSITORY)
    assert allowed(rig, release, PLAYGROUND)


def test_a_bundle_of_another_digest_opens_no_gate(rig: Rig) -> None:
    release, other = rig.release(), rig.release("another")
    rig.push(release)
    rig.push(other, "2", without=tuple(other.statements))
    for bundle in bundles(rig, release.digest):
        rig.attach(other, bundle)
    assert not allowed(rig, other, REPOSITORY)
    assert {each.code for each in gathered(rig, other, REPOSITORY).rejected} == {"subject-mismatch"}


def test_where_a_bundle_came_in_is_durable_with_its_manifest(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    (bundle, *_) = bundles(rig, release.digest)
    assert rig.own.publications is not None
    (note,) = rig.own.publications.publications(signature_id(bundle))
    fact = rig.ledger.fact(note.fact_index)
    assert note.repository == REPOSITORY
    assert fact.schema == "registry.pushed/1"
    assert fact.body is not None
    assert (fact.body["repository"], fact.body["subject"]) == (str(REPOSITORY), str(release.digest))


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 5000])
def test_what_only_calls_itself_a_bundle_is_pushed_and_noted_nowhere(rig: Rig, content: bytes) -> None:
    release = rig.release()
    rig.push(release)
    rig.attach(release, content)
    assert len(gathered(rig, release, REPOSITORY).statements) == 3


def test_revoking_a_key_closes_the_gate_at_once_though_verdicts_are_cached(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    assert allowed(rig, release, REPOSITORY)
    drafted = rig.signature_revocations.draft(
        RevokedBy.KEY, rig.release_key.public_key.fingerprint, reason="the laptop was stolen"
    )
    assert allowed(rig, release, REPOSITORY), "a draft revokes nothing"
    rig.signature_revocations.revoke(drafted, context=CONTEXT)
    assert not allowed(rig, release, REPOSITORY)
    assert {each.code for each in gathered(rig, release, REPOSITORY).rejected} == {"signature-revoked"}


@pytest.fixture
def certified(tmp_path: Path) -> Iterator[Rig]:
    with sqlite_platform(tmp_path) as platform:
        yield CertifiedRig(platform, tmp_path).prepare()


def test_evidence_of_an_identity_opens_the_gate_and_its_facts_say_who_and_when(certified: Rig) -> None:
    release = certified.release()
    certified.push(release)
    assert allowed(certified, release, REPOSITORY)
    certified.follower.catch_up()
    facts = certified.bodies("attest.attested/1")
    assert {(fact["signer"], fact["identity"], fact["issuer"]) for fact in facts} == {("release", SUBJECT, ISSUER)}
    assert all(fact["signed_at"] for fact in facts)
    about = certified.ledger.facts(-1, 1000, frozenset({"attest.attested/1"}))[0].subjects
    assert f"identity:{SUBJECT}" in about
    assert f"certificate:sha256:{facts[0]['fingerprint']}" in about


def test_revoking_an_identity_closes_the_gate_and_leaves_what_was_signed_before(certified: Rig) -> None:
    release = certified.release()
    certified.push(release)
    who = IdentityMatch(subject=SUBJECT, issuer=ISSUER)
    now = certified.clock.now()
    later = certified.signature_revocations.draft(
        RevokedBy.IDENTITY, "", match=who, since=now + timedelta(hours=1), reason="taken over"
    )
    certified.signature_revocations.revoke(later, context=CONTEXT)
    assert allowed(certified, release, REPOSITORY)
    certified.clock.advance(timedelta(hours=2))
    second = certified.release("second")
    certified.push(second, "2")
    assert not allowed(certified, second, REPOSITORY)
    assert allowed(certified, release, REPOSITORY)


def test_a_stale_scan_stays_stale_whoever_pushes_it_again(certified: Rig) -> None:
    release = certified.release()
    certified.push(release)
    fresh = (
        POLICY
        + b"""
  - id: fresh
    match: {environments: [prod]}
    require:
      age: {of: statement, predicate-type: ["https://cyclonedx.org/bom"], max-hours: 24, signers: [release]}
"""
    )
    certified.policies.activate(fresh, context=CONTEXT)
    assert allowed(certified, release, REPOSITORY)
    certified.clock.advance(timedelta(hours=25))
    assert not allowed(certified, release, REPOSITORY)
    for bundle in bundles(certified, release.digest):
        certified.attach(release, bundle + b" ")
    assert not allowed(certified, release, REPOSITORY)
    certified.attach(release, certified.sign(release.statements["sbom"]))
    assert allowed(certified, release, REPOSITORY)


def test_revoking_one_log_entry_takes_one_statement_away(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    first = gathered(rig, release, REPOSITORY).statements[0]
    drafted = rig.signature_revocations.draft(
        RevokedBy.ENTRY, f"{first.log_origin}/{first.log_index}", reason="made by mistake"
    )
    rig.signature_revocations.revoke(drafted, context=CONTEXT)
    found = gathered(rig, release, REPOSITORY)
    assert len(found.statements) == 2
    assert [each.code for each in found.rejected] == ["signature-revoked"]


def test_what_a_revocation_would_do_is_read_from_what_was_accepted(rig: Rig) -> None:
    release = rig.release()
    rig.push(release)
    other = rig.release("another")
    rig.trust_key("nightly", nightly := generate(Scheme.ECDSA_P256_SHA256), "shop/**")
    rig.push(other, "2", key=nightly)
    rig.follower.catch_up()
    fingerprint = rig.release_key.public_key.fingerprint
    found = affected_by(rig.ledger, rig.signature_revocations.draft(RevokedBy.KEY, fingerprint, reason="x"))
    assert (found.count, found.among) == (3, 6)
    assert {each.digest for each in found.attestations} == {str(release.digest)}
    assert {each.signer for each in found.attestations} == {"release"}


def test_the_wrong_attestor_opens_no_gate_and_is_a_fact(rig: Rig) -> None:
    release = rig.release()
    rig.push(release, without=("sbom",))
    scanner = generate(Scheme.ECDSA_P256_SHA256)
    rig.trust_key("scanner", scanner, "shop/**", "https://in-toto.io/attestation/vulns/v0.2")
    rig.attach(release, rig.sign(release.statements["sbom"], scanner))
    assert not allowed(rig, release, REPOSITORY)
    rig.follower.catch_up()
    (rejected,) = rig.bodies("attest.rejected/1")
    assert rejected["code"] == SignerNotAllowed.code
    assert "scanner" in rejected["message"]


def test_log_entries_swapped_between_two_good_bundles_open_no_gate(rig: Rig) -> None:
    release = rig.release()
    rig.push(release, without=("sbom", "tests"))
    one, two = (decode_bundle(rig.sign(release.statements[name])) for name in ("sbom", "tests"))
    rig.attach(release, encode_bundle(replace(one, entries=two.entries)))
    rig.attach(release, encode_bundle(replace(two, entries=one.entries)))
    assert not allowed(rig, release, REPOSITORY)
    assert {each.code for each in gathered(rig, release, REPOSITORY).rejected} == {"log-entry-mismatch"}
