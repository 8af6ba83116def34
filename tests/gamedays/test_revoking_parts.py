"""What was revoked stays out, also as a part: the evidence that opened a gate, the image inside an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.delivery.rig import CONTEXT, HOST, REPOSITORY, review_of

from chainward.attest.attach import bundle_artifact
from chainward.attest.testresult import RunCounts, statement_of_tests
from chainward.delivery.errors import PromotionDenied
from chainward.delivery.local import LocalRegistry
from chainward.delivery.referrer import put_artifact
from chainward.formats.admission import decode_review
from chainward.formats.oci import OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest, encode_manifest
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName
from chainward.policy.model import Gate
from chainward.registry.errors import ArtifactRevoked

if TYPE_CHECKING:
    from tests.delivery.rig import Release, Rig

    from chainward.delivery.admit import AdmissionAnswer
    from chainward.formats.intoto import Statement


def _admit(rig: Rig, digest: Digest, **review: Any) -> AdmissionAnswer:
    image = f"{HOST}/shop/web@{digest}"
    return rig.admission.validate(decode_review(review_of(image, **review)), context=CONTEXT)


def _codes(answer: AdmissionAnswer) -> set[str]:
    return {check.code for ruling in answer.rulings for check in ruling.failures}


def _revoke(rig: Rig, digest: Digest, repository: RepositoryName | None = None) -> None:
    rig.registry.revocations.revoke(digest, "made by a stolen key", CONTEXT, repository=repository)


def _index_over(rig: Rig, child: Digest) -> tuple[Digest, Descriptor]:
    """Push an index over a manifest that is there; returns its digest and descriptor."""
    stored = rig.registry.manifest(REPOSITORY, child)
    member = Descriptor(stored.media_type, stored.digest, stored.size)
    body = encode_manifest(Manifest(media_type=OCI_INDEX, manifests=(member,)))
    LocalRegistry(rig.registry, CONTEXT).put_manifest(REPOSITORY, str(Digest.of(body)), OCI_INDEX, body)
    return Digest.of(body), Descriptor.of(body, OCI_INDEX)


def _signed_index(rig: Rig, release: Release, *, depth: int = 1) -> Digest:
    """Push an image without evidence, and an index over it (over an index over it …) with all of it."""
    digest, descriptor = rig.push(release, tag=None, without=release.statements), release.manifest
    for _ in range(depth):
        digest, descriptor = _index_over(rig, digest)
    for statement in (rig.provenance(digest), rig.sbom(digest), _tests_of(digest)):
        _attach(rig, descriptor, rig.sign(statement))
    return digest


def _tests_of(digest: Digest) -> Statement:
    counts = RunCounts(passed=3, failed=0)
    return statement_of_tests("web", digest, counts, suite="unit", report=Digest.of(b"report"))


def _attach(rig: Rig, subject: Descriptor, bundle: bytes) -> Digest:
    artifact = bundle_artifact(bundle, "https://example.org/unknown", subject)
    return put_artifact(LocalRegistry(rig.registry, CONTEXT), REPOSITORY, artifact)


@pytest.mark.parametrize("everywhere", [True, False], ids=["everywhere", "in-one-repository"])
def test_a_statement_that_was_revoked_no_longer_opens_a_gate(rig: Rig, everywhere: bool) -> None:  # noqa: FBT001
    release = rig.release()
    digest = rig.push(release, without=("sbom",))
    referrer = rig.attach(release, rig.sign(release.statements["sbom"]))
    assert _admit(rig, digest).allowed
    _revoke(rig, referrer, None if everywhere else REPOSITORY)
    assert "sbom-missing" in _codes(_admit(rig, digest))
    _, verdict = rig.judge.ask(REPOSITORY, digest, "prod", Gate.ADMIT)
    assert any("evidence-revoked" in check.message for check in verdict.failures)


def test_a_bundle_that_was_revoked_by_its_own_digest_counts_nowhere(rig: Rig) -> None:
    release = rig.release()
    digest = rig.push(release, without=("sbom",))
    bundle = rig.sign(release.statements["sbom"])
    rig.attach(release, bundle)
    assert _admit(rig, digest).allowed
    _revoke(rig, Digest.of(bundle))
    assert "sbom-missing" in _codes(_admit(rig, digest))


def test_revoked_evidence_does_not_promote_either(rig: Rig) -> None:
    release = rig.release()
    digest = rig.push(release, without=("sbom",))
    referrer = rig.attach(release, rig.sign(release.statements["sbom"]))
    rig.promoter.promote(REPOSITORY, digest, "dev", context=CONTEXT)
    _revoke(rig, referrer)
    with pytest.raises(PromotionDenied):
        rig.promoter.promote(REPOSITORY, digest, "staging", context=CONTEXT)


def test_a_statement_that_is_revoked_in_another_repository_still_counts_here(rig: Rig) -> None:
    release = rig.release()
    digest = rig.push(release, without=("sbom",))
    referrer = rig.attach(release, rig.sign(release.statements["sbom"]))
    _revoke(rig, referrer, RepositoryName("shop/other"))
    assert _admit(rig, digest).allowed


def test_an_index_is_kept_out_once_one_of_its_images_was_revoked(rig: Rig) -> None:
    release = rig.release()
    child = release.digest
    index = _signed_index(rig, release)
    assert _admit(rig, index).allowed
    _revoke(rig, child)
    answer = _admit(rig, index)
    assert _codes(answer) == {"artifact-revoked"}
    assert str(child) in answer.message


def test_an_index_of_indexes_hides_no_revoked_image(rig: Rig) -> None:
    release = rig.release()
    child, outer = release.digest, _signed_index(rig, release, depth=2)
    assert _admit(rig, outer).allowed
    _revoke(rig, child)
    assert _codes(_admit(rig, outer)) == {"artifact-revoked"}


def test_an_update_that_keeps_an_index_with_a_revoked_image_is_refused(rig: Rig) -> None:
    release = rig.release()
    child = release.digest
    index = _signed_index(rig, release)
    _revoke(rig, child)
    answer = _admit(rig, index, operation="UPDATE", before=(f"{HOST}/shop/web@{index}",))
    assert _codes(answer) == {"artifact-revoked"}


def test_an_index_with_a_revoked_image_is_not_promoted(rig: Rig) -> None:
    release = rig.release()
    child = release.digest
    index = _signed_index(rig, release)
    _revoke(rig, child)
    with pytest.raises(PromotionDenied) as refused:
        rig.promoter.promote(REPOSITORY, index, "dev", context=CONTEXT)
    assert refused.value.details["checks"] == ["artifact-revoked"]


def test_a_new_index_cannot_bring_a_revoked_image_back(rig: Rig) -> None:
    release = rig.release()
    child = rig.push(release)
    stored = rig.registry.manifest(REPOSITORY, child)
    _revoke(rig, child)
    body = encode_manifest(Manifest(media_type=OCI_INDEX, manifests=(Descriptor(OCI_MANIFEST, child, stored.size),)))
    with pytest.raises(ArtifactRevoked):
        LocalRegistry(rig.registry, CONTEXT).put_manifest(REPOSITORY, "2", OCI_INDEX, body)
