"""The certificates of the timestamp authority: a root that signs its leaves, and a leaf that signs timestamps.

Follows RFC 3161 §2.3 (the extended key usage is critical and says timeStamping alone) and RFC 5280. Two certificates
are enough: the root's key stays offline and is needed once for each leaf, the leaf's key signs tokens. Verifiers are
given both, leaf first; stock clients read no revocation lists, so there are none: an authority whose key is lost is
marked compromised instead (:class:`~chainward.trust.authority.Compromise`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chainward.keys.certificate import read_certificate
from chainward.keys.errors import KeyUnsupported
from chainward.keys.model import PublicKey
from chainward.keys.x509 import hash_of, issuing_key
from chainward.trust.errors import AuthorityInvalid

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.kernel.entropy import Entropy
    from chainward.keys.ports import DigestSigner

__all__ = ["random_serial", "timestamping_leaf", "timestamping_root"]

_SERIAL_BYTES: Final = 20
_MAX_NAME: Final = 64  # ub-organization-name and ub-common-name of RFC 5280
_ROOT_NAME: Final = "timestamp root"
_LEAF_NAME: Final = "timestamp authority"


def timestamping_root(
    signer: DigestSigner, organization: str, *, start: datetime, end: datetime, entropy: Entropy
) -> bytes:
    """Return the self-signed certificate (DER) of a root for timestamp authorities; ``signer`` holds the root's key.

    Raises:
        AuthorityInvalid: no such certificate can be: the name is empty or too long, or the window is none.
        KeyUnsupported: the key is not ECDSA.
    """
    subject = _name(organization, _ROOT_NAME)
    builder = _builder(signer.public_key, subject, subject, start, end, entropy)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(is_root=True), critical=True)
    return _signed(builder, signer)


def timestamping_leaf(
    public_key: PublicKey,
    root: bytes,
    root_signer: DigestSigner,
    *,
    organization: str,
    start: datetime,
    end: datetime,
    entropy: Entropy,
) -> bytes:
    """Return the certificate (DER) of a timestamp authority with ``public_key``, signed by the ``root`` (DER).

    Raises:
        AuthorityInvalid: the root's certificate is not one of that signer, or outlived by the leaf; or as for a root.
        KeyMalformed: the root's certificate is none.
        KeyUnsupported: one of the keys is not ECDSA.
    """
    issuer = _issuer(root, root_signer, start, end)
    builder = _builder(public_key, _name(organization, _LEAF_NAME), issuer.subject, start, end, entropy)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(is_root=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return _signed(builder.add_extension(authority, critical=False), root_signer)


def random_serial(entropy: Entropy) -> int:
    """Return a serial number of 159 random bits: positive, and of at most 20 octets (RFC 5280 §4.1.2.2)."""
    return (int.from_bytes(entropy.bytes(_SERIAL_BYTES), "big") >> 1) or 1


def _issuer(root: bytes, root_signer: DigestSigner, start: datetime, end: datetime) -> x509.Certificate:
    issuer = read_certificate(root)
    if PublicKey.from_certificate(root) != root_signer.public_key:
        raise AuthorityInvalid("the root's key is not the one in the root's certificate")
    if start < issuer.not_valid_before_utc or end.replace(microsecond=0) > issuer.not_valid_after_utc:
        raise AuthorityInvalid(
            f"the root is valid until {issuer.not_valid_after_utc:%Y-%m-%d}, which the new certificate would outlive",
            hint="Choose a shorter life for it, or make a new root.",
        )
    return issuer


def _builder(
    public_key: PublicKey,
    subject: x509.Name,
    issuer: x509.Name,
    start: datetime,
    end: datetime,
    entropy: Entropy,
) -> x509.CertificateBuilder:
    key = _loaded(public_key)
    try:
        builder = x509.CertificateBuilder().not_valid_before(start).not_valid_after(end)
    except ValueError as impossible:
        raise AuthorityInvalid(f"a certificate cannot be valid from {start} to {end}") from impossible
    builder = builder.subject_name(subject).issuer_name(issuer).public_key(key).serial_number(random_serial(entropy))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _signed(builder: x509.CertificateBuilder, signer: DigestSigner) -> bytes:
    return builder.sign(issuing_key(signer), hash_of(signer.public_key)).public_bytes(Encoding.DER)


def _name(organization: str, name: str) -> x509.Name:
    if not organization.strip() or len(organization) > _MAX_NAME:
        raise AuthorityInvalid(f"a certificate names an organization in 1 to {_MAX_NAME} characters")
    parts = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, f"{organization} {name}"[:_MAX_NAME]))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _usage(*, is_root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_root,
        key_cert_sign=is_root,
        crl_sign=is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _loaded(public_key: PublicKey) -> ec.EllipticCurvePublicKey:
    key = load_der_public_key(public_key.der)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise KeyUnsupported(f"a {public_key.scheme} key does not sign timestamps here: not all clients verify it")
    return key
