"""Timestamp tokens and the replies that carry them (RFC 3161 §2.4.2, RFC 5816), ours and those of any other authority.

In: a reply of at most 64 KiB, in DER. Out: a :class:`TimestampToken`: what it says, who says so, and the bytes that
were signed. What a token says about itself is checked here (one signer, its attributes, the digest of its content);
whether to believe it is :mod:`chainward.trust.stamped`. The other way, a :class:`TokenWriter` puts replies together.

Tolerated in tokens of others: certificates in any order or none, ESSCertID of both versions, RSA signatures, fractions
of a second. Not tolerated: BER, unsigned attributes in place of signed ones, more than one signer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat import asn1

from chainward.formats import cms
from chainward.formats.codec import check_size
from chainward.formats.der import CONTEXT_0, GENERALIZED_TIME, OCTETS, SEQUENCE, SET, UTC_TIME, element, integer
from chainward.formats.errors import Malformed, TimestampRejected, Unsupported
from chainward.formats.timestamp_info import TST_INFO, Accuracy, TimestampInfo, decode_info, digits_of, encode_info
from chainward.formats.timestamp_request import (
    MAX_REQUEST,
    Failure,
    TimestampRequest,
    decode_request,
    decode_request_json,
    encode_rejection,
    encode_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

__all__ = [
    "MAX_REQUEST",
    "MAX_RESPONSE",
    "Accuracy",
    "CertificateId",
    "Failure",
    "TimestampInfo",
    "TimestampRequest",
    "TimestampToken",
    "TokenWriter",
    "decode_request",
    "decode_request_json",
    "decode_response",
    "decode_token",
    "encode_rejection",
    "encode_request",
    "issuer_of",
]

MAX_RESPONSE: Final = 64 * 1024
_WHAT: Final = "timestamp response"
_GRANTED: Final = frozenset({0, 1})
_SIGNED_DATA_VERSION: Final = 3
_SIGNER_VERSION: Final = 1
_MAX_CERTIFICATES: Final = 16
_USUAL_ID: Final = 1024
_CERTIFICATE_TAG: Final = b"\x30"
_DIRECTORY_NAME: Final = b"\xa4"
_UTC_YEARS: Final = (1950, 2050)
_GRANT: Final = element(SEQUENCE, integer(0))
_TST_INFO: Final = asn1.encode_der(TST_INFO)
_SIGNED_DATA: Final = asn1.encode_der(cms.SIGNED_DATA)
_CONTENT_TYPE: Final = asn1.encode_der(cms.ATTRIBUTE_CONTENT_TYPE)
_MESSAGE_DIGEST: Final = asn1.encode_der(cms.ATTRIBUTE_MESSAGE_DIGEST)
_SIGNING_TIME: Final = asn1.encode_der(cms.ATTRIBUTE_SIGNING_TIME)
_SIGNING_CERTIFICATE: Final = asn1.encode_der(cms.ATTRIBUTE_SIGNING_CERTIFICATE_V2)


@dataclass(frozen=True, slots=True)
class CertificateId:
    """Which certificate the signer says is his: its hash, and perhaps its issuer (a Name in DER) and serial number.

    ``hash_name`` may be sha1: the first version of the attribute knows no other.
    """

    hash_name: str
    digest: bytes
    issuer: bytes | None = None
    serial: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampToken(TimestampInfo):
    """A token as it was read: consistent in itself, and not verified.

    ``signed_attributes`` are the bytes that ``signature`` is over. ``signature_family`` is ``ecdsa`` or ``rsa``;
    ``signature_hash`` and ``hash_name`` need not be the same. ``certificates`` are whatever came along, in DER.
    """

    signed_attributes: bytes
    signature: bytes
    signature_family: str
    signature_hash: str
    signer_issuer: bytes
    signer_serial: int
    certificate_id: CertificateId
    certificates: tuple[bytes, ...] = ()


@asn1.sequence
class _Status:
    status: int
    texts: list[str] | None = None
    failure: asn1.BitString | None = None


@asn1.sequence
class _Response:
    status: _Status
    token: cms.ContentInfo | None = None


def decode_response(der: bytes) -> TimestampToken:
    """Read the reply of an authority.

    Raises:
        TooLarge: more than 64 KiB.
        TimestampRejected: the authority said no.
        Malformed: not a reply in DER, or a token that contradicts itself.
        Unsupported: a token with algorithms or a version that are not read here.
    """
    check_size(der, limit=MAX_RESPONSE, what=_WHAT)
    try:
        found = asn1.decode_der(_Response, der)
    except ValueError as error:
        raise Malformed(_WHAT, f"not a timestamp response in DER: {error}") from None
    if found.status.status not in _GRANTED:
        raise _rejected(found.status)
    if found.token is None:
        raise Malformed(_WHAT, "the authority granted a token and sent none")
    return _token(found.token)


def decode_token(der: bytes) -> TimestampToken:
    """Read a token without the reply around it; raises as :func:`decode_response` does, but for a rejection."""
    check_size(der, limit=MAX_RESPONSE, what=_WHAT)
    try:
        found = asn1.decode_der(cms.ContentInfo, der)
    except ValueError as error:
        raise Malformed(_WHAT, f"not a timestamp token in DER: {error}") from None
    return _token(found)


def issuer_of(certificate: bytes) -> bytes:
    """Return the issuer's Name in the very bytes of a certificate; raises Malformed."""
    return cms.raw(_names(certificate).issuer)


class TokenWriter:
    """Puts the replies of one authority together; what stands in all of them is encoded once. Thread-safe.

    In: the authority's certificates in DER, leaf first, and the hash that its ECDSA key signs.

    Raises:
        Malformed: the leaf is not a certificate.
    """

    def __init__(self, certificates: Sequence[bytes], hash_name: str) -> None:
        leaf = certificates[0]
        names = _names(leaf)
        digest = asn1.encode_der(cms.AlgorithmIdentifier(algorithm=cms.HASH_OIDS[hash_name], parameters=asn1.Null()))
        signature = asn1.encode_der(cms.AlgorithmIdentifier(algorithm=cms.SIGNATURE_OIDS[hash_name]))
        signer = element(SEQUENCE, cms.raw(names.issuer), integer(names.serial))
        self._hash_name = hash_name
        self._signer = integer(_SIGNER_VERSION) + signer + digest
        self._signature_algorithm = signature
        self._data = integer(_SIGNED_DATA_VERSION) + element(SET, digest)
        # DER (X.690 §11.6) wants a SET OF in the order of its encodings; some clients insist.
        self._certificates = element(CONTEXT_0, *sorted(certificates))
        size = hashlib.new(hash_name).digest_size
        self._digest_attribute = _attribute(_MESSAGE_DIGEST, element(OCTETS, bytes(size)))[:-size]
        self._fixed = (
            _attribute(_CONTENT_TYPE, _TST_INFO),
            _attribute(_SIGNING_CERTIFICATE, _signing_certificate(leaf, names)),
        )

    def encode_response(self, info: TimestampInfo, sign: Callable[[bytes], bytes], *, certificates: bool) -> bytes:
        """Return the reply that says ``info``; ``sign`` signs bytes with the leaf's key, and its errors come through.

        Raises:
            Unwritable: an unknown hash, or a digest of another length.
        """
        content = encode_info(info)
        signed = self._attributes(content, info.gen_time)
        signer = element(
            SEQUENCE,
            self._signer,
            cms.as_attributes(signed),
            self._signature_algorithm,
            element(OCTETS, sign(signed)),
        )
        data = element(
            SEQUENCE,
            self._data,
            element(SEQUENCE, _TST_INFO, element(CONTEXT_0, element(OCTETS, content))),
            self._certificates if certificates else b"",
            element(SET, signer),
        )
        return element(SEQUENCE, _GRANT, element(SEQUENCE, _SIGNED_DATA, element(CONTEXT_0, data)))

    def _attributes(self, content: bytes, gen_time: datetime) -> bytes:
        digest = hashlib.new(self._hash_name, content).digest()
        attributes = (
            *self._fixed,
            _signing_time(gen_time),
            self._digest_attribute + digest,
        )
        return element(SET, *sorted(attributes))


def _attribute(oid: bytes, value: bytes) -> bytes:
    return element(SEQUENCE, oid, element(SET, value))


@lru_cache(maxsize=16)  # within a second it is always the same
def _signing_time(instant: datetime) -> bytes:
    """Return the attribute with the Time of RFC 5652 §11.3: UTCTime while two digits of a year are enough."""
    digits = digits_of(instant.replace(microsecond=0))
    if _UTC_YEARS[0] <= instant.year < _UTC_YEARS[1]:
        return _attribute(_SIGNING_TIME, element(UTC_TIME, digits[2:], b"Z"))
    return _attribute(_SIGNING_TIME, element(GENERALIZED_TIME, digits, b"Z"))


def _names(certificate: bytes) -> cms.TbsCertificate:
    try:
        return asn1.decode_der(cms.TbsCertificate, x509.load_der_x509_certificate(certificate).tbs_certificate_bytes)
    except (ValueError, x509.InvalidVersion) as error:
        raise Malformed("certificate", f"not a certificate in DER: {error}") from None


def _signing_certificate(leaf: bytes, names: cms.TbsCertificate) -> bytes:
    name = asn1.decode_der(asn1.TLV, cms.directory_name(cms.raw(names.issuer)))
    identifier = cms.CertificateIdV2(
        hash=hashlib.sha256(leaf).digest(), issuer_serial=cms.IssuerSerial(issuer=[name], serial=names.serial)
    )
    return asn1.encode_der(cms.SigningCertificateV2(certificates=[identifier]))


def _rejected(status: _Status) -> TimestampRejected:
    failures = [] if status.failure is None else _failures(status.failure)
    text = "; ".join(status.texts or ())[:200]
    return TimestampRejected(
        f"the timestamp authority said no (status {status.status % 1000}): {text or 'without a reason'}",
        details={"failInfo": failures},
    )


def _failures(bits: asn1.BitString) -> list[int]:
    data = bits.as_bytes()[:8]
    return [number for number in range(len(data) * 8) if data[number // 8] & (0x80 >> number % 8)]


def _token(found: cms.ContentInfo) -> TimestampToken:
    signers = found.content.signers.as_list()
    if found.type != cms.SIGNED_DATA or len(signers) != 1 or found.content.content.type != TST_INFO:
        raise Malformed(_WHAT, "the token does not hold one timestamp by one signer")
    try:
        return _read(found.content, signers[0])
    except ValueError as error:
        raise Malformed(_WHAT, f"the token is not as RFC 3161 demands: {error}") from None


def _read(data: cms.SignedData, signer: cms.SignerInfo) -> TimestampToken:
    hash_name = _hash_of(signer.digest_algorithm)
    signed = cms.signed_form(signer.attributes)
    attributes = cms.attributes_in(signed)
    _check_content(attributes, data.content.content, hash_name)
    family, signature_hash = _signature_of(signer.signature_algorithm)
    if signature_hash not in {"", hash_name}:
        raise Malformed(_WHAT, "the signer names two hashes")
    info = decode_info(data.content.content)
    return TimestampToken(
        hash_name=info.hash_name,
        digest=info.digest,
        gen_time=info.gen_time,
        serial=info.serial,
        policy=info.policy,
        nonce=info.nonce,
        accuracy=info.accuracy,
        signed_attributes=signed,
        signature=signer.signature,
        signature_family=family,
        signature_hash=hash_name,
        signer_issuer=cms.raw(signer.signer.issuer),
        signer_serial=signer.signer.serial,
        certificate_id=_certificate_id(attributes),
        certificates=_certificates(data.certificates or ()),
    )


def _check_content(attributes: dict[x509.ObjectIdentifier, asn1.TLV], content: bytes, hash_name: str) -> None:
    content_type = attributes.get(cms.ATTRIBUTE_CONTENT_TYPE)
    digest = attributes.get(cms.ATTRIBUTE_MESSAGE_DIGEST)
    if content_type is None or digest is None:
        raise Malformed(_WHAT, "the signed attributes do not say what was signed")
    if cms.raw(content_type) != _TST_INFO:
        raise Malformed(_WHAT, "the signer signed something that is no timestamp")
    if digest.parse(bytes) != hashlib.new(hash_name, content).digest():
        raise Malformed(_WHAT, "the signed digest is not that of the timestamp")


def _certificate_id(attributes: dict[x509.ObjectIdentifier, asn1.TLV]) -> CertificateId:
    """Return how the signer names his certificate: the first one in the list (RFC 5035 §4)."""
    second = attributes.get(cms.ATTRIBUTE_SIGNING_CERTIFICATE_V2)
    if second is not None:
        encoded = cms.raw(second)
        newer = _newer_id(encoded) if len(encoded) <= _USUAL_ID else _newer_id.__wrapped__(encoded)
        if newer is not None:
            return newer
    first = attributes.get(cms.ATTRIBUTE_SIGNING_CERTIFICATE)
    if first is not None:
        older = first.parse(cms.SigningCertificate).certificates
        if older:
            return CertificateId("sha1", older[0].hash, *_issuer_serial(older[0].issuer_serial))
    raise Malformed(_WHAT, "the signed attributes do not name the signer's certificate")


@lru_cache(maxsize=64)  # an authority says the same in all of its tokens
def _newer_id(encoded: bytes) -> CertificateId | None:
    """Return the first identifier in an attribute of the second version; nothing if it is empty."""
    found = asn1.decode_der(cms.SigningCertificateV2, encoded).certificates
    if not found:
        return None
    name = "sha256" if found[0].algorithm is None else _hash_of(found[0].algorithm)
    return CertificateId(name, found[0].hash, *_issuer_serial(found[0].issuer_serial))


def _issuer_serial(found: cms.IssuerSerial | None) -> tuple[bytes | None, int | None]:
    if found is None:
        return None, None
    if len(found.issuer) != 1 or found.issuer[0].tag_bytes != _DIRECTORY_NAME:
        raise Malformed(_WHAT, "the issuer of the signer's certificate is not one directory name")
    return bytes(found.issuer[0].data), found.serial


def _certificates(found: Sequence[asn1.TLV]) -> tuple[bytes, ...]:
    if len(found) > _MAX_CERTIFICATES:
        raise Malformed(_WHAT, f"{len(found)} certificates are too many")
    return tuple(cms.raw(each) for each in found if each.tag_bytes == _CERTIFICATE_TAG)


def _hash_of(identifier: cms.AlgorithmIdentifier) -> str:
    name = cms.HASHES.get(identifier.algorithm)
    if name is None:
        raise Unsupported(_WHAT, f"hash {identifier.algorithm.dotted_string} is not used here")
    return name


def _signature_of(identifier: cms.AlgorithmIdentifier) -> tuple[str, str]:
    found = cms.SIGNATURES.get(identifier.algorithm)
    if found is None:
        raise Unsupported(_WHAT, f"signature algorithm {identifier.algorithm.dotted_string} is not used here")
    return found
