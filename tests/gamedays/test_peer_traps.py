"""Traps that other projects fell into, each as an attack on this one; the number is that of their issue."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from sqlalchemy import event
from tests.databases import SIGNATURES_ORIGIN, sqlite_platform
from tests.delivery.rig import CONTEXT, HOST, REPOSITORY, Rig, review_of

from chainward.adapters.sql.errors import DatabaseUnavailable
from chainward.delivery.errors import PromotionDenied
from chainward.delivery.local import LocalRegistry
from chainward.delivery.promote import Promoter, Verifier
from chainward.formats.admission import decode_review
from chainward.kernel.name import RepositoryName
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.policy.model import Gate
from chainward.portfolio.model import Environment, NamespacePattern
from chainward.registry.errors import IntegrityViolated, ManifestBlobUnknown
from chainward.trust.errors import LogUntrusted
from chainward.trust.model import TrustedLog, TrustMaterial, TrustRoot
from chainward.trust.verify import verify_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from chainward.delivery.admit import AdmissionAnswer
    from chainward.kernel.digest import Digest
    from chainward.kernel.identity import Context

TWO_SIGNERS = b"""
apiVersion: chainward.dev/v1
kind: Policy
name: two
rules:
  - id: both
    require:
      provenance: {signers: [builder], builders: ["https://chainward.example/builders/*"]}
      tests: {signers: [tester]}
"""
FRESH_ONLY = b"""
apiVersion: chainward.dev/v1
kind: Policy
name: fresh
rules:
  - id: young
    require:
      signature: {signers: [release]}
      age: {max-days: 1, of: image}
"""


def _admit(rig: Rig, digest: Digest, **review: Any) -> AdmissionAnswer:
    return rig.admission.validate(decode_review(review_of(f"{HOST}/shop/web@{digest}", **review)), context=CONTEXT)


def _codes(answer: AdmissionAnswer) -> set[str]:
    return {check.code for ruling in answer.rulings for check in ruling.failures}


def test_a_signature_of_one_image_does_not_open_the_gate_for_another(rig: Rig) -> None:
    """zot#4202: signatures were not bound to the digest of the manifest that they were found beside."""
    honest, evil = rig.release("honest"), rig.release("evil")
    rig.push(honest)
    for name in honest.statements:
        evil.statements[name] = honest.statements[name]
    answer = _admit(rig, rig.push(evil, "2"))
    assert not answer.allowed
    assert {"signature-rejected", "provenance-missing", "sbom-missing", "tests-missing"} <= _codes(answer)


def test_a_blob_in_quarantine_is_kept_back_on_every_path_not_only_below_its_manifest(rig: Rig) -> None:
    """nora#744: quarantine was looked at for manifests, and the blobs could still be had."""
    release = rig.release()
    rig.push(release)
    digest = next(each for each in release.blobs if each != release.digest)
    other = RepositoryName("shop/other")
    assert rig.registry.mounts.mount(other, digest, REPOSITORY, CONTEXT)
    rig.spoil_blob(digest)
    with pytest.raises(IntegrityViolated):
        rig.registry.pull.blob(REPOSITORY, digest, CONTEXT)
    for repository in (REPOSITORY, other):
        with pytest.raises(IntegrityViolated):
            rig.registry.pull.blob(repository, digest, CONTEXT)
        with pytest.raises(IntegrityViolated):
            rig.registry.blob_bytes(repository, digest, 1 << 20)
        assert not LocalRegistry(rig.registry, CONTEXT).has_blob(repository, digest)
    third = RepositoryName("shop/third")
    assert not rig.registry.mounts.mount(third, digest, REPOSITORY, CONTEXT)
    with pytest.raises(ManifestBlobUnknown):
        LocalRegistry(rig.registry, CONTEXT).put_manifest(third, "1", release.manifest.media_type, release.body)


def test_a_promotion_whose_summary_could_not_be_signed_is_not_recorded(rig: Rig) -> None:
    """chains#1663: artifacts were marked as signed although every signature had failed."""

    def broken(context: Context) -> NoReturn:
        raise DatabaseUnavailable(f"the signature log is gone for {context.actor}")

    client = rig.registry
    promoter = Promoter(
        rig.judge,
        rig.portfolios,
        client,
        lambda context: LocalRegistry(client, context),
        rig.store,
        rig.ledger,
        rig.clock,
        Verifier("https://platform.test", HOST, rig.platform_key, broken),
    )
    digest = rig.push(rig.release())
    with pytest.raises(DatabaseUnavailable):
        promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    assert rig.store.promotions(REPOSITORY, digest) == []
    assert rig.bodies("delivery.promoted/1") == []


def test_evidence_that_was_all_rejected_is_not_told_as_complete(rig: Rig) -> None:
    """chains#1663, seen from the record: that something was looked at does not say that it was good."""
    rig.push(rig.release(), key=generate(Scheme.ECDSA_P256_SHA256))
    rig.follower.catch_up()
    assert rig.schemas("attest.") == ["rejected/1"] * 3


def test_what_expired_counts_on_no_path_after_a_first_yes(rig: Rig) -> None:
    """kyverno#17473: an expired exception was still honoured by a second path through the code."""
    rig.policies.activate(FRESH_ONLY, context=CONTEXT)
    digest = rig.push(rig.release())
    assert _admit(rig, digest).allowed
    assert _admit(rig, digest).allowed  # from the cache, and known to the record
    rig.clock.advance(timedelta(days=1, seconds=1))
    assert _codes(_admit(rig, digest)) == {"age-exceeded"}
    assert _codes(_admit(rig, digest, dryRun=True)) == {"age-exceeded"}
    assert not rig.judge.ask(REPOSITORY, digest, "prod", Gate.ADMIT)[1].allowed
    with pytest.raises(PromotionDenied):
        rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)


def test_two_demanded_statements_are_not_satisfied_by_two_of_the_same_signer(rig: Rig) -> None:
    """policy-controller#130: a policy that demands two attestations passed with halves of them."""
    keys = {name: generate(Scheme.ECDSA_P256_SHA256) for name in ("builder", "tester")}
    for name, key in keys.items():
        rig.trust_key(name, key, "shop/**")
    rig.policies.activate(TWO_SIGNERS, context=CONTEXT)
    release = rig.release()
    digest = rig.push(release, without=release.statements)
    provenance, tests = release.statements["provenance"], release.statements["tests"]
    wrong = rig.provenance(digest, builder="https://evil.example/builder")
    for statement, signer in ((tests, "builder"), (provenance, "tester"), (wrong, "builder")):
        rig.attach(release, rig.sign(statement, keys[signer]))
    assert _codes(_admit(rig, digest)) == {"provenance-wrong-builder", "tests-wrong-signer"}
    rig.attach(release, rig.sign(provenance, keys["builder"]))
    assert _codes(_admit(rig, digest)) == {"tests-wrong-signer"}
    rig.attach(release, rig.sign(tests, keys["tester"]))
    assert _admit(rig, digest).allowed


def test_an_old_bundle_is_not_believed_under_another_root(rig: Rig) -> None:
    """GHSA-whqx-f9j3-ch6m: a bundle passed although its log entry belonged to a log that is not trusted."""
    release = rig.release()
    bundle = rig.sign(release.statements["sbom"])
    root = rig.trust.snapshot().root
    assert verify_bundle(bundle, root, subject=release.digest, repository=REPOSITORY).signer == "release"
    impostor = TrustedLog.of(SIGNATURES_ORIGIN, generate(Scheme.ED25519).public_key)
    for logs in ((), (impostor,)):
        with pytest.raises(LogUntrusted):
            verify_bundle(
                bundle, TrustRoot(root.signers, TrustMaterial(logs)), subject=release.digest, repository=REPOSITORY
            )


def test_without_any_policy_nothing_is_let_in(tmp_path: Path) -> None:
    """keylime#1895: no policy was configured, so the check was skipped, and that counted as healthy."""
    with sqlite_platform(tmp_path) as platform:
        rig = Rig(platform, tmp_path)
        rig.portfolios.declare_environment(Environment("prod", 1, (NamespacePattern("prod"),)), context=CONTEXT)
        rig.trust_key("release", rig.release_key, "shop/**")
        digest = rig.push(rig.release())
        answer = _admit(rig, digest)
        assert (answer.allowed, _codes(answer)) == (False, {"policy-absent"})
        with pytest.raises(PromotionDenied):
            rig.promoter.promote(REPOSITORY, digest, "prod", context=CONTEXT)


def test_deleting_and_revoking_scan_no_table(rig: Rig) -> None:
    """harbor#23772: deleting one artifact searched a whole table by what no index covers."""
    digest = rig.push(rig.release())
    noted: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        _, _, statement, parameters, _, many = call
        noted.append((statement, parameters[0] if many else parameters))

    engine = rig.platform.database.writer
    event.listen(engine, "before_cursor_execute", note)
    rig.registry.revocations.revoke(digest, "for a test", CONTEXT)
    rig.registry.deletions.manifest(REPOSITORY, digest, CONTEXT)
    event.remove(engine, "before_cursor_execute", note)
    written = [each for each in noted if "registry_" in each[0]]
    assert any(statement.startswith("DELETE FROM registry_manifest") for statement, _ in written)
    with rig.platform.database.read() as connection:
        plans = [
            (row[3], statement)
            for statement, parameters in written
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert [plan for plan in plans if plan[0].startswith("SCAN registry_")] == []
