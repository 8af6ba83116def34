"""Certificates and requests that any signer signs: what stands in them verifies, and nothing else can be done."""

from __future__ import annotations

import copy
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from chainward.kernel.problem import Kind, Problem
from chainward.keys.errors import KeyMalformed, KeyUnsupported
from chainward.keys.local import PrivateKey, generate
from chainward.keys.model import PublicKey, Scheme
from chainward.keys.x509 import certificate_request, hash_of, issuing_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.keys.ports import DigestSigner

ISSUERS = [
    generate(scheme) for scheme in (Scheme.ECDSA_P256_SHA256, Scheme.ECDSA_P384_SHA384, Scheme.ECDSA_P521_SHA512)
]
OTHERS = [generate(Scheme.ED25519), generate(Scheme.RSA_2048)]
SHA1 = hashes.SHA1()  # noqa: S303 - to see it refused
START = datetime(2026, 11, 23, tzinfo=UTC)


class Away:
    """A signer whose key is elsewhere: it sees digests only, and notes them."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.digests: list[bytes] = []

    @property
    def public_key(self) -> PublicKey:
        return self._key.public_key

    def sign(self, data: bytes) -> bytes:
        raise AssertionError(data)

    def sign_prehashed(self, digest: bytes) -> bytes:
        self.digests.append(digest)
        return self._key.sign_prehashed(digest)


class Unreachable(Problem):
    """The token does not answer."""

    kind = Kind.UNAVAILABLE
    code = "token-unreachable"


class Broken(Away):
    def sign_prehashed(self, digest: bytes) -> bytes:
        raise Unreachable(f"no answer about {len(digest)} bytes")


def issued(signer: DigestSigner) -> x509.Certificate:
    key = issuing_key(signer)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.not_valid_before(START).not_valid_after(START.replace(year=2027)).serial_number(1)
    return builder.sign(key, hash_of(signer.public_key))


@pytest.mark.parametrize("key", ISSUERS)
def test_a_certificate_that_a_distant_key_signed_verifies(key: PrivateKey) -> None:
    signer = Away(key)
    made = issued(signer)
    made.verify_directly_issued_by(made)
    assert signer.digests == [hashlib.new(key.public_key.hash_name, made.tbs_certificate_bytes).digest()]
    assert made.signature_hash_algorithm is not None
    assert made.signature_hash_algorithm.name == key.public_key.hash_name


@pytest.mark.parametrize("key", ISSUERS)
def test_a_request_proves_possession_of_the_key(key: PrivateKey) -> None:
    request = x509.load_pem_x509_csr(certificate_request(Away(key)))
    assert request.is_signature_valid
    assert list(request.subject) == []
    assert (
        PublicKey.from_der(request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        == key.public_key
    )


def test_a_request_names_its_subject_if_it_has_one() -> None:
    request = x509.load_pem_x509_csr(certificate_request(ISSUERS[0], "dev@example.test"))
    assert request.subject.rfc4514_string() == "CN=dev@example.test"


def test_a_subject_that_no_certificate_has_room_for_is_refused() -> None:
    with pytest.raises(KeyMalformed):
        certificate_request(ISSUERS[0], "x" * 65)


@pytest.mark.parametrize("key", OTHERS)
def test_a_key_that_is_not_ecdsa_issues_nothing(key: PrivateKey) -> None:
    with pytest.raises(KeyUnsupported):
        issuing_key(key)
    with pytest.raises(KeyUnsupported):
        certificate_request(key)


def test_what_the_signer_raises_comes_through_unchanged() -> None:
    with pytest.raises(Unreachable):
        issued(Broken(ISSUERS[0]))
    with pytest.raises(Unreachable):
        certificate_request(Broken(ISSUERS[0]))


@pytest.mark.parametrize("algorithm", [SHA1, hashes.SHA384(), Prehashed(hashes.SHA256())])
def test_an_issuing_key_does_not_sign_with_another_hash(algorithm: hashes.HashAlgorithm | Prehashed) -> None:
    signer = Away(ISSUERS[0])
    with pytest.raises(KeyUnsupported):
        issuing_key(signer).sign(b"data", ec.ECDSA(algorithm))
    assert signer.digests == []


@pytest.mark.parametrize(
    "use",
    [
        lambda key: key.private_numbers(),
        lambda key: key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        lambda key: key.exchange(ec.ECDH(), key.public_key()),
    ],
    ids=["numbers", "bytes", "exchange"],
)
def test_an_issuing_key_gives_nothing_of_itself_away(use: Callable[[ec.EllipticCurvePrivateKey], object]) -> None:
    with pytest.raises(KeyUnsupported):
        use(issuing_key(ISSUERS[0]))


def test_an_issuing_key_is_the_signer_however_often_it_is_copied() -> None:
    key = issuing_key(ISSUERS[1])
    assert copy.copy(key) is copy.deepcopy(key) is key
    assert (key.key_size, key.curve.name) == (384, "secp384r1")


@pytest.mark.parametrize("key", ISSUERS)
def test_the_hash_in_a_certificate_is_the_one_of_the_key(key: PrivateKey) -> None:
    assert hash_of(key.public_key).name == key.public_key.hash_name
