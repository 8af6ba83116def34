"""Signing without a key of one's own: an identity token in, a signer out that is certified for some minutes.

A fresh P-256 key is made, an authority certifies that it belongs to whom the token is about, and the key is forgotten
with the process. Before anything is signed or logged, the certificate is looked at: an authority that certifies another
key, another identity, or nothing that is believed here could put somebody else's name under our artifact, or ours in a
log beside a key that we do not hold. What the finished bundle proves is checked again by :mod:`chainward.trust.sign`.

Follows Fulcio's certificate specification for what the subject of a certificate may be: the email address of the token,
or a URI that the authority composes from its claims. The raw subject of the token stands in an extension of its own
where the authority writes it, and is compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from chainward.formats.fulcio import SUBJECT
from chainward.keys.errors import KeyMalformed, KeyUnsupported
from chainward.keys.local import generate
from chainward.keys.model import PublicKey, Scheme
from chainward.trust.chain import issued_by
from chainward.trust.errors import CertificateForeign
from chainward.trust.identity import IdentityKind, identity_of
from chainward.trust.material import load_certificate
from chainward.trust.sct import verify_sct

if TYPE_CHECKING:
    from chainward.keys.local import PrivateKey
    from chainward.trust.ambient import IdentityToken
    from chainward.trust.identity import Identity
    from chainward.trust.material import TrustMaterial
    from chainward.trust.ports import CertificateSource

__all__ = ["CertifiedSigner", "certified_signer"]

_MAX_CHAIN: Final = 10


@dataclass(frozen=True, slots=True)
class CertifiedSigner:
    """A key that lives as long as this process, and the certificate (DER) that says whose it is; a DigestSigner."""

    certificate: bytes
    identity: Identity
    _key: PrivateKey = field(repr=False, compare=False)

    @property
    def public_key(self) -> PublicKey:
        """The public half, as it stands in the certificate."""
        return self._key.public_key

    def sign(self, data: bytes) -> bytes:
        """Return a signature over ``data``."""
        return self._key.sign(data)

    def sign_prehashed(self, digest: bytes) -> bytes:
        """Return a signature over bytes whose sha256 is ``digest``; raises KeyUnsupported for another length."""
        return self._key.sign_prehashed(digest)


def certified_signer(token: IdentityToken, source: CertificateSource, material: TrustMaterial) -> CertifiedSigner:
    """Return a signer with a fresh key, certified for whom ``token`` is about; nothing is signed or logged yet.

    ``material`` is what is believed, from a source that the authority's answer does not pass through.

    Raises:
        CertificateForeign: the certificate is for another key, or about somebody else.
        CertificateMalformed: the answer is no certificate, or names nobody.
        Problem: the authority refuses, cannot be reached, or is not believed; or no trusted certificate log has it.
    """
    key = generate(Scheme.ECDSA_P256_SHA256)
    chain = source.certify(token, key)
    if not 1 <= len(chain) <= _MAX_CHAIN:
        raise CertificateForeign(f"the certificate authority answered with {len(chain)} certificates")
    _check_key(chain[0], key.public_key)
    certificate = load_certificate(chain[0])
    identity = identity_of(certificate)
    _check_identity(identity, token)
    verify_sct(certificate, issued_by(certificate, material).path.issuer, material.ct_logs)
    return CertifiedSigner(chain[0], identity, key)


def _check_key(certificate: bytes, public_key: PublicKey) -> None:
    try:
        certified = PublicKey.from_certificate(certificate)
    except (KeyMalformed, KeyUnsupported) as problem:
        raise CertificateForeign(f"the certificate holds no usable key: {problem.message}") from None
    if certified != public_key:
        raise CertificateForeign("the certificate is for another key than the one that was just made")


def _check_identity(identity: Identity, token: IdentityToken) -> None:
    if identity.issuer not in {token.issuer, token.connector}:
        raise CertificateForeign(
            f"the certificate says that {identity.issuer} vouches for the signer, the token is of {token.issuer}",
            details={"certified": identity.issuer, "token": token.issuer},
        )
    if identity.kind is IdentityKind.EMAIL and identity.subject != token.email:
        raise _somebody_else(identity.subject, token.email or token.subject)
    subject = identity.claims.get(SUBJECT, token.subject)
    if subject != token.subject:
        raise _somebody_else(subject, token.subject)


def _somebody_else(certified: str, wanted: str) -> CertificateForeign:
    return CertificateForeign(
        f"the certificate is about {certified}, the token about {wanted}",
        details={"certified": certified, "token": wanted},
    )
