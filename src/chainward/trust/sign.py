"""Signing: a statement or a digest in, a Sigstore bundle v0.3 out.

The signer is a key that verifiers know, or a key that was certified for this one occasion
(:mod:`chainward.trust.keyless`): the bundle then holds the certificate in place of the name of a key. The signature is
logged, and stamped with the time, before it is handed out, and the finished bundle goes through our own verifier: what
we would not accept we do not give away, whatever log and timestamp authority answered.

What is believed of their answers never comes with those answers: it is what their user knew of them before, or
``material`` if that is given.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.formats.bundle import Bundle, MessageSignature, encode_bundle
from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO, Envelope, Signature, pae
from chainward.formats.intoto import decode_statement, encode_statement
from chainward.formats.rekor import HashedRekord
from chainward.keys.errors import KeyUnsupported
from chainward.keys.model import Scheme
from chainward.trust.keyless import CertifiedSigner
from chainward.trust.material import TrustMaterial
from chainward.trust.prove import prove_bundle

if TYPE_CHECKING:
    from chainward.formats.bundle import LogEntry
    from chainward.formats.intoto import Statement
    from chainward.kernel.digest import Digest
    from chainward.keys.model import PublicKey
    from chainward.keys.ports import DigestSigner, Signer
    from chainward.trust.ports import SignatureLog, TimestampSource

__all__ = ["Signing", "key_hint", "sign_digest", "sign_payload", "sign_statement"]

_NAMES: Final = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}


@dataclass(frozen=True, slots=True)
class Signing:
    """Somebody who signs, the services that make bundles of the signatures, and what is believed of those."""

    signer: DigestSigner
    log: SignatureLog
    stamps: TimestampSource | None
    material: TrustMaterial

    def statement(self, statement: Statement) -> bytes:
        """Return the bundle of a statement; see :func:`sign_statement`."""
        return sign_statement(statement, self.signer, self.log, stamps=self.stamps, material=self.material)

    def payload(self, payload: bytes) -> bytes:
        """Return the bundle of a statement that somebody else wrote; see :func:`sign_payload`."""
        return sign_payload(payload, self.signer, self.log, stamps=self.stamps, material=self.material)

    def digest(self, digest: Digest) -> bytes:
        """Return the bundle of a file; see :func:`sign_digest`."""
        return sign_digest(digest, self.signer, self.log, stamps=self.stamps, material=self.material)


def sign_statement(
    statement: Statement,
    signer: Signer,
    log: SignatureLog,
    *,
    stamps: TimestampSource | None = None,
    material: TrustMaterial | None = None,
) -> bytes:
    """Return the bundle of ``statement``: signed as DSSE, logged, stamped if ``stamps`` is given, verified.

    A :class:`~chainward.trust.keyless.CertifiedSigner` needs ``stamps`` (the log has no time of its own) and
    ``material`` (which certificate authorities are believed).

    Raises:
        KeyUnsupported: a key that cannot sign what the log takes; nothing was signed.
        Problem: the signer or a service failed, or the bundle did not verify; then it is not handed out.
    """
    return sign_payload(encode_statement(statement), signer, log, stamps=stamps, material=material)


def sign_payload(
    payload: bytes,
    signer: Signer,
    log: SignatureLog,
    *,
    stamps: TimestampSource | None = None,
    material: TrustMaterial | None = None,
) -> bytes:
    """Return the bundle of the statement that ``payload`` is, whose very bytes are signed.

    Raises as :func:`sign_statement` does; also TooLarge, Malformed or Unsupported for what is no in-toto statement.
    """
    _check_key(signer.public_key)
    decode_statement(payload)
    message = pae(PAYLOAD_TYPE_INTOTO, payload)
    signature = signer.sign(message)
    digest = hashlib.new(signer.public_key.hash_name, message).digest()
    envelope = Envelope(payload, PAYLOAD_TYPE_INTOTO, (Signature(signature),))
    return _bundle(signer, digest, signature, envelope, log=log, stamps=stamps, material=material)


def sign_digest(
    digest: Digest,
    signer: DigestSigner,
    log: SignatureLog,
    *,
    stamps: TimestampSource | None = None,
    material: TrustMaterial | None = None,
) -> bytes:
    """Return the bundle of the file that has this ``digest``: a message signature, logged, stamped, verified.

    Raises as :func:`sign_statement` does; also KeyUnsupported for a digest by another hash than the key signs.
    """
    _check_key(signer.public_key)
    hash_name = signer.public_key.hash_name
    if digest.algorithm.value != hash_name:
        raise KeyUnsupported(f"a {signer.public_key.scheme} key signs {hash_name} digests, not {digest.algorithm}")
    signature = signer.sign_prehashed(digest.raw)
    message = MessageSignature(_NAMES[hash_name], digest.raw, signature)
    return _bundle(signer, digest.raw, signature, message, log=log, stamps=stamps, material=material)


def key_hint(public_key: PublicKey) -> str:
    """Return how a bundle names its key: the fingerprint in base64, as cosign writes it."""
    return base64.b64encode(bytes.fromhex(public_key.fingerprint)).decode("ascii")


def _bundle(
    signer: Signer,
    digest: bytes,
    signature: bytes,
    content: Envelope | MessageSignature,
    *,
    log: SignatureLog,
    stamps: TimestampSource | None,
    material: TrustMaterial | None,
) -> bytes:
    """Log and stamp a signature, put everything into a bundle, and prove that to ourselves."""
    certificate = signer.certificate if isinstance(signer, CertifiedSigner) else b""
    entry = _logged(digest, signature, signer.public_key, certificate, log)
    bundle = encode_bundle(
        Bundle(
            envelope=content if isinstance(content, Envelope) else None,
            message_signature=content if isinstance(content, MessageSignature) else None,
            key_hint=None if certificate else key_hint(signer.public_key),
            certificates=(certificate,) if certificate else (),
            entries=(entry,),
            timestamps=() if stamps is None else (stamps.stamp(signature),),
        )
    )
    own = {} if certificate else {signer.public_key.fingerprint: signer.public_key}
    prove_bundle(bundle, material or _known(log, stamps), find_key=own.get)
    return bundle


def _logged(digest: bytes, signature: bytes, public_key: PublicKey, certificate: bytes, log: SignatureLog) -> LogEntry:
    key = b"" if certificate else public_key.der
    return log.submit(HashedRekord(digest, signature, key, public_key.scheme.value, certificate))


def _known(log: SignatureLog, stamps: TimestampSource | None) -> TrustMaterial:
    return TrustMaterial(logs=(log.log,), timestamp_authorities=() if stamps is None else stamps.authorities)


def _check_key(public_key: PublicKey) -> None:
    if public_key.scheme is Scheme.ED25519:
        raise KeyUnsupported(f"a {public_key.scheme} key cannot sign artifacts: the log takes signatures over digests")
