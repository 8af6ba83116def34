"""Signed certificate timestamps: the promise of a log that it holds a certificate.

In: the DER value of the extension 1.3.6.1.4.1.11129.2.4.2, or a certificate. Out: :class:`SignedCertificateTimestamp`
values, and the exact bytes that a log signs and hashes. Follows RFC 6962: §3.2 (structure, signed bytes), §3.3 (lists
in certificates), §3.4 (Merkle leaves). Only version 1 and only entries for precertificates: what stands inside a
certificate was signed before the certificate was.

A certificate and what was logged differ by the list alone: the to-be-signed part with the list taken out is what the
log saw (§3.2), whichever other extensions there are and in their order.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat import asn1

from chainward.formats.codec import check_size
from chainward.formats.der import OCTETS, SEQUENCE, element
from chainward.formats.errors import Malformed, Unsupported, Unwritable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ECDSA_SHA256",
    "MAX_CERTIFICATE",
    "MAX_SCTS",
    "SCT_LIST",
    "SignedCertificateTimestamp",
    "decode_sct_list",
    "encode_sct_list",
    "merkle_leaf",
    "precert_tbs",
    "precert_tbs_of",
    "sct_extension",
    "scts_in",
    "scts_of",
    "signed_bytes",
]

SCT_LIST: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_SCT_LIST: Final = asn1.encode_der(SCT_LIST)
ECDSA_SHA256: Final = 0x0403  # RFC 5246 §7.4.1.4.1: hash sha256(4), signature ecdsa(3)
MAX_CERTIFICATE: Final = 64 * 1024
MAX_SCTS: Final = 64
_MAX_LIST: Final = 2**16 - 1
_MAX_TBS: Final = 2**24 - 1
_LOG_ID: Final = 32
_VERSION: Final = 0
_HEAD: Final = struct.Struct(">B32sQ")  # version, log id, milliseconds since 1970
_PRECERT_ENTRY: Final = b"\x00\x01"
_CERTIFICATE_TIMESTAMP: Final = b"\x00\x00"  # version v1, signature type certificate_timestamp
_TIMESTAMPED_ENTRY: Final = b"\x00\x00"  # version v1, leaf type timestamped_entry
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MAX_TIMESTAMP: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
_WHAT: Final = "signed certificate timestamp"
_CERTIFICATE: Final = "certificate"


@dataclass(frozen=True, slots=True)
class SignedCertificateTimestamp:
    """One promise. ``log_id`` is the SHA-256 of the log's key (SPKI), ``timestamp`` has whole milliseconds.

    ``algorithm`` is the pair of hash and signature algorithm as TLS 1.2 numbers them.

    Raises:
        Unwritable: a member that the structure cannot carry.
    """

    log_id: bytes
    timestamp: datetime
    extensions: bytes
    signature: bytes
    algorithm: int = ECDSA_SHA256

    def __post_init__(self) -> None:
        if len(self.log_id) != _LOG_ID:
            raise Unwritable(_WHAT, f"a log id has {_LOG_ID} bytes, not {len(self.log_id)}")
        if max(len(self.extensions), len(self.signature)) > _MAX_LIST or not 0 <= self.algorithm <= _MAX_LIST:
            raise Unwritable(_WHAT, "extensions or signature are too long")
        _milliseconds(self.timestamp)


def encode_sct_list(scts: Sequence[SignedCertificateTimestamp]) -> bytes:
    """Return the DER value of the extension :data:`SCT_LIST`; raises Unwritable for none, or too many."""
    if not 1 <= len(scts) <= MAX_SCTS:
        raise Unwritable(_WHAT, f"a list holds 1 to {MAX_SCTS} of them, not {len(scts)}")
    return asn1.encode_der(_vector(b"".join(_vector(_encode(sct), 2) for sct in scts), 2))


def sct_extension(scts: Sequence[SignedCertificateTimestamp]) -> bytes:
    """Return the whole extension in DER that holds ``scts``; raises as :func:`encode_sct_list` does."""
    return element(SEQUENCE, _SCT_LIST, element(OCTETS, encode_sct_list(scts)))


def decode_sct_list(value: bytes) -> tuple[SignedCertificateTimestamp, ...]:
    """Read the DER value of the extension :data:`SCT_LIST`.

    Raises:
        TooLarge: longer than any list can be.
        Unsupported: one of another version than 1.
        Malformed: anything else.
    """
    check_size(value, limit=_MAX_LIST + 8, what=_WHAT)
    try:
        data = asn1.decode_der(bytes, value)
    except ValueError:
        raise Malformed(_WHAT, "the extension is not an OCTET STRING") from None
    outer = _Reader(data)
    listed = _Reader(outer.vector())
    outer.end()
    found: list[SignedCertificateTimestamp] = []
    while not listed.at_end:
        if len(found) == MAX_SCTS:
            raise Malformed(_WHAT, f"a list holds more than {MAX_SCTS}")
        found.append(_decode(listed.vector()))
    if not found:
        raise Malformed(_WHAT, "the list is empty")
    return tuple(found)


def scts_of(certificate_der: bytes) -> tuple[SignedCertificateTimestamp, ...]:
    """Return what is embedded in a certificate, nothing if it has no list; raises as :func:`decode_sct_list` does."""
    return scts_in(_certificate(certificate_der))


def scts_in(certificate: x509.Certificate) -> tuple[SignedCertificateTimestamp, ...]:
    """Return what is embedded in a certificate that was read already; raises as :func:`decode_sct_list` does."""
    try:
        extension = certificate.extensions.get_extension_for_oid(SCT_LIST)
    except x509.ExtensionNotFound:
        return ()
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise Malformed(_CERTIFICATE, "its extensions cannot be read") from None
    return decode_sct_list(extension.value.public_bytes())


def precert_tbs(certificate_der: bytes) -> bytes:
    """Return the to-be-signed part of a certificate without its list: what the log was shown (RFC 6962 §3.2).

    Raises:
        TooLarge: above :data:`MAX_CERTIFICATE` bytes.
        Malformed: not a certificate, or one without a list.
    """
    return precert_tbs_of(_certificate(certificate_der))


def precert_tbs_of(certificate: x509.Certificate) -> bytes:
    """Return the same of a certificate that was read already; raises Malformed for one without a list."""
    try:
        return certificate.tbs_precertificate_bytes
    except ValueError:
        raise Malformed(_CERTIFICATE, "has no list of signed certificate timestamps") from None


def signed_bytes(sct: SignedCertificateTimestamp, issuer_key_hash: bytes, tbs: bytes) -> bytes:
    """Return what the signature of ``sct`` is over; the signature in ``sct`` itself is not looked at.

    ``issuer_key_hash`` is the SHA-256 of the issuer's key (SPKI), ``tbs`` comes from :func:`precert_tbs`.
    """
    return _CERTIFICATE_TIMESTAMP + _timestamped(sct.timestamp, issuer_key_hash, tbs, sct.extensions)


def merkle_leaf(timestamp: datetime, issuer_key_hash: bytes, tbs: bytes, extensions: bytes = b"") -> bytes:
    """Return the entry of a log: the bytes of a MerkleTreeLeaf, whose leaf hash is in the tree."""
    return _TIMESTAMPED_ENTRY + _timestamped(timestamp, issuer_key_hash, tbs, extensions)


def _timestamped(timestamp: datetime, issuer_key_hash: bytes, tbs: bytes, extensions: bytes) -> bytes:
    if len(issuer_key_hash) != _LOG_ID or not 1 <= len(tbs) <= _MAX_TBS:
        raise Unwritable(_WHAT, "the hash of the issuer's key, or the certificate, has an impossible size")
    moment = _milliseconds(timestamp).to_bytes(8, "big")
    return b"".join((moment, _PRECERT_ENTRY, issuer_key_hash, _vector(tbs, 3), _vector(extensions, 2)))


def _encode(sct: SignedCertificateTimestamp) -> bytes:
    moment = _milliseconds(sct.timestamp).to_bytes(8, "big")
    signature = sct.algorithm.to_bytes(2, "big") + _vector(sct.signature, 2)
    return b"".join((bytes((_VERSION,)), sct.log_id, moment, _vector(sct.extensions, 2), signature))


def _decode(data: bytes) -> SignedCertificateTimestamp:
    reader = _Reader(data)
    version, log_id, moment = _HEAD.unpack(reader.take(_HEAD.size))
    if version != _VERSION:
        raise Unsupported(_WHAT, f"version {version + 1} is not read, only version 1")
    if moment > _MAX_TIMESTAMP:
        raise Malformed(_WHAT, "its time is beyond the year 9999")
    extensions = reader.vector()
    algorithm = reader.number(2)
    signature = reader.vector()
    reader.end()
    return SignedCertificateTimestamp(log_id, _EPOCH + moment * _MILLISECOND, extensions, signature, algorithm)


def _milliseconds(instant: datetime) -> int:
    try:
        since = instant - _EPOCH
    except TypeError:
        raise Unwritable(_WHAT, "an instant without a zone has no meaning here") from None
    if since < timedelta() or since % _MILLISECOND:
        raise Unwritable(_WHAT, "a time before 1970, or a part of a millisecond, cannot be written")
    return since // _MILLISECOND


def _vector(data: bytes, width: int) -> bytes:
    """Return ``data`` behind its length (RFC 5246 §4.3)."""
    if len(data) >= 1 << 8 * width:
        raise Unwritable(_WHAT, f"{len(data)} bytes are too many")
    return len(data).to_bytes(width, "big") + data


def _certificate(der: bytes) -> x509.Certificate:
    check_size(der, limit=MAX_CERTIFICATE, what=_CERTIFICATE)
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        raise Malformed(_CERTIFICATE, "is not one in DER") from None


class _Reader:
    """Takes the members of a structure off its front, and refuses when there is too little or too much."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise Malformed(_WHAT, "ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self) -> bytes:
        return self.take(self.number(2))

    def end(self) -> None:
        if not self.at_end:
            raise Malformed(_WHAT, "has bytes behind its end")
