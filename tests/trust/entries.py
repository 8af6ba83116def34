"""Entries of logs that name somebody: certificates of made-up people, as every kind of log holds them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chainward.formats.codec import canonical_json, encode_base64
from chainward.formats.fulcio import encode_claims
from chainward.formats.rekor import HashedRekord, canonical_body
from chainward.formats.sct import merkle_leaf

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CI", "DIGEST", "FINGERPRINT", "ISSUER", "NOON", "certificate", "certified", "logged", "logged_v1"]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = ec.derive_private_key(4711, ec.SECP256R1())
SPKI = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
FINGERPRINT = hashlib.sha256(SPKI).hexdigest()
ISSUER = "https://issuer.example"
CI = "https://ci.example/shop/web"
DIGEST = hashlib.sha256(b"artifact").digest()


def certificate(*subjects: str, issuer: str = ISSUER, serial: int = 99) -> bytes:
    empty = x509.Name([])
    builder = x509.CertificateBuilder(empty, empty, KEY.public_key(), serial, NOON, NOON + timedelta(minutes=10))
    names: Sequence[x509.GeneralName] = [
        x509.RFC822Name(subject) if "@" in subject else x509.UniformResourceIdentifier(subject) for subject in subjects
    ]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    if issuer:
        for extension in encode_claims({"issuer": issuer}):
            builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def logged(certificate_der: bytes = b"", digest: bytes = DIGEST) -> bytes:
    return canonical_body(
        HashedRekord(digest, b"signature", b"" if certificate_der else SPKI, certificate_der=certificate_der)
    )


def certified(der: bytes) -> bytes:
    return merkle_leaf(NOON, bytes(32), x509.load_der_x509_certificate(der).tbs_certificate_bytes)


def logged_v1(der: bytes, digest: bytes = DIGEST) -> bytes:
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    signature = {"content": encode_base64(b"signature"), "publicKey": {"content": encode_base64(pem)}}
    data = {"hash": {"algorithm": "sha256", "value": digest.hex()}}
    return canonical_json(
        {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {"data": data, "signature": signature}}
    )
