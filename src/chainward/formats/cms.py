"""Signed messages of the Cryptographic Message Syntax (RFC 5652), as far as timestamp tokens need them.

The shapes are those of RFC 5652 §5 with the one kind of signer that timestamps have (issuer and serial number), read
and written in DER by ``cryptography``. What is signed is the set of signed attributes with the tag of a SET OF in place
of the tag that it has in the message (§5.4): here it is kept in that form and given its other tag on the way out.

Signing certificates are named by ESSCertID (RFC 2634 §5.4, always SHA-1) or ESSCertIDv2 (RFC 5035 §4). SHA-1 there is
no signature: it only tells which of the trusted certificates is meant.
"""

from __future__ import annotations

from typing import Annotated, Final

from cryptography import x509
from cryptography.hazmat import asn1

from chainward.formats.der import CONTEXT_0, SEQUENCE, SET, element

__all__ = [
    "ATTRIBUTE_CONTENT_TYPE",
    "ATTRIBUTE_MESSAGE_DIGEST",
    "ATTRIBUTE_SIGNING_CERTIFICATE",
    "ATTRIBUTE_SIGNING_CERTIFICATE_V2",
    "ATTRIBUTE_SIGNING_TIME",
    "HASHES",
    "HASH_OIDS",
    "SIGNATURES",
    "SIGNATURE_OIDS",
    "SIGNED_DATA",
    "AlgorithmIdentifier",
    "Attribute",
    "ContentInfo",
    "EncapsulatedContent",
    "IssuerAndSerial",
    "SignedData",
    "SignerInfo",
    "SigningCertificate",
    "SigningCertificateV2",
    "TbsCertificate",
    "as_attributes",
    "attributes_in",
    "directory_name",
    "raw",
    "signed_form",
]

_Oid = x509.ObjectIdentifier

SIGNED_DATA: Final = _Oid("1.2.840.113549.1.7.2")
ATTRIBUTE_CONTENT_TYPE: Final = _Oid("1.2.840.113549.1.9.3")
ATTRIBUTE_MESSAGE_DIGEST: Final = _Oid("1.2.840.113549.1.9.4")
ATTRIBUTE_SIGNING_TIME: Final = _Oid("1.2.840.113549.1.9.5")
ATTRIBUTE_SIGNING_CERTIFICATE: Final = _Oid("1.2.840.113549.1.9.16.2.12")
ATTRIBUTE_SIGNING_CERTIFICATE_V2: Final = _Oid("1.2.840.113549.1.9.16.2.47")

HASH_OIDS: Final = {
    "sha256": _Oid("2.16.840.1.101.3.4.2.1"),
    "sha384": _Oid("2.16.840.1.101.3.4.2.2"),
    "sha512": _Oid("2.16.840.1.101.3.4.2.3"),
}
HASHES: Final = {oid: name for name, oid in HASH_OIDS.items()}

SIGNATURE_OIDS: Final = {
    "sha256": _Oid("1.2.840.10045.4.3.2"),
    "sha384": _Oid("1.2.840.10045.4.3.3"),
    "sha512": _Oid("1.2.840.10045.4.3.4"),
}
"""ECDSA with a hash (RFC 5758 §3.2)."""
SIGNATURES: Final = {
    **{oid: ("ecdsa", name) for name, oid in SIGNATURE_OIDS.items()},
    _Oid("1.2.840.113549.1.1.1"): ("rsa", ""),  # RFC 3370 §3.2: the hash is the one of the signer's digest algorithm
    _Oid("1.2.840.113549.1.1.11"): ("rsa", "sha256"),
    _Oid("1.2.840.113549.1.1.12"): ("rsa", "sha384"),
    _Oid("1.2.840.113549.1.1.13"): ("rsa", "sha512"),
}
"""Which family of keys, and which hash, a signature algorithm stands for."""


@asn1.sequence
class AlgorithmIdentifier:
    """RFC 5280 §4.1.1.2; of the parameters only NULL is known."""

    algorithm: x509.ObjectIdentifier
    parameters: asn1.Null | None = None


@asn1.sequence
class EncapsulatedContent:
    """RFC 5652 §5.2, with the content inside."""

    type: x509.ObjectIdentifier
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class IssuerAndSerial:
    """RFC 5652 §10.2.4."""

    issuer: asn1.TLV
    serial: int


@asn1.sequence
class SignerInfo:
    """RFC 5652 §5.3; ``attributes`` are the signed ones under their tag [0], which must be there."""

    version: int
    signer: IssuerAndSerial
    digest_algorithm: AlgorithmIdentifier
    attributes: asn1.TLV
    signature_algorithm: AlgorithmIdentifier
    signature: bytes
    unsigned: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)] = None


@asn1.sequence
class SignedData:
    """RFC 5652 §5.1. Certificates are read in any order, as not every authority sorts them; they are not signed."""

    version: int
    digest_algorithms: asn1.SetOf[AlgorithmIdentifier]
    content: EncapsulatedContent
    certificates: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)] = None
    revocations: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)] = None
    signers: asn1.SetOf[SignerInfo]


@asn1.sequence
class ContentInfo:
    """RFC 5652 §3, with signed data inside."""

    type: x509.ObjectIdentifier
    content: Annotated[SignedData, asn1.Explicit(0)]


@asn1.sequence
class Attribute:
    """RFC 5652 §5.3."""

    type: x509.ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _Attributes:
    attributes: asn1.SetOf[Attribute]


@asn1.sequence
class IssuerSerial:
    """RFC 5035 §4: names in the form of GeneralNames, and a serial number."""

    issuer: list[asn1.TLV]
    serial: int


@asn1.sequence
class CertificateId:
    """ESSCertID."""

    hash: bytes
    issuer_serial: IssuerSerial | None = None


@asn1.sequence
class CertificateIdV2:
    """ESSCertIDv2; the hash is SHA-256 unless it says otherwise."""

    algorithm: AlgorithmIdentifier | None = None
    hash: bytes
    issuer_serial: IssuerSerial | None = None


@asn1.sequence
class SigningCertificate:
    """The value of the attribute with the object identifier …16.2.12."""

    certificates: list[CertificateId]
    policies: list[asn1.TLV] | None = None


@asn1.sequence
class SigningCertificateV2:
    """The value of the attribute with the object identifier …16.2.47."""

    certificates: list[CertificateIdV2]
    policies: list[asn1.TLV] | None = None


@asn1.sequence
class TbsCertificate:
    """RFC 5280 §4.1, as far as it takes to see the names in the very bytes of the certificate."""

    version: Annotated[int | None, asn1.Explicit(0)] = None
    serial: int
    signature: AlgorithmIdentifier
    issuer: asn1.TLV
    validity: asn1.TLV
    subject: asn1.TLV
    key: asn1.TLV
    issuer_id: Annotated[asn1.BitString | None, asn1.Implicit(1)] = None
    subject_id: Annotated[asn1.BitString | None, asn1.Implicit(2)] = None
    extensions: Annotated[list[asn1.TLV] | None, asn1.Explicit(3)] = None


def raw(value: asn1.TLV) -> bytes:
    """Return the whole element that ``value`` was decoded from."""
    return asn1.encode_der(value)


def signed_form(attributes: asn1.TLV) -> bytes:
    """Return the signed attributes of a message as they are signed: a SET OF in DER; raises ValueError."""
    if attributes.tag_bytes != bytes((CONTEXT_0,)):
        raise ValueError("there are no signed attributes")
    return element(SET, bytes(attributes.data))


def as_attributes(signed: bytes) -> bytes:
    """Return the signed attributes with the tag that they have in the message."""
    return bytes((CONTEXT_0,)) + signed[1:]


def attributes_in(signed: bytes) -> dict[x509.ObjectIdentifier, asn1.TLV]:
    """Read signed attributes, each with its one value; raises ValueError, also for one that stands twice."""
    found: dict[x509.ObjectIdentifier, asn1.TLV] = {}
    for attribute in asn1.decode_der(_Attributes, element(SEQUENCE, signed)).attributes.as_list():
        values = attribute.values.as_list()
        if len(values) != 1 or attribute.type in found:
            raise ValueError(f"the signed attribute {attribute.type.dotted_string} does not have one value")
        found[attribute.type] = values[0]
    return found


def directory_name(name: bytes) -> bytes:
    """Return a Name as the directoryName of a GeneralName (RFC 5280 §4.2.1.6)."""
    return element(_DIRECTORY_NAME, name)


_DIRECTORY_NAME: Final = 0xA4
