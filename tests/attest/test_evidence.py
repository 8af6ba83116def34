"""Evidence beside its subject, complete collections, and the facts about either."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.trust.world import IMAGE, OTHER_IMAGE, SHOP, bundle_of, key, root_of, verified

from chainward.attest.attach import SBOM_TYPE, bundle_artifact, sbom_artifact
from chainward.attest.complete import Completeness, completeness
from chainward.attest.facts import FACTS
from chainward.attest.record import attested, completed, rejected
from chainward.formats.bundle import BUNDLE_V03
from chainward.formats.intoto import CYCLONEDX, SLSA_PROVENANCE, TEST_RESULT
from chainward.formats.oci import (
    EMPTY_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    blob_digests,
    decode_manifest,
)
from chainward.kernel.digest import Digest
from chainward.kernel.problem import Problem
from chainward.trust.verify import verify_bundle

SUBJECT = Descriptor(OCI_MANIFEST, IMAGE, 1234)
PROVENANCE = {
    "buildDefinition": {"buildType": "x:y", "externalParameters": {}},
    "runDetails": {"builder": {"id": "https://ci.example.test/builders/1"}},
}
BUNDLE_DIGEST = Digest.of(b"a bundle")


# Referrers


def test_a_bundle_is_carried_as_stock_clients_look_for_it() -> None:
    artifact = bundle_artifact(b'{"a": "bundle"}', SLSA_PROVENANCE, SUBJECT)
    document = json.loads(artifact.manifest)
    assert document["artifactType"] == "application/vnd.dev.sigstore.bundle.v0.3+json" == BUNDLE_V03
    assert document["config"]["mediaType"] == EMPTY_CONFIG
    assert document["subject"] == {"mediaType": OCI_MANIFEST, "digest": str(IMAGE), "size": 1234}
    assert document["annotations"] == {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": SLSA_PROVENANCE,
    }


def test_an_inventory_is_carried_as_the_document_it_is() -> None:
    artifact = sbom_artifact(b'{"bomFormat": "CycloneDX"}', SUBJECT)
    manifest = decode_manifest(artifact.manifest, OCI_MANIFEST)
    assert manifest.artifact_type == manifest.layers[0].media_type == SBOM_TYPE
    assert manifest.subject == SUBJECT
    assert not manifest.annotations


@given(st.binary(max_size=200))
@example(b"{}")  # the bytes of the empty config: then one blob is both
def test_a_registry_gets_every_blob_that_the_manifest_names_and_its_true_digest(content: bytes) -> None:
    artifact = bundle_artifact(content, CYCLONEDX, SUBJECT)
    manifest = decode_manifest(artifact.manifest, OCI_MANIFEST)
    assert tuple(dict.fromkeys(descriptor.digest for descriptor, _ in artifact.blobs)) == blob_digests(manifest)
    for descriptor, blob in artifact.blobs:
        descriptor.digest.verify(blob)
        assert descriptor.size == len(blob)
    artifact.descriptor.digest.verify(artifact.manifest)
    assert manifest.layers[0].digest == Digest.of(content)


def test_attaching_twice_gives_one_manifest_and_another_subject_gives_another() -> None:
    once = bundle_artifact(b"{}", CYCLONEDX, SUBJECT)
    annotated = Descriptor(OCI_MANIFEST, IMAGE, 1234, {"org.opencontainers.image.ref.name": "1.0"})
    assert bundle_artifact(b"{}", CYCLONEDX, annotated) == once
    assert bundle_artifact(b"{}", CYCLONEDX, Descriptor(OCI_MANIFEST, OTHER_IMAGE, 1234)).manifest != once.manifest


# Completeness


def test_a_collection_is_complete_when_every_demanded_kind_was_verified() -> None:
    demanded = [CYCLONEDX, SLSA_PROVENANCE]
    provenance, inventory = verified(), verified(predicate_type=CYCLONEDX)
    assert completeness(demanded, [], IMAGE) == Completeness((), tuple(sorted(demanded)))
    assert completeness(demanded, [provenance], IMAGE).missing == (CYCLONEDX,)
    found = completeness(demanded, [provenance, inventory, verified(predicate_type=TEST_RESULT)], IMAGE)
    assert found.is_complete
    assert found.present == tuple(sorted(demanded))


def test_a_statement_about_another_digest_completes_nothing() -> None:
    assert completeness([SLSA_PROVENANCE], [verified(OTHER_IMAGE)], IMAGE).missing == (SLSA_PROVENANCE,)


def test_the_same_kind_twice_does_not_stand_for_another() -> None:
    assert not completeness([CYCLONEDX, SLSA_PROVENANCE], [verified(), verified()], IMAGE).is_complete


def test_where_nothing_is_demanded_nothing_is_missing() -> None:
    assert completeness([], [], IMAGE) == Completeness((), ())


# Facts


def test_an_accepted_statement_is_a_fact_about_the_image_the_bundle_and_the_key() -> None:
    found = verified()
    fact = attested(found, SHOP, IMAGE)
    fingerprint = key("release").public_key.fingerprint
    assert (fact.repository, fact.digest, fact.predicate_type) == ("shop/web", str(IMAGE), SLSA_PROVENANCE)
    assert (fact.signer, fact.fingerprint, fact.log_index) == ("release", fingerprint, found.log_index)
    assert fact.subjects() == (str(IMAGE), str(found.bundle_digest), f"key:sha256:{fingerprint}")


@pytest.mark.parametrize("isolated", [True, False])
def test_provenance_by_an_isolated_builder_is_marked_so_by_the_platform_and_not_by_itself(*, isolated: bool) -> None:
    found = verified(predicate=PROVENANCE | {"isolated": True})
    builders = frozenset({"https://ci.example.test/builders/1"} if isolated else {"https://elsewhere.example"})
    fact = attested(found, SHOP, IMAGE, isolated_builders=builders)
    assert (fact.builder, fact.isolated) == ("https://ci.example.test/builders/1", isolated)


def test_a_statement_that_names_no_builder_is_never_isolated() -> None:
    for found in (verified(), verified(predicate_type=CYCLONEDX, predicate=PROVENANCE)):
        fact = attested(found, SHOP, IMAGE, isolated_builders=frozenset({"https://ci.example.test/builders/1"}))
        assert (fact.builder, fact.isolated) == (None, False)


def test_completion_is_a_fact_only_of_what_is_complete() -> None:
    done = completeness([SLSA_PROVENANCE], [verified()], IMAGE)
    assert completed(SHOP, IMAGE, done).predicate_types == (SLSA_PROVENANCE,)
    with pytest.raises(ValueError, match="still lacks"):
        completed(SHOP, IMAGE, completeness([CYCLONEDX], [verified()], IMAGE))


def test_a_rejected_bundle_is_a_fact_with_its_reason_and_the_strangers_key() -> None:
    stranger = bundle_of(signer="stranger")
    with pytest.raises(Problem) as refused:
        verify_bundle(stranger, root_of(), subject=IMAGE, repository=SHOP)
    fact = rejected(refused.value, SHOP, IMAGE, Digest.of(stranger))
    fingerprint = key("stranger").public_key.fingerprint
    assert (fact.code, fact.fingerprint) == ("signer-unknown", fingerprint)
    assert f"key:sha256:{fingerprint}" in fact.subjects()


def test_a_rejection_without_a_known_key_names_none_and_stays_small() -> None:
    fact = rejected(Problem("x" * 10_000), SHOP, IMAGE, BUNDLE_DIGEST)
    assert fact.fingerprint is None
    assert fact.subjects() == (str(IMAGE), str(BUNDLE_DIGEST))
    assert len(fact.message) == 500


def test_the_facts_say_which_numbers_and_detections_they_feed() -> None:
    assert {fact.schema: fact.feeds for fact in FACTS} == {
        "attest.attested/1": ("M2", "M6", "M9", "F1"),
        "attest.completed/1": ("M2", "M9"),
        "attest.rejected/1": ("F1", "F7"),
    }
