"""Whether a certificate comes from a trusted certificate authority and was valid when it was used.

In: a signing certificate, the authorities of a trusted root, and the instants at which the signature is known to have
existed. Out: the issuer, or a Problem. Follows RFC 5280 §6.1 for the chain (signatures, names, basic constraints, path
length, key usage, name constraints, unknown critical extensions) and Fulcio's certificate specification for the leaf
(digitalSignature, codeSigning, one subject). An extended key usage in an authority's certificate limits what is below
it, as Go and Windows read it.

A path from an authority to its root does not change, so its own signatures are verified once and kept; a leaf costs one
signature. Certificates that a bundle carries beside the leaf are never used: trusted roots hold whole chains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from chainward.keys.errors import KeyMalformed, KeyUnsupported
from chainward.keys.model import PublicKey
from chainward.trust.constraints import check_names
from chainward.trust.errors import CertificateMalformed, CertificateOutsideWindow, CertificateUntrusted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from chainward.trust.material import TrustedAuthority, TrustMaterial

__all__ = ["Issued", "Path", "check_windows", "is_root", "issued_by", "public_key_of"]

_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS,
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
_Extensions = Mapping[x509.ObjectIdentifier, x509.Extension[x509.ExtensionType]]


@dataclass(frozen=True, slots=True)
class Path:
    """The certificates of an authority, the issuer first and the root last, whose links are verified.

    ``not_before`` and ``not_after`` bound the instants at which all of them are valid, both included.
    """

    certificates: tuple[x509.Certificate, ...]
    constraints: tuple[x509.NameConstraints, ...]
    issuer_key: PublicKey
    not_before: datetime
    not_after: datetime

    @property
    def issuer(self) -> x509.Certificate:
        """The certificate whose key signs signing certificates."""
        return self.certificates[0]


@dataclass(frozen=True, slots=True)
class Issued:
    """A signing certificate that ``authority`` issued; whether it was valid when used is asked separately."""

    certificate: x509.Certificate
    authority: TrustedAuthority
    path: Path


def issued_by(certificate: x509.Certificate, material: TrustMaterial) -> Issued:
    """Return who issued a signing certificate.

    Raises:
        CertificateMalformed: it cannot be read.
        CertificateUntrusted: no trusted authority issued it, it is not one for signing, or has a critical extension
            that nobody here understands.
    """
    extensions = _extensions(certificate)
    _check_leaf(extensions)
    problem: CertificateUntrusted | None = None
    for authority in material.issuers(_issuer_key_identifier(extensions)):
        try:
            path = _path(authority.certificates)
            _check_link(certificate, path.issuer, path.issuer_key)
        except CertificateUntrusted as refusal:
            problem = refusal
            continue
        _check_names(certificate, extensions, path)
        return Issued(certificate, authority, path)
    raise problem or CertificateUntrusted("no certificate authority is trusted here")


def check_windows(issued: Issued, instants: Iterable[datetime]) -> None:
    """Return if certificate, path and authority were all valid at every one of ``instants``.

    Raises:
        CertificateOutsideWindow: at one of them, one was not.
    """
    leaf, path = issued.certificate, issued.path
    for instant in instants:
        if not leaf.not_valid_before_utc <= instant <= leaf.not_valid_after_utc:
            raise CertificateOutsideWindow(
                f"the signature existed at {instant}, the certificate counts from {leaf.not_valid_before_utc} "
                f"to {leaf.not_valid_after_utc}"
            )
        if not path.not_before <= instant <= path.not_after or not issued.authority.is_valid_at(instant):
            raise CertificateOutsideWindow(
                f"the certificate authority {issued.authority.name} was not in use at {instant}"
            )


def is_root(certificate: x509.Certificate) -> bool:
    """Whether a certificate claims to be the root of a chain: an authority that names itself as its issuer."""
    if certificate.issuer != certificate.subject:
        return False
    constraints = _value(_extensions(certificate), x509.BasicConstraints)
    return constraints is not None and constraints.ca


def public_key_of(certificate: x509.Certificate) -> PublicKey:
    """Return the key that a certificate is about; raises CertificateMalformed."""
    try:
        return PublicKey.of_certificate(certificate)
    except (KeyMalformed, KeyUnsupported) as problem:
        raise CertificateMalformed(f"the key in the certificate is of no use here: {problem.message}") from None
    except _UNREADABLE:
        raise CertificateMalformed("the certificate holds no key that can be read") from None


@lru_cache(maxsize=256)
def _path(certificates: tuple[x509.Certificate, ...]) -> Path:
    """Verify the links of an authority's chain; raises CertificateUntrusted. The last certificate is the anchor."""
    for lower, upper in pairwise(certificates):
        _check_link(lower, upper, public_key_of(upper))
    constraints = []
    for depth, certificate in enumerate(certificates):
        extensions = _extensions(certificate)
        _check_authority(extensions, certificates[:depth])
        found = _value(extensions, x509.NameConstraints)
        if found is not None:
            constraints.append(found)
    return Path(
        certificates,
        tuple(constraints),
        public_key_of(certificates[0]),
        max(each.not_valid_before_utc for each in certificates),
        min(each.not_valid_after_utc for each in certificates),
    )


def _check_leaf(extensions: _Extensions) -> None:
    constraints = _value(extensions, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise CertificateUntrusted("the certificate is one of an authority, which signs certificates and nothing else")
    usage = _value(extensions, x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        raise CertificateUntrusted("the certificate is not one for digital signatures")
    purposes = _value(extensions, x509.ExtendedKeyUsage)
    if purposes is None or ExtendedKeyUsageOID.CODE_SIGNING not in purposes:
        raise CertificateUntrusted("the certificate is not one for signing artifacts (codeSigning)")


def _check_authority(extensions: _Extensions, below: Sequence[x509.Certificate]) -> None:
    constraints = _value(extensions, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise CertificateUntrusted("a certificate in the chain is not one of an authority")
    length = constraints.path_length
    if length is not None and sum(each.issuer != each.subject for each in below) > length:
        raise CertificateUntrusted(f"a certificate authority allows {length} authorities below itself, and has more")
    usage = _value(extensions, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise CertificateUntrusted("an authority in the chain may not sign certificates")
    purposes = _value(extensions, x509.ExtendedKeyUsage)
    allowed = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if purposes is not None and allowed.isdisjoint(purposes):
        raise CertificateUntrusted("an authority in the chain may not issue certificates for signing artifacts")


def _check_link(lower: x509.Certificate, upper: x509.Certificate, upper_key: PublicKey) -> None:
    """Return if the key of ``upper`` signed ``lower`` under its name, with an algorithm that still counts."""
    try:
        algorithm = lower.signature_hash_algorithm
        if algorithm is not None and algorithm.name not in _HASHES:
            raise CertificateUntrusted(f"the certificate is signed over {algorithm.name}, which is too weak")
        lower.verify_directly_issued_by(upper)
    except (InvalidSignature, *_UNREADABLE):
        raise CertificateUntrusted(
            f"the certificate was not signed by the authority that it names (key sha256:{upper_key.fingerprint})"
        ) from None


def _check_names(certificate: x509.Certificate, extensions: _Extensions, path: Path) -> None:
    if path.constraints:
        names = _value(extensions, x509.SubjectAlternativeName) or ()
        for constraints in path.constraints:
            check_names(constraints, names, certificate.subject)


def _extensions(certificate: x509.Certificate) -> _Extensions:
    """Return the extensions of a certificate by their kind.

    Raises:
        CertificateMalformed: one cannot be read, or is there twice.
        CertificateUntrusted: one is critical and not understood.
    """
    try:
        found = {each.oid: each for each in certificate.extensions}
    except _UNREADABLE as error:
        raise CertificateMalformed(f"the extensions of the certificate cannot be read: {error}") from None
    for oid, extension in found.items():
        if extension.critical and oid not in _UNDERSTOOD:
            raise CertificateUntrusted(
                f"the certificate has the critical extension {oid.dotted_string[:80]}, which is not understood here"
            )
    return found


def _value(extensions: _Extensions, kind: type[Kind]) -> Kind | None:
    extension = extensions.get(kind.oid)
    value = None if extension is None else extension.value
    return value if type(value) is kind else None  # at a tenth of what isinstance costs for an abstract class


def _issuer_key_identifier(extensions: _Extensions) -> bytes | None:
    found = _value(extensions, x509.AuthorityKeyIdentifier)
    return found.key_identifier if found is not None else None
