"""Promises of a certificate log: making one for a certificate that is about to be signed, believing one inside it.

Follows RFC 6962 §3.2 with the restrictions of Sigstore's clients: the signature is ECDSA P-256 with SHA-256 (or, from
other instances' logs, RSA with SHA-256), the log is known by the SHA-256 of its key.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chainward.formats.errors import Malformed, TooLarge, Unsupported
from chainward.formats.sct import ECDSA_SHA256, SignedCertificateTimestamp, precert_tbs_of, scts_in, signed_bytes
from chainward.keys.errors import SignatureInvalid
from chainward.keys.scheme import Scheme
from chainward.trust.errors import TimestampPromiseInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

    from chainward.keys.ports import Signer
    from chainward.trust.material import TrustedLog

__all__ = ["issuer_key_hash", "promise", "verify_sct"]

_RSA_SHA256: Final = 0x0401
_ALGORITHMS: Final = {
    Scheme.ECDSA_P256_SHA256: ECDSA_SHA256,
    Scheme.RSA_2048: _RSA_SHA256,
    Scheme.RSA_3072: _RSA_SHA256,
    Scheme.RSA_4096: _RSA_SHA256,
}


@lru_cache(maxsize=256)
def issuer_key_hash(issuer: x509.Certificate) -> bytes:
    """Return the SHA-256 of the key in a certificate (SPKI): how a log tells issuers apart."""
    key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def promise(signer: Signer, key_hash: bytes, tbs: bytes, at: datetime) -> SignedCertificateTimestamp:
    """Return the promise of the log of ``signer`` that it holds the certificate ``tbs`` since ``at``.

    ``key_hash`` is that of the issuer (:func:`issuer_key_hash`). Nothing is logged here: who calls this does that.
    """
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    log_id = bytes.fromhex(signer.public_key.fingerprint)
    unsigned = SignedCertificateTimestamp(log_id, at, b"", b"")
    return replace(unsigned, signature=signer.sign(signed_bytes(unsigned, key_hash, tbs)))


def verify_sct(leaf: x509.Certificate, issuer: x509.Certificate, ct_logs: Sequence[TrustedLog]) -> datetime:
    """Return since when a trusted log promises to hold ``leaf``; with several promises, the first that holds.

    Raises:
        TimestampPromiseInvalid: no promise inside is of one of ``ct_logs``, within its window, over this certificate.
    """
    try:
        scts = scts_in(leaf)
        if not scts:
            raise TimestampPromiseInvalid("the certificate holds no promise that it was logged")
        tbs, key_hash = precert_tbs_of(leaf), issuer_key_hash(issuer)
    except (Malformed, TooLarge, Unsupported) as problem:
        raise TimestampPromiseInvalid(f"the certificate's promises cannot be read: {problem.message}") from None
    why = "the certificate was logged in a log that is not trusted here"
    for sct in scts:
        log = next((each for each in ct_logs if each.key_id == sct.log_id), None)
        if log is None:
            continue
        refusal = _refusal(sct, log, signed_bytes(sct, key_hash, tbs))
        if refusal is None:
            return sct.timestamp
        why = refusal
    raise TimestampPromiseInvalid(why)


def _refusal(sct: SignedCertificateTimestamp, log: TrustedLog, signed: bytes) -> str | None:
    """Return why this promise does not count, None if it does."""
    if _ALGORITHMS.get(log.public_key.scheme) != sct.algorithm:
        return f"the promise of log {log.origin} has a signature of another kind than its key"
    if not log.is_valid_at(sct.timestamp):
        return f"the promise of log {log.origin} is from outside of the time in which that log is trusted"
    try:
        log.public_key.verify(signed, sct.signature)
    except SignatureInvalid:
        return f"the promise of log {log.origin} was not signed by it over this certificate"
    return None
