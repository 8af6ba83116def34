"""Keys of certificates: which ones verify, over which hashes, and which are refused whatever they signed."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from tests.timestamps import END, START, key_of, raw

from chainward.kernel.problem import Problem
from chainward.keys.certificate import CertifiedKey, read_certificate
from chainward.keys.errors import KeyMalformed, KeyUnsupported, SignatureInvalid
from chainward.keys.model import Scheme

HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
SHA1 = hashes.SHA1()  # noqa: S303 - to see it refused
CURVES = [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()]


def certificate(key: Any, serial: int = 7) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.not_valid_before(START).not_valid_after(END).serial_number(serial)
    return builder.sign(raw(key_of("issuer")), hashes.SHA256())


@pytest.mark.parametrize("hash_name", sorted(HASHES))
@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_every_curve_verifies_with_every_hash(curve: ec.EllipticCurve, hash_name: str) -> None:
    key = ec.generate_private_key(curve)
    certified = CertifiedKey(certificate(key))
    assert certified.family == "ecdsa"
    signature = key.sign(b"data", ec.ECDSA(HASHES[hash_name]))
    certified.verify(b"data", signature, hash_name)
    for other in sorted(HASHES.keys() - {hash_name}):
        with pytest.raises(SignatureInvalid):
            certified.verify(b"data", signature, other)
    with pytest.raises(SignatureInvalid):
        certified.verify(b"date", signature, hash_name)


@pytest.mark.parametrize("size", [2048, 2056, 3072, 4096])
def test_rsa_keys_of_authorities_may_have_any_size_from_2048_bits(size: int) -> None:
    key = rsa.generate_private_key(65537, size)
    certified = CertifiedKey(certificate(key))
    assert certified.family == "rsa"
    for name, algorithm in HASHES.items():
        certified.verify(b"data", key.sign(b"data", padding.PKCS1v15(), algorithm), name)
        pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)
        with pytest.raises(SignatureInvalid):
            certified.verify(b"data", key.sign(b"data", pss, algorithm), name)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - to see it refused
        rsa.generate_private_key(3, 2048),
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP224R1()),
        ed448.Ed448PrivateKey.generate(),
        raw(key_of("ed25519", Scheme.ED25519)),
    ],
    ids=["RSA-1024", "RSA-exponent-3", "secp256k1", "P-224", "Ed448", "Ed25519"],
)
def test_a_key_that_is_too_weak_or_of_another_kind_is_refused(key: Any) -> None:
    with pytest.raises(KeyUnsupported):
        CertifiedKey(certificate(key))


@pytest.mark.parametrize("hash_name", ["sha1", "md5", "sha224", "SHA256", "", "shake_128"])
def test_a_signature_over_another_hash_is_not_believed(hash_name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(SignatureInvalid, match="not believed"):
        CertifiedKey(certificate(key)).verify(b"data", key.sign(b"data", ec.ECDSA(SHA1)), hash_name)


@given(noise=st.binary(max_size=300), hash_name=st.sampled_from(sorted(HASHES)))
def test_noise_is_an_invalid_signature(noise: bytes, hash_name: str) -> None:
    with pytest.raises(SignatureInvalid):
        CertifiedKey(certificate(raw(key_of("leaf")))).verify(b"data", noise, hash_name)


def test_a_certificate_with_any_one_byte_bent_is_one_or_a_coded_problem() -> None:
    der = certificate(raw(key_of("leaf"))).public_bytes(Encoding.DER)
    for place in range(len(der)):
        for change in (0x01, 0x07, 0x80, 0xFF):
            bent = bytearray(der)
            bent[place] ^= change
            try:
                CertifiedKey(read_certificate(bytes(bent)))
            except Problem:
                continue


def test_what_is_no_certificate_is_malformed() -> None:
    for data in (b"", b"no certificate", b"0" * 70_000):
        with pytest.raises(KeyMalformed):
            read_certificate(data)
