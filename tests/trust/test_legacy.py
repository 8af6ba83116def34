"""Signatures and attestations as older clients tagged them beside images: what holds, and every way that does not."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.trust.legacy_layers import IMAGE, Made, attestation, payload_about, signature, world
from tests.trust.sigstore_world import (
    ARTIFACT,
    ISSUER,
    NOON,
    START,
    SUBJECT,
    World,
    b64,
    new_key,
    pem_of,
)

from chainward.formats.cosign import LegacyLayer, bundle_of_layer, decode_simple_signing, legacy_tags
from chainward.formats.errors import Malformed, TooLarge
from chainward.kernel.digest import Digest, InvalidDigest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.kernel.problem import Problem
from chainward.trust.errors import BundleMalformed, LogEntryMissing, SignerNotAllowed, SubjectMismatch
from chainward.trust.identity import IdentityMatch
from chainward.trust.legacy import verify_legacy
from chainward.trust.model import TrustedSigner, TrustRoot, VerifiedArtifact, VerifiedStatement

SHOP = RepositoryName("shop/web")


def root(made: Made | None = None, repositories: str = "shop/**") -> TrustRoot:
    key = None if made is None else made.key.public_key
    match = IdentityMatch(subject=SUBJECT, issuer=ISSUER) if made is None else None
    signer = TrustedSigner(
        name="ci",
        public_key=key,
        match=match,
        repositories=(RepositoryPattern(repositories),),
        predicates=("*",),
        trusted_since=START,
    )
    return TrustRoot((signer,), world().material)


def verify(layer: LegacyLayer, trusted: TrustRoot | None = None) -> VerifiedArtifact | VerifiedStatement:
    return verify_legacy(layer, trusted or root(), image=IMAGE, repository=SHOP)


def annotated(layer: LegacyLayer, name: str, text: str | None) -> LegacyLayer:
    others = {key: value for key, value in layer.annotations.items() if key != f"dev.sigstore.cosign/{name}"}
    return replace(layer, annotations=others if text is None else {**others, f"dev.sigstore.cosign/{name}": text})


def test_a_signature_under_a_legacy_tag_verifies_by_identity() -> None:
    found = verify(signature().layer)
    assert isinstance(found, VerifiedArtifact)
    assert found.identity is not None
    assert (found.signer, found.identity.subject, found.signed_at) == ("ci", SUBJECT, NOON)


def test_a_signature_under_a_legacy_tag_verifies_by_key() -> None:
    made = signature(certified=False)
    found = verify(made.layer, root(made))
    assert (found.signer, found.identity, found.fingerprint) == ("ci", None, made.key.public_key.fingerprint)


@pytest.mark.parametrize("kind", ["intoto", "dsse"])
def test_an_attestation_under_a_legacy_tag_says_what_its_payload_says(kind: str) -> None:
    found = verify(attestation(kind).layer)
    assert isinstance(found, VerifiedStatement)
    assert (found.predicate_type, found.subjects) == ("https://slsa.dev/provenance/v1", (IMAGE,))


def test_a_signature_over_another_image_copied_under_the_tag_of_this_one_is_refused() -> None:
    made = signature(payload_about(Digest.of(b"another image")))
    with pytest.raises(SubjectMismatch):
        verify(made.layer)
    with pytest.raises(SubjectMismatch):
        verify_legacy(attestation().layer, root(), image=Digest.of(b"another image"), repository=SHOP)


def test_a_payload_that_was_exchanged_under_a_good_signature_is_refused() -> None:
    made = signature(payload_about(Digest.of(b"another image")))
    forged = replace(made.layer, content=payload_about(IMAGE))
    with pytest.raises(Problem) as refused:
        verify(forged)
    assert refused.value.code == "signature-invalid"


def test_the_name_that_the_signer_gave_the_image_binds_it_to_no_repository() -> None:
    with pytest.raises(SignerNotAllowed):
        verify(signature().layer, root(repositories="whatever/it/*"))


def test_a_payload_of_another_type_signs_no_image() -> None:
    with pytest.raises(BundleMalformed, match="signs no image"):
        verify(signature(payload_about(IMAGE, type="release notes")).layer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, LogEntryMissing),
        ("", LogEntryMissing),
        ("{}", BundleMalformed),
        ("nonsense", BundleMalformed),
        ('{"SignedEntryTimestamp": "AA==", "Payload": {"body": "e30=", "integratedTime": 1}}', BundleMalformed),
    ],
)
def test_a_signature_that_no_log_promised_to_hold_is_refused(text: str | None, expected: type[Problem]) -> None:
    with pytest.raises(expected):
        verify(annotated(signature().layer, "bundle", text))


def test_the_promise_for_another_signature_is_refused() -> None:
    one, other = signature().layer, signature().layer
    with pytest.raises(Problem) as refused:
        verify(annotated(one, "bundle", other.annotations["dev.sigstore.cosign/bundle"]))
    assert refused.value.code == "log-entry-mismatch"


def test_a_promise_with_another_time_is_refused() -> None:
    layer = signature().layer
    told = json.loads(layer.annotations["dev.sigstore.cosign/bundle"])
    told["Payload"]["integratedTime"] += 60
    with pytest.raises(Problem) as refused:
        verify(annotated(layer, "bundle", json.dumps(told)))
    assert refused.value.code == "log-promise-invalid"


def test_a_certificate_of_strangers_is_refused_whatever_chain_comes_with_it() -> None:
    layer, stranger = signature().layer, World()
    forged = annotated(layer, "certificate", pem_of(stranger.certify(new_key().public_key())).decode())
    chain = pem_of(stranger.issuer.certificate.public_bytes(Encoding.DER)).decode()
    with pytest.raises(Problem) as refused:
        verify(annotated(forged, "chain", chain))
    assert refused.value.code in {"certificate-untrusted", "signature-invalid"}


@pytest.mark.parametrize("text", ["no pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"])
def test_a_certificate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BundleMalformed):
        verify(annotated(signature().layer, "certificate", text))


def test_two_certificates_in_one_annotation_are_refused() -> None:
    layer = signature().layer
    pem = layer.annotations["dev.sigstore.cosign/certificate"]
    with pytest.raises(BundleMalformed):
        verify(annotated(layer, "certificate", pem + pem))


def test_a_layer_without_a_signature_is_refused() -> None:
    layer = signature().layer
    with pytest.raises(BundleMalformed, match="no signature"):
        verify(replace(layer, annotations={}))


def test_a_legacy_timestamp_is_read_as_the_time_of_a_bundle() -> None:
    made = signature()
    token = world().tsa.stamp(base64.b64decode(made.layer.annotations["dev.cosignproject.cosign/signature"]), NOON)
    stamped = annotated(made.layer, "rfc3161timestamp", json.dumps({"SignedRFC3161Timestamp": b64(token)}))
    assert verify(stamped).signed_at == NOON


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"", Malformed),
        (b"{}", Malformed),
        (b'{"critical": []}', Malformed),
        (b" " * 70_000, TooLarge),
        (payload_about(IMAGE).replace(b"sha256:", b"md5:"), InvalidDigest),
        (payload_about(IMAGE, image={}), Malformed),
    ],
)
def test_a_payload_that_names_no_digest_is_refused(payload: bytes, problem: type[Problem]) -> None:
    with pytest.raises(problem):
        decode_simple_signing(payload)


def test_the_tags_are_those_that_older_clients_look_for() -> None:
    hexed = hashlib.sha256(ARTIFACT).hexdigest()
    assert legacy_tags(IMAGE) == (f"sha256-{hexed}.sig", f"sha256-{hexed}.att")


def test_the_bundle_of_a_layer_keeps_nothing_of_its_chain() -> None:
    whole = json.loads(bundle_of_layer(signature().layer))
    assert set(whole["verificationMaterial"]) == {"certificate", "tlogEntries", "timestampVerificationData"}
