"""Signed certificate timestamps, against cryptography's own reading and RFC 6962."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.certificate_transparency import LogEntryType, Version
from hypothesis import given
from hypothesis import strategies as st

from chainward.formats.errors import Malformed, TooLarge, Unsupported, Unwritable
from chainward.formats.sct import (
    ECDSA_SHA256,
    MAX_CERTIFICATE,
    MAX_SCTS,
    SCT_LIST,
    SignedCertificateTimestamp,
    decode_sct_list,
    encode_sct_list,
    merkle_leaf,
    precert_tbs,
    scts_of,
    signed_bytes,
)

NOON = datetime(2026, 11, 23, 12, 0, 0, 289_000, tzinfo=UTC)
LOG = hashlib.sha256(b"log").digest()
ISSUER = hashlib.sha256(b"issuer").digest()
ONE = SignedCertificateTimestamp(LOG, NOON, b"", b"signature")
MILLISECONDS = st.integers(min_value=0, max_value=253_402_300_799_999)


def moments() -> st.SearchStrategy[datetime]:
    return MILLISECONDS.map(lambda count: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=count))


def scts() -> st.SearchStrategy[SignedCertificateTimestamp]:
    number = st.integers(min_value=0, max_value=0xFFFF)
    small = st.binary(max_size=80)
    return st.builds(SignedCertificateTimestamp, st.binary(min_size=32, max_size=32), moments(), small, small, number)


def certificate(*lists: bytes, order: int = 1) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOON.replace(microsecond=0))
        .not_valid_after(NOON.replace(microsecond=0) + timedelta(minutes=10))
    )
    other = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.9"), b"\x05\x00")
    extensions: list[x509.ExtensionType] = [other]
    for value in lists:
        extensions.insert(order, x509.UnrecognizedExtension(SCT_LIST, value))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


@given(st.lists(scts(), min_size=1, max_size=5))
def test_a_list_reads_back_as_it_was_written(listed: list[SignedCertificateTimestamp]) -> None:
    assert decode_sct_list(encode_sct_list(listed)) == tuple(listed)


@given(scts(), st.data())
def test_no_truncation_or_extension_of_a_list_is_read(sct: SignedCertificateTimestamp, data: st.DataObject) -> None:
    inner = asn1.decode_der(bytes, encode_sct_list([sct]))
    cut = data.draw(st.integers(min_value=0, max_value=len(inner) - 1))
    with pytest.raises(Malformed):
        decode_sct_list(asn1.encode_der(inner[:cut]))
    with pytest.raises(Malformed):
        decode_sct_list(asn1.encode_der(inner + b"\x00"))


def test_every_truncation_of_the_der_is_refused() -> None:
    whole = encode_sct_list([ONE, ONE])
    for cut in range(len(whole)):
        with pytest.raises(Malformed):
            decode_sct_list(whole[:cut])


def test_bytes_behind_a_timestamp_within_its_length_are_refused() -> None:
    item = asn1.decode_der(bytes, encode_sct_list([ONE]))[4:] + b"\x00"
    listed = len(item).to_bytes(2, "big") + item
    with pytest.raises(Malformed, match="behind its end"):
        decode_sct_list(asn1.encode_der(len(listed).to_bytes(2, "big") + listed))


def test_another_version_is_refused_by_name() -> None:
    inner = bytearray(asn1.decode_der(bytes, encode_sct_list([ONE])))
    inner[4] = 1
    with pytest.raises(Unsupported, match="version 2"):
        decode_sct_list(asn1.encode_der(bytes(inner)))


def test_a_time_beyond_the_calendar_is_refused() -> None:
    inner = bytearray(asn1.decode_der(bytes, encode_sct_list([ONE])))
    inner[37:45] = b"\xff" * 8
    with pytest.raises(Malformed, match="9999"):
        decode_sct_list(asn1.encode_der(bytes(inner)))


def test_an_empty_or_endless_list_is_neither_written_nor_read() -> None:
    for listed in ([], [ONE] * (MAX_SCTS + 1)):
        with pytest.raises(Unwritable):
            encode_sct_list(listed)
    with pytest.raises(Malformed, match="empty"):
        decode_sct_list(asn1.encode_der(b"\x00\x00"))
    item = asn1.decode_der(bytes, encode_sct_list([ONE]))[2:] * (MAX_SCTS + 1)
    with pytest.raises(Malformed, match="more than"):
        decode_sct_list(asn1.encode_der(len(item).to_bytes(2, "big") + item))


def test_an_oversized_list_is_not_even_looked_at() -> None:
    with pytest.raises(TooLarge):
        decode_sct_list(bytes(2**16 + 8))


@pytest.mark.parametrize(
    ("log_id", "timestamp", "extensions", "signature", "algorithm"),
    [
        (b"short", NOON, b"", b"s", ECDSA_SHA256),
        (LOG, NOON.replace(tzinfo=None), b"", b"s", ECDSA_SHA256),
        (LOG, NOON.replace(microsecond=1), b"", b"s", ECDSA_SHA256),
        (LOG, datetime(1969, 12, 31, tzinfo=UTC), b"", b"s", ECDSA_SHA256),
        (LOG, NOON, bytes(2**16), b"s", ECDSA_SHA256),
        (LOG, NOON, b"", bytes(2**16), ECDSA_SHA256),
        (LOG, NOON, b"", b"s", 2**16),
    ],
)
def test_what_the_structure_cannot_carry_is_not_a_timestamp(
    log_id: bytes, timestamp: datetime, extensions: bytes, signature: bytes, algorithm: int
) -> None:
    with pytest.raises(Unwritable):
        SignedCertificateTimestamp(log_id, timestamp, extensions, signature, algorithm)


def test_cryptography_reads_the_same_from_a_certificate() -> None:
    der = certificate(encode_sct_list([ONE]))
    value = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(
        x509.PrecertificateSignedCertificateTimestamps
    )
    [theirs] = value.value
    assert (theirs.version, theirs.entry_type) == (Version.v1, LogEntryType.PRE_CERTIFICATE)
    assert (theirs.log_id, theirs.timestamp, theirs.signature) == (LOG, NOON.replace(tzinfo=None), b"signature")
    assert theirs.extension_bytes == b""
    assert scts_of(der) == (ONE,)


def test_a_certificate_without_a_list_has_no_timestamps_and_no_precertificate() -> None:
    der = certificate()
    assert scts_of(der) == ()
    with pytest.raises(Malformed, match="no list"):
        precert_tbs(der)


@pytest.mark.parametrize("value", [b"\x04\x01\x00", b"\x05\x00"])
def test_a_certificate_with_a_broken_list_is_refused(value: bytes) -> None:
    with pytest.raises(Malformed):
        scts_of(certificate(value))


def test_a_certificate_with_two_lists_is_refused() -> None:
    neighbour = bytes.fromhex("060a2b06010401d679020409")
    twice = certificate(encode_sct_list([ONE])).replace(neighbour, neighbour[:-1] + b"\x02")
    with pytest.raises(Malformed, match="extensions"):
        scts_of(twice)


@pytest.mark.parametrize("order", [0, 1])
def test_the_precertificate_is_the_certificate_without_its_list_wherever_that_stands(order: int) -> None:
    der = certificate(encode_sct_list([ONE]), order=order)
    tbs = precert_tbs(der)
    parsed = x509.load_der_x509_certificate(der)
    assert tbs == parsed.tbs_precertificate_bytes
    assert SCT_LIST.dotted_string not in str(tbs)
    assert encode_sct_list([ONE]) in parsed.tbs_certificate_bytes
    assert encode_sct_list([ONE]) not in tbs


@pytest.mark.parametrize("data", [b"", b"0", b"\x30\x03\x02\x01\x00"])
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    for read in (scts_of, precert_tbs):
        with pytest.raises(Malformed):
            read(data)


def test_an_oversized_certificate_is_not_even_looked_at() -> None:
    for read in (scts_of, precert_tbs):
        with pytest.raises(TooLarge):
            read(bytes(MAX_CERTIFICATE + 1))


def test_the_signed_bytes_are_those_of_the_specification() -> None:
    sct = SignedCertificateTimestamp(LOG, NOON, b"xy", b"ignored")
    moment = int(NOON.timestamp() * 1000).to_bytes(8, "big")
    entry = b"\x00\x01" + ISSUER + b"\x00\x00\x03tbs" + b"\x00\x02xy"
    assert signed_bytes(sct, ISSUER, b"tbs") == b"\x00\x00" + moment + entry
    assert merkle_leaf(NOON, ISSUER, b"tbs", b"xy") == b"\x00\x00" + moment + entry


def test_the_zone_of_a_time_changes_nothing() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    assert merkle_leaf(elsewhere, ISSUER, b"tbs") == merkle_leaf(NOON, ISSUER, b"tbs")


@pytest.mark.parametrize(("issuer", "tbs"), [(b"short", b"tbs"), (ISSUER, b"")])
def test_an_entry_without_issuer_or_certificate_is_not_written(issuer: bytes, tbs: bytes) -> None:
    with pytest.raises(Unwritable):
        merkle_leaf(NOON, issuer, tbs)
