"""Leaves of a certificate log: what was logged can be read as the certificate that it became."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from chainward.formats.certificate_leaf import MAX_LEAF, decode_certificate_leaf
from chainward.formats.errors import Malformed, TooLarge, Unsupported
from chainward.formats.sct import merkle_leaf
from chainward.kernel.problem import Problem

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = ec.derive_private_key(12345, ec.SECP256R1())


def certificate(serial: int = 77, names: int = 1) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "someone")])
    people = x509.SubjectAlternativeName([x509.RFC822Name(f"dev{number}@example.org") for number in range(names)])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), serial, NOON, NOON + timedelta(minutes=10))
    return builder.add_extension(people, critical=True).sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def leaf(der: bytes, extensions: bytes = b"") -> bytes:
    return merkle_leaf(
        NOON, hashlib.sha256(b"issuer").digest(), x509.load_der_x509_certificate(der).tbs_certificate_bytes, extensions
    )


@given(st.integers(1, 2**150), st.integers(0, 20), st.binary(max_size=40))
@settings(max_examples=30)
def test_a_precertificate_reads_like_the_certificate_that_it_became(serial: int, names: int, extensions: bytes) -> None:
    der = certificate(serial, names) if names else certificate(serial)
    read = decode_certificate_leaf(leaf(der, extensions))
    assert (read.timestamp, read.is_precertificate) == (NOON, True)
    shown, real = (x509.load_der_x509_certificate(each) for each in (read.certificate_der, der))
    assert shown.serial_number == real.serial_number == serial
    assert list(shown.extensions) == list(real.extensions)
    assert shown.public_key() == real.public_key()
    assert shown.signature == b""


def test_an_entry_of_a_whole_certificate_is_that_certificate() -> None:
    der = certificate()
    moment = (0).to_bytes(8, "big")
    entry = b"\x00\x00" + moment + b"\x00\x00" + len(der).to_bytes(3, "big") + der + b"\x00\x00"
    read = decode_certificate_leaf(entry)
    assert (read.certificate_der, read.is_precertificate) == (der, False)


@given(st.data())
@settings(max_examples=200)
def test_a_damaged_leaf_is_a_problem_or_still_a_leaf_and_never_anything_else(data: st.DataObject) -> None:
    entry = bytearray(leaf(certificate()))
    for _ in range(data.draw(st.integers(1, 4))):
        entry[data.draw(st.integers(0, len(entry) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(entry[: data.draw(st.integers(0, len(entry)))])
    for damaged in (bytes(entry), cut):
        try:
            decode_certificate_leaf(damaged)
        except Problem:
            continue


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (b"", Unsupported),
        (b"{}", Unsupported),
        (b"\x01\x00" + bytes(50), Unsupported),
        (b"\x00\x01" + bytes(50), Unsupported),
        (b"\x00\x00" + bytes(8) + b"\x00\x02" + bytes(50), Unsupported),
        (b"\x00\x00" + bytes(5), Malformed),
        (b"\x00\x00" + b"\xff" * 8 + bytes(50), Malformed),
        (leaf(certificate()) + b"x", Malformed),
        (leaf(certificate())[:-1], Malformed),
        (merkle_leaf(NOON, bytes(32), b"\x30\x00x"), Malformed),
        (merkle_leaf(NOON, bytes(32), b"\x31\x00"), Malformed),
        (merkle_leaf(NOON, bytes(32), b"\x30\x85" + b"\xff" * 5), Malformed),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"{len(value)} bytes {value[:2].hex()}",
)
def test_what_is_no_leaf_is_refused(entry: bytes, problem: type[Problem]) -> None:
    with pytest.raises(problem):
        decode_certificate_leaf(entry)


def test_a_leaf_has_a_limit() -> None:
    with pytest.raises(TooLarge):
        decode_certificate_leaf(b"\x00" * (MAX_LEAF + 1))
