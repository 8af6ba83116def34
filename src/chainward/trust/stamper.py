"""Who may sign timestamps: the leaf of a trusted timestamp authority, with the window in which all of its chain holds.

In: the certificates of an authority as a trusted root lists them, leaf first. Out: a :class:`Stamper`. Follows RFC 3161
§2.3 (the extended key usage is critical, and timeStamping alone) and RFC 5280 §6.1 (signatures, names, authorities,
path length, unknown critical extensions). A chain does not change, so it is verified once and kept.

Some roots list no leaf: then the authority changes its leaf often and sends it with each token, and the leaf must have
been issued by the first certificate of the chain (:func:`stamper_issued_by`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from chainward.formats.rfc3161 import issuer_of
from chainward.kernel.problem import Problem
from chainward.keys.certificate import CertifiedKey, read_certificate
from chainward.trust.errors import TimestampUntrusted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["Stamper", "has_leaf", "stamper_issued_by", "stamper_of"]

_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
)
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
Kind = TypeVar("Kind", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Stamper:
    """A key that may sign timestamps between ``not_before`` and ``not_after``, both included.

    ``issuer`` is a Name in DER, in the very bytes of the certificate.
    """

    der: bytes
    issuer: bytes
    serial: int
    key: CertifiedKey
    not_before: datetime
    not_after: datetime

    def is_named(self, hash_name: str, digest: bytes) -> bool:
        """Whether ``digest`` is the hash of the certificate; SHA-1 may name a certificate, but signs nothing."""
        return hashlib.new(hash_name, self.der, usedforsecurity=False).digest() == digest


@lru_cache(maxsize=256)
def stamper_of(certificates: tuple[x509.Certificate, ...]) -> Stamper:
    """Return who signs timestamps for an authority with this chain; raises TimestampUntrusted."""
    leaf, *above = certificates
    _check_leaf(leaf)
    for lower, upper in pairwise(certificates):
        _check_link(lower, upper)
    for depth, certificate in enumerate(above):
        _check_authority(certificate, above[:depth])
    der = leaf.public_bytes(Encoding.DER)
    try:
        issuer, key = issuer_of(der), CertifiedKey(leaf)
    except Problem as unreadable:
        raise TimestampUntrusted(f"the authority's certificate is of no use: {unreadable.message}") from None
    return Stamper(
        der,
        issuer,
        leaf.serial_number,
        key,
        max(each.not_valid_before_utc for each in certificates),
        min(each.not_valid_after_utc for each in certificates),
    )


def stamper_issued_by(leaf: bytes, authority: tuple[x509.Certificate, ...]) -> Stamper:
    """Return the stamper whose certificate came along with a token and was issued by ``authority``.

    Raises:
        TimestampUntrusted: it is no certificate for timestamps, or somebody else issued it.
    """
    try:
        certificate = read_certificate(leaf)
    except Problem as malformed:
        raise TimestampUntrusted(f"the certificate that came with the timestamp is none: {malformed.message}") from None
    return stamper_of((certificate, *authority))


@lru_cache(maxsize=256)
def has_leaf(certificates: tuple[x509.Certificate, ...]) -> bool:
    """Whether a chain begins with a leaf, and not with an authority."""
    constraints = _extension(certificates[0], x509.BasicConstraints)
    return constraints is None or not constraints.value.ca


def _check_leaf(leaf: x509.Certificate) -> None:
    _check_critical(leaf)
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        raise TimestampUntrusted("the certificate is one of a certificate authority, which signs no timestamps")
    purposes = _extension(leaf, x509.ExtendedKeyUsage)
    if purposes is None or not purposes.critical or list(purposes.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TimestampUntrusted("the certificate is not one for timestamps alone, or does not insist on it")
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not (usage.value.digital_signature or usage.value.content_commitment):
        raise TimestampUntrusted("the certificate is not one for signatures")


def _check_authority(certificate: x509.Certificate, below: Sequence[x509.Certificate]) -> None:
    _check_critical(certificate)
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.value.ca:
        raise TimestampUntrusted("a certificate above the timestamp authority is not one of a certificate authority")
    length = constraints.value.path_length
    if length is not None and sum(each.issuer != each.subject for each in below) > length:
        raise TimestampUntrusted(f"a certificate authority allows {length} authorities below itself, and has more")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.value.key_cert_sign:
        raise TimestampUntrusted("an authority in the chain may not sign certificates")
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    allowed = {ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if purposes is not None and allowed.isdisjoint(purposes.value):
        raise TimestampUntrusted("an authority in the chain may not issue certificates for timestamps")


def _check_link(lower: x509.Certificate, upper: x509.Certificate) -> None:
    try:
        algorithm = lower.signature_hash_algorithm
        if algorithm is not None and algorithm.name not in _HASHES:
            raise TimestampUntrusted(f"a certificate in the chain is signed over {algorithm.name}, which is too weak")
        lower.verify_directly_issued_by(upper)
    except (InvalidSignature, *_UNREADABLE):
        raise TimestampUntrusted("a certificate in the chain was not signed by the one above it") from None


def _check_critical(certificate: x509.Certificate) -> None:
    try:
        unknown = [each.oid for each in certificate.extensions if each.critical and each.oid not in _UNDERSTOOD]
    except _UNREADABLE as error:
        raise TimestampUntrusted(f"the extensions of a certificate cannot be read: {error}") from None
    if unknown:
        raise TimestampUntrusted(
            f"a certificate has the critical extension {unknown[0].dotted_string[:80]}, which is not understood here"
        )


def _extension(certificate: x509.Certificate, kind: type[Kind]) -> x509.Extension[Kind] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None
    except _UNREADABLE as error:
        raise TimestampUntrusted(f"the extensions of a certificate cannot be read: {error}") from None
