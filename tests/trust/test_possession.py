"""That who asks holds the key: both proofs, and proofs of others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.trust.certification import challenge_proof, fresh_key, request_pem, request_proof

from chainward.trust.errors import CertificateRequestInvalid, PossessionUnproven
from chainward.trust.possession import MAX_REQUEST, ChallengeProof, RequestProof, prove_possession

KINDS = ["P-256", "P-384", "P-521", "Ed25519", "RSA-2048", "RSA-3072", "RSA-4096"]
JANE = "jane@example.org"
KEY = fresh_key()


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_and_a_signed_challenge_prove_possession_of_the_same_key(kind: str) -> None:
    key = fresh_key(kind)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert prove_possession(request_proof(key), JANE).der == public
    assert prove_possession(challenge_proof(key, JANE), JANE).der == public


@pytest.mark.parametrize("challenge", ["mallory@example.org", "", "jane@example.org ", "Jane@example.org", "jane"])
def test_a_proof_for_another_token_is_refused(challenge: str) -> None:
    with pytest.raises(PossessionUnproven):
        prove_possession(challenge_proof(KEY, challenge), JANE)


def test_a_proof_by_another_key_is_refused() -> None:
    stolen = replace(challenge_proof(fresh_key(), JANE), public_key=challenge_proof(KEY, JANE).public_key)
    with pytest.raises(PossessionUnproven):
        prove_possession(stolen, JANE)


@pytest.mark.parametrize("signature", [b"", b"\x00", b"\x30\x06\x02\x01\x00\x02\x01\x00", bytes(64), bytes(4096)])
def test_a_signature_that_is_none_is_refused(signature: bytes) -> None:
    with pytest.raises(PossessionUnproven):
        prove_possession(replace(challenge_proof(KEY, JANE), signature=signature), JANE)


def test_a_request_with_the_key_of_somebody_else_is_refused() -> None:
    mine, victim = (
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in (KEY, fresh_key())
    )
    der = x509.load_pem_x509_csr(request_pem(KEY)).public_bytes(Encoding.DER)
    assert der.count(mine) == 1
    forged = x509.load_der_x509_csr(der.replace(mine, victim)).public_bytes(Encoding.PEM)
    with pytest.raises(PossessionUnproven, match="not signed by the key in it"):
        prove_possession(RequestProof(forged), JANE)


def test_keys_of_kinds_that_clients_do_not_verify_are_refused() -> None:
    with pytest.raises(CertificateRequestInvalid, match="cannot be certified"):
        prove_possession(request_proof(fresh_key("secp256k1")), JANE)
    public = x25519.X25519PrivateKey.generate().public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(CertificateRequestInvalid, match="cannot be certified"):
        prove_possession(ChallengeProof(pem, b"x"), JANE)


PEM = request_pem(KEY)
PUBLIC = challenge_proof(KEY, JANE).public_key


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n",
        PEM + PEM,
        PEM.replace(b"CERTIFICATE REQUEST", b"CERTIFICATE"),
        PEM[:-60],
        PUBLIC,
        b"\xff" * 100,
        b"x" * (MAX_REQUEST + 1),
    ],
    ids=["empty", "hollow", "twice", "mislabelled", "cut", "a key", "binary", "huge"],
)
def test_what_is_not_one_request_is_refused(pem: bytes) -> None:
    with pytest.raises(CertificateRequestInvalid):
        prove_possession(RequestProof(pem), JANE)


@pytest.mark.parametrize(
    "pem",
    [b"", PEM, PUBLIC + PUBLIC, PUBLIC[:-40], b"\xff" * 100, b"x" * 20_000],
    ids=["empty", "a request", "twice", "cut", "binary", "huge"],
)
def test_what_is_not_one_key_is_refused(pem: bytes) -> None:
    with pytest.raises(CertificateRequestInvalid):
        prove_possession(ChallengeProof(pem, b"x"), JANE)


@given(st.integers(0, len(PEM) - 1), st.integers(1, 255))
def test_no_changed_request_proves_possession_of_another_key(place: int, change: int) -> None:
    changed = bytearray(PEM)
    changed[place] = (changed[place] + change) % 256
    try:
        found = prove_possession(RequestProof(bytes(changed)), JANE)
    except (CertificateRequestInvalid, PossessionUnproven):
        return
    assert found.pem == PUBLIC
