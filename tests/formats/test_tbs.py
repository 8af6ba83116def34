"""The to-be-signed part of a certificate, against what the library itself builds and reads."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from chainward.formats.errors import Malformed
from chainward.formats.sct import SCT_LIST, SignedCertificateTimestamp, encode_sct_list, precert_tbs, sct_extension
from chainward.formats.tbs import certificate_of, with_extension

KEY = ec.derive_private_key(7, ec.SECP256R1())
NOW = datetime(2026, 11, 23, tzinfo=UTC)
SCT = SignedCertificateTimestamp(bytes(32), NOW, b"", b"signature")
SCTS = x509.UnrecognizedExtension(SCT_LIST, encode_sct_list([SCT]))


def certificate(*extensions: x509.ExtensionType) -> x509.Certificate:
    builder = x509.CertificateBuilder(x509.Name([]), x509.Name([]), KEY.public_key(), 99, NOW, NOW)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, SHA256())


def note(size: int) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.9"), bytes(size))


@given(st.integers(0, 70_000))
def test_an_extension_put_in_behind_is_where_the_library_would_have_put_it(size: int) -> None:
    before, after = certificate(note(size)), certificate(note(size), SCTS)
    assert with_extension(before.tbs_certificate_bytes, sct_extension([SCT])) == after.tbs_certificate_bytes


def test_what_was_put_in_can_be_taken_out_again_and_leaves_what_the_log_saw() -> None:
    tbs = certificate(note(300)).tbs_certificate_bytes
    assert precert_tbs(certificate_of(with_extension(tbs, sct_extension([SCT])), b"signature")) == tbs


def test_a_certificate_put_together_from_its_parts_is_the_certificate() -> None:
    whole = certificate(note(5))
    assert certificate_of(whole.tbs_certificate_bytes, whole.signature) == whole.public_bytes(Encoding.DER)


def test_a_part_without_extensions_takes_none() -> None:
    with pytest.raises(Malformed, match="no extensions"):
        with_extension(certificate().tbs_certificate_bytes, b"")


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x80", b"\x30\x00\x00", b"\x31\x00", b"\x30\x84\x00\x00\x00\x00"])
def test_bytes_that_are_no_such_part_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        with_extension(data, b"")
    with pytest.raises(Malformed):
        certificate_of(data, b"signature")


@given(st.integers(0, 400))
def test_a_part_that_ends_too_early_is_refused(size: int) -> None:
    tbs = certificate(note(300)).tbs_certificate_bytes
    with pytest.raises(Malformed):
        with_extension(tbs[:size], b"")


def test_a_part_that_goes_on_behind_its_extensions_is_refused() -> None:
    tbs = certificate(note(1)).tbs_certificate_bytes
    assert tbs[:1] == b"\x30"
    assert tbs[1] == 0x81
    longer = tbs[:2] + bytes((tbs[2] + 2,)) + tbs[3:] + b"\x05\x00"
    with pytest.raises(Malformed, match="goes on"):
        with_extension(longer, b"")
