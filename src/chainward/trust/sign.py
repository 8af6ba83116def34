"""Signing: a statement or a digest in, a Sigstore bundle v0.3 out.

The signature is logged before it is handed out, and the finished bundle goes through our own verifier: what this
platform would not accept it does not give away, whatever the log answered.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from chainward.formats.bundle import Bundle, MessageSignature, encode_bundle
from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO, Envelope, Signature, pae
from chainward.formats.intoto import encode_statement
from chainward.formats.rekor import HashedRekord
from chainward.kernel.name import RepositoryPattern
from chainward.keys.errors import KeyUnsupported
from chainward.keys.model import Scheme
from chainward.trust.model import ANY_PREDICATE, TrustedSigner, TrustMaterial, TrustRoot
from chainward.trust.verify import verify_artifact, verify_bundle

if TYPE_CHECKING:
    from chainward.formats.bundle import LogEntry
    from chainward.formats.intoto import Statement
    from chainward.kernel.digest import Digest
    from chainward.keys.model import PublicKey
    from chainward.keys.ports import DigestSigner, Signer
    from chainward.trust.ports import SignatureLog

__all__ = ["key_hint", "sign_digest", "sign_statement"]

_EVERYWHERE: Final = (RepositoryPattern("**"),)
_ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)


def sign_statement(statement: Statement, signer: Signer, log: SignatureLog) -> bytes:
    """Return the bundle of ``statement``: signed as DSSE, logged, verified.

    Raises:
        KeyUnsupported: a key that cannot sign what the log takes; nothing was signed.
        Problem: the signer or the log failed, or the bundle did not verify; then it is not handed out.
    """
    _check_key(signer.public_key)
    payload = encode_statement(statement)
    message = pae(PAYLOAD_TYPE_INTOTO, payload)
    signature = signer.sign(message)
    entry = _logged(hashlib.sha256(message).digest(), signature, signer.public_key, log)
    envelope = Envelope(payload, PAYLOAD_TYPE_INTOTO, (Signature(signature),))
    bundle = encode_bundle(Bundle(envelope=envelope, key_hint=key_hint(signer.public_key), entries=(entry,)))
    verify_bundle(bundle, _own_root(signer.public_key, log), subject=None, repository=None)
    return bundle


def sign_digest(digest: Digest, signer: DigestSigner, log: SignatureLog) -> bytes:
    """Return the bundle of the file that has this sha256 ``digest``: a message signature, logged, verified.

    Raises as :func:`sign_statement` does; also KeyUnsupported for a sha512.
    """
    _check_key(signer.public_key)
    signature = signer.sign_prehashed(digest.raw)
    entry = _logged(digest.raw, signature, signer.public_key, log)
    message = MessageSignature("SHA2_256", digest.raw, signature)
    bundle = encode_bundle(Bundle(message_signature=message, key_hint=key_hint(signer.public_key), entries=(entry,)))
    verify_artifact(bundle, _own_root(signer.public_key, log), digest=digest, repository=None)
    return bundle


def key_hint(public_key: PublicKey) -> str:
    """Return how a bundle names its key: the fingerprint in base64, as cosign writes it."""
    return base64.b64encode(bytes.fromhex(public_key.fingerprint)).decode("ascii")


def _logged(digest: bytes, signature: bytes, public_key: PublicKey, log: SignatureLog) -> LogEntry:
    return log.submit(HashedRekord(digest, signature, public_key.der, public_key.scheme.value))


def _own_root(public_key: PublicKey, log: SignatureLog) -> TrustRoot:
    own = TrustedSigner(
        name="self",
        public_key=public_key,
        repositories=_EVERYWHERE,
        predicates=(ANY_PREDICATE,),
        trusted_since=_ALWAYS,
    )
    return TrustRoot((own,), TrustMaterial((log.log,)))


def _check_key(public_key: PublicKey) -> None:
    if public_key.scheme is not Scheme.ECDSA_P256_SHA256:
        raise KeyUnsupported(f"a {public_key.scheme} key cannot sign artifacts: the log takes signatures over digests")
