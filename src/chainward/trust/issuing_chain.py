"""The certificates of the certificate authority: a root that signs intermediates, and an intermediate that is online.

Follows Fulcio's certificate specification and RFC 5280: the root has no extended key usage, the intermediate says
codeSigning and may sign leaves only (path length 0). The root's key stays offline and is needed once for each
intermediate. There are no revocation lists, because no stock client reads them; an authority whose key is lost is
marked compromised instead (:class:`~chainward.trust.authority.Compromise`).

:func:`check_chain` is the other side: what comes back from an offline root is believed only if it checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chainward.keys.errors import KeyMalformed, KeyUnsupported
from chainward.keys.model import PublicKey
from chainward.keys.x509 import hash_of, issuing_key
from chainward.trust.authority import AuthorityKind
from chainward.trust.errors import AuthorityChainInvalid, AuthorityInvalid
from chainward.trust.timestamp_chain import random_serial

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chainward.kernel.entropy import Entropy
    from chainward.keys.ports import DigestSigner

__all__ = [
    "certificate_from_pem",
    "certificate_to_pem",
    "check_chain",
    "issuing_intermediate",
    "issuing_root",
    "requested_key",
]

_ROOT_NAME: Final = "root"
_INTERMEDIATE_NAME: Final = "intermediate"
_MAX_CHAIN: Final = 4
_MIN_CHAIN: Final = 2
_MAX_REQUEST: Final = 64 * 1024
_MAX_CERTIFICATE: Final = 64 * 1024
_USAGE: Final = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
_USAGES: Final = {
    AuthorityKind.CA: ExtendedKeyUsageOID.CODE_SIGNING,
    AuthorityKind.TSA: ExtendedKeyUsageOID.TIME_STAMPING,
}


def issuing_root(signer: DigestSigner, organization: str, *, start: datetime, end: datetime, entropy: Entropy) -> bytes:
    """Return the self-signed certificate (DER) of a root for certificate authorities; ``signer`` holds its key.

    Raises:
        AuthorityInvalid: no such certificate can be: the name is empty or too long, or the window is none.
        KeyUnsupported: the key is not ECDSA.
    """
    subject = _name(organization, _ROOT_NAME)
    builder = _builder(signer, signer.public_key, subject, subject, start, end, entropy)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    return _signed(builder, signer)


def issuing_intermediate(
    public_key: PublicKey,
    root: bytes,
    root_signer: DigestSigner,
    *,
    organization: str,
    start: datetime,
    end: datetime,
    entropy: Entropy,
) -> bytes:
    """Return the certificate (DER) of an intermediate with ``public_key``, signed by the ``root`` (DER).

    Raises:
        AuthorityInvalid: the root's certificate is not one of that signer, or outlived; or as for a root.
        KeyUnsupported: one of the keys is not ECDSA.
    """
    issuer = _certificate(root)
    if PublicKey.from_certificate(root) != root_signer.public_key:
        raise AuthorityInvalid("the root's key is not the one in the root's certificate")
    if start < issuer.not_valid_before_utc or end.replace(microsecond=0) > issuer.not_valid_after_utc:
        raise AuthorityInvalid(
            f"the root is valid until {issuer.not_valid_after_utc:%Y-%m-%d}, which the new certificate would outlive",
            hint="Choose a shorter life for it, or make a new root.",
        )
    subject = _name(organization, _INTERMEDIATE_NAME)
    builder = _builder(root_signer, public_key, subject, issuer.subject, start, end, entropy)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return _signed(builder, root_signer)


def requested_key(request: bytes) -> PublicKey:
    """Return the key that a certificate request (PEM) is for, whose holder proved that he has it.

    Raises:
        AuthorityChainInvalid: not a request, or not signed by its own key.
        KeyMalformed, KeyUnsupported: the key is not one, or of no scheme that is used here.
    """
    if len(request) > _MAX_REQUEST:
        raise AuthorityChainInvalid(f"{len(request)} bytes are too many for a certificate request")
    try:
        parsed = x509.load_pem_x509_csr(request)
        is_signed = parsed.is_signature_valid
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise AuthorityChainInvalid("this is not a certificate request") from None
    if not is_signed:
        raise AuthorityChainInvalid("the certificate request is not signed by its own key")
    return PublicKey.from_der(parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def check_chain(
    kind: AuthorityKind, certificates: Sequence[bytes], public_key: PublicKey, *, root: bytes | None, now: datetime
) -> None:
    """Return if ``certificates`` (DER, issuer first, root last) certify ``public_key`` as an authority of this kind.

    ``root`` is the only root that is accepted; without one any self-signed root is, and the caller answers for it.

    Raises:
        AuthorityChainInvalid: they do not, or not now.
    """
    if not _MIN_CHAIN <= len(certificates) <= _MAX_CHAIN:
        raise AuthorityChainInvalid(f"a chain has {_MIN_CHAIN} to {_MAX_CHAIN} certificates, not {len(certificates)}")
    chain = [_certificate(each) for each in certificates]
    try:
        if PublicKey.from_certificate(certificates[0]) != public_key:
            raise AuthorityChainInvalid("the first certificate is about another key than the one requested")
    except KeyMalformed:
        raise AuthorityChainInvalid("the first certificate holds no key that is used here") from None
    if root is not None and certificates[-1] != root:
        raise AuthorityChainInvalid("the chain ends at another root than the present authority's")
    for certificate, issuer in zip(chain, [*chain[1:], chain[-1]], strict=True):
        _check_link(certificate, issuer, now)
    _check_purpose(kind, chain)


def certificate_from_pem(pem: bytes) -> bytes:
    """Return the certificate (DER) in a PEM block; raises AuthorityChainInvalid."""
    if len(pem) > _MAX_CERTIFICATE:
        raise AuthorityChainInvalid(f"{len(pem)} bytes are too many for a certificate")
    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except (ValueError, x509.InvalidVersion):
        raise AuthorityChainInvalid("this is not a certificate in PEM") from None


def certificate_to_pem(der: bytes) -> str:
    """Return a certificate (DER) as a PEM block; raises AuthorityChainInvalid."""
    return _certificate(der).public_bytes(Encoding.PEM).decode("ascii")


def _check_link(certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        raise AuthorityChainInvalid(
            f"{certificate.subject.rfc4514_string()} is not issued by {issuer.subject.rfc4514_string()}"
        ) from None
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise AuthorityChainInvalid(f"{certificate.subject.rfc4514_string()} is not valid now")


def _check_purpose(kind: AuthorityKind, chain: Sequence[x509.Certificate]) -> None:
    try:
        usages = chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        constraints = [each.extensions.get_extension_for_class(x509.BasicConstraints).value for each in chain]
    except (x509.ExtensionNotFound, ValueError):
        raise AuthorityChainInvalid("a certificate of the chain does not say what it is for") from None
    if list(usages.value) != [_USAGES[kind]] or (kind is AuthorityKind.TSA and not usages.critical):
        raise AuthorityChainInvalid(f"the first certificate is not one of a {kind} authority: its key usage is another")
    if [each.ca for each in constraints] != [kind is AuthorityKind.CA, *(True for _ in chain[1:])]:
        raise AuthorityChainInvalid("a certificate that issues others must be one of a CA, and no other may be")


def _certificate(der: bytes) -> x509.Certificate:
    if len(der) > _MAX_CERTIFICATE:
        raise AuthorityChainInvalid(f"{len(der)} bytes are too many for a certificate")
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        raise AuthorityChainInvalid("these bytes are not a certificate") from None


def _builder(
    issuer: DigestSigner,
    public_key: PublicKey,
    subject: x509.Name,
    issuer_name: x509.Name,
    start: datetime,
    end: datetime,
    entropy: Entropy,
) -> x509.CertificateBuilder:
    key, own = _ecdsa(public_key), _ecdsa(issuer.public_key)
    try:
        builder = x509.CertificateBuilder().not_valid_before(start).not_valid_after(end)
    except ValueError as impossible:
        raise AuthorityInvalid(f"a certificate cannot be valid from {start} to {end}") from impossible
    builder = builder.subject_name(subject).issuer_name(issuer_name).public_key(key)
    builder = builder.serial_number(random_serial(entropy)).add_extension(_USAGE, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False)


def _signed(builder: x509.CertificateBuilder, signer: DigestSigner) -> bytes:
    return builder.sign(issuing_key(signer), hash_of(signer.public_key)).public_bytes(Encoding.DER)


def _name(organization: str, role: str) -> x509.Name:
    parts = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, f"{organization} {role}"[:64]))
    try:
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
    except ValueError:
        raise AuthorityInvalid(f"{organization[:80]!r} cannot be the organization in a certificate") from None


def _ecdsa(public_key: PublicKey) -> ec.EllipticCurvePublicKey:
    key = load_der_public_key(public_key.der)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise KeyUnsupported(f"a {public_key.scheme} key does not issue certificates here: not all clients verify it")
    return key
