"""Promises of certificate logs: ours, and forged ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from tests.trust.identities import NOW

from chainward.formats.sct import SCT_LIST, SignedCertificateTimestamp, encode_sct_list
from chainward.keys.local import PrivateKey, generate
from chainward.keys.model import Scheme
from chainward.keys.x509 import issuing_key
from chainward.trust.errors import TimestampPromiseInvalid
from chainward.trust.material import TrustedLog
from chainward.trust.sct import issuer_key_hash, promise, verify_sct

CA = generate(Scheme.ECDSA_P256_SHA256)
OTHER_CA = generate(Scheme.ECDSA_P256_SHA256)
CT = generate(Scheme.ECDSA_P256_SHA256)
LOG = TrustedLog.of("ct.example.test", CT.public_key)


def certificate(key: PrivateKey, *scts: SignedCertificateTimestamp, serial: int = 7, raw: bytes | None = None) -> bytes:
    public = load_der_public_key(CT.public_key.der)
    builder = (
        x509.CertificateBuilder(x509.Name([]), x509.Name([]), public, serial)  # type: ignore[arg-type]  # any will do
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(minutes=10))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    if scts or raw is not None:
        value = encode_sct_list(scts) if raw is None else raw
        builder = builder.add_extension(x509.UnrecognizedExtension(SCT_LIST, value), critical=False)
    return builder.sign(issuing_key(key), SHA256()).public_bytes(Encoding.DER)


def issuer(key: PrivateKey = CA) -> x509.Certificate:
    public = load_der_public_key(key.public_key.der)
    builder = x509.CertificateBuilder(x509.Name([]), x509.Name([]), public, 1)  # type: ignore[arg-type]  # as above
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    return builder.sign(issuing_key(key), SHA256())


def tbs(serial: int = 7) -> bytes:
    return x509.load_der_x509_certificate(certificate(CA, serial=serial)).tbs_certificate_bytes


def promised(log: PrivateKey = CT, *, serial: int = 7, by: PrivateKey = CA) -> SignedCertificateTimestamp:
    return promise(log, issuer_key_hash(issuer(by)), tbs(serial), NOW)


def verify(
    *scts: SignedCertificateTimestamp, logs: tuple[TrustedLog, ...] = (LOG,), raw: bytes | None = None
) -> object:
    leaf = x509.load_der_x509_certificate(certificate(CA, *scts, raw=raw))
    return verify_sct(leaf, issuer(), logs)


def test_a_promise_is_believed_and_tells_its_time() -> None:
    assert verify(promised()) == NOW


def test_a_promise_has_whole_milliseconds() -> None:
    made = promise(CT, issuer_key_hash(issuer()), tbs(), NOW.replace(microsecond=123_999))
    assert made.timestamp == NOW.replace(microsecond=123_000)
    assert verify(made) == made.timestamp


def test_one_good_promise_among_strange_ones_is_enough() -> None:
    stranger = promised(generate(Scheme.ECDSA_P256_SHA256))
    assert verify(stranger, replace(promised(), signature=b"x"), promised()) == NOW


def test_a_certificate_without_a_promise_is_refused() -> None:
    with pytest.raises(TimestampPromiseInvalid, match="no promise"):
        verify()


def test_a_promise_of_a_log_that_nobody_trusts_is_refused() -> None:
    with pytest.raises(TimestampPromiseInvalid, match="not trusted"):
        verify(promised(generate(Scheme.ECDSA_P256_SHA256)))
    with pytest.raises(TimestampPromiseInvalid, match="not trusted"):
        verify(promised(), logs=())


def test_a_promise_under_the_name_of_a_trusted_log_is_refused() -> None:
    forged = promised(generate(Scheme.ECDSA_P256_SHA256))
    with pytest.raises(TimestampPromiseInvalid, match="not signed by it"):
        verify(replace(forged, log_id=promised().log_id))


def test_a_promise_about_another_certificate_is_refused() -> None:
    with pytest.raises(TimestampPromiseInvalid, match="over this certificate"):
        verify(promised(serial=8))


def test_a_promise_about_the_same_certificate_of_another_issuer_is_refused() -> None:
    with pytest.raises(TimestampPromiseInvalid, match="over this certificate"):
        verify(promised(by=OTHER_CA))


@pytest.mark.parametrize(
    "changed",
    [
        replace(promised(), timestamp=NOW + timedelta(milliseconds=1)),
        replace(promised(), extensions=b"x"),
        replace(promised(), signature=b""),
        replace(promised(), signature=promised().signature[:-1]),
    ],
    ids=["time", "extensions", "no signature", "truncated"],
)
def test_a_changed_promise_is_refused(changed: SignedCertificateTimestamp) -> None:
    with pytest.raises(TimestampPromiseInvalid):
        verify(changed)


def test_a_signature_of_another_kind_than_the_logs_key_is_refused() -> None:
    with pytest.raises(TimestampPromiseInvalid, match="another kind"):
        verify(replace(promised(), algorithm=0x0401))


@pytest.mark.parametrize("seconds", [-1, 1])
def test_the_window_of_a_log_includes_its_ends_and_no_more(seconds: int) -> None:
    end = NOW + timedelta(seconds=seconds)
    inside = replace(LOG, start=NOW, end=NOW)
    outside = replace(LOG, end=end) if seconds < 0 else replace(LOG, start=end)
    assert verify(promised(), logs=(inside,)) == NOW
    with pytest.raises(TimestampPromiseInvalid, match="outside of the time"):
        verify(promised(), logs=(outside,))


@pytest.mark.parametrize(
    "raw", [b"\x04\x02\x00\x00", b"\x04\x03\x00\x01\x00", encode_sct_list([promised()])[:-1] + b""]
)
def test_a_list_that_cannot_be_read_is_refused(raw: bytes) -> None:
    with pytest.raises(TimestampPromiseInvalid):
        verify(raw=raw)


def test_other_instances_may_sign_promises_with_rsa() -> None:
    key = generate(Scheme.RSA_2048)
    made = promise(key, issuer_key_hash(issuer()), tbs(), NOW)
    log = TrustedLog("rsa.example.test", key.public_key, bytes.fromhex(key.public_key.fingerprint))
    with pytest.raises(TimestampPromiseInvalid, match="another kind"):
        verify(made, logs=(log,))
    assert verify(replace(made, algorithm=0x0401), logs=(log,)) == NOW
