"""Bundles in, verified values out; pure, without network or clock, and the only maker of verified values.

A bundle holds what was signed (a DSSE envelope around an in-toto statement, or the digest of a file), one signature and
one log entry. The checks run in this order, and the first that fails is the answer:

1. ``input-too-large``, ``bundle-malformed``: it is a bundle of the right content, with one signature;
2. ``log-entry-missing``: it has a log entry with an inclusion proof;
3. ``signer-unknown``, ``signer-distrusted``: its key is that of a trusted signer;
4. ``signature-invalid``: that key made the signature over the PAE, or over the digest;
5. ``log-untrusted``, ``log-entry-mismatch``, ``checkpoint-invalid``, ``inclusion-proof-invalid``: a trusted log holds
   this very signature (:mod:`chainward.trust.logged`);
6. ``bundle-malformed``: what was signed is an in-toto statement; strangers' payloads are never parsed;
7. ``subject-mismatch``: it is about the digest in question;
8. ``signer-not-allowed``: the signer may say this kind of thing, about this repository.

The key is found by its fingerprint: the bundle's key hint if that is one (hex, or base64 of the 32 bytes as cosign
writes it), else the key in the log entry. Either only selects; the signature and the rebuilt log entry decide. Nothing
else that a bundle says about itself counts: DSSE ``keyid``, ``integratedTime``, promises, timestamps, unknown members.

A bundle names no repository. For images, give ``repository``: what a signer of ``shop/**`` said counts only there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING, Final

from chainward.formats.bundle import decode_bundle
from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO
from chainward.formats.errors import Malformed, TooLarge, Unsupported
from chainward.formats.intoto import decode_statement
from chainward.formats.rekor import parse_body
from chainward.kernel.digest import Algorithm, Digest
from chainward.kernel.problem import Problem
from chainward.trust.errors import (
    BundleMalformed,
    LogEntryMismatch,
    LogEntryMissing,
    SignerDistrusted,
    SignerNotAllowed,
    SignerUnknown,
    SubjectMismatch,
)
from chainward.trust.logged import Signed, log_of, verify_body, verify_logged
from chainward.trust.model import MESSAGE_SIGNATURE, SEAL, VerifiedArtifact, VerifiedStatement

if TYPE_CHECKING:
    from chainward.formats.bundle import Bundle, LogEntry
    from chainward.formats.intoto import Statement
    from chainward.kernel.name import RepositoryName
    from chainward.trust.model import TrustedLog, TrustedSigner, TrustRoot

__all__ = ["verify_artifact", "verify_bundle"]

_HEX: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")
_FINGERPRINT_SIZE: Final = 32
_SHA256: Final = "SHA2_256"


def verify_bundle(
    data: bytes, root: TrustRoot, *, subject: Digest | None, repository: RepositoryName | None
) -> VerifiedStatement:
    """Return the statement in a bundle, once everything in it is proven.

    ``subject`` is the digest that the statement must be about; several subjects are fine if it is one of them, for each
    of them was stated. Only pass None for it, or for ``repository``, if what is returned is bound to them elsewhere.

    Raises:
        Problem: the first failed check, as the module lists them.
    """
    bundle, entry = _read(data)
    envelope = bundle.envelope
    if envelope is None:
        raise BundleMalformed("the bundle signs a file, it holds no statement")
    if envelope.payload_type != PAYLOAD_TYPE_INTOTO:
        raise BundleMalformed(f"the payload is of type {envelope.payload_type[:80]!r}, not {PAYLOAD_TYPE_INTOTO}")
    digest = hashlib.sha256(envelope.pae()).digest()
    signer, log = _prove(bundle, entry, digest, envelope.signatures[0].sig, root)
    statement = _statement(envelope.payload)
    if subject is not None and not statement.is_about(subject):
        raise _mismatch(statement, subject)
    _check_scope(signer, statement.predicate_type, repository)
    return VerifiedStatement(
        statement=statement,
        signers=(signer.name,),
        fingerprint=signer.fingerprint,
        subjects=_digests(statement),
        log_origin=log.origin,
        log_index=entry.log_index,
        bundle_digest=Digest.of(data),
        seal=SEAL,
    )


def verify_artifact(
    data: bytes, root: TrustRoot, *, digest: Digest, repository: RepositoryName | None
) -> VerifiedArtifact:
    """Return the proof that a trusted signer signed the file with this ``digest`` (sha256).

    The signer must be trusted for the predicate type ``message-signature``, or for all.

    Raises:
        Problem: the first failed check, as the module lists them.
    """
    bundle, entry = _read(data)
    message = bundle.message_signature
    if message is None:
        raise BundleMalformed("the bundle holds a statement, it does not sign a file")
    if message.digest_algorithm != _SHA256 or len(message.digest) != _FINGERPRINT_SIZE:
        raise BundleMalformed(f"the signed digest is not a {_SHA256}")
    signer, log = _prove(bundle, entry, message.digest, message.signature, root)
    if digest != Digest(Algorithm.SHA256, message.digest.hex()):
        raise SubjectMismatch(
            f"the bundle signs sha256:{message.digest.hex()}, not {digest}",
            hint="Give the file that was signed, or the bundle of this file.",
        )
    _check_scope(signer, MESSAGE_SIGNATURE, repository)
    return VerifiedArtifact(
        digest=digest,
        signers=(signer.name,),
        fingerprint=signer.fingerprint,
        log_origin=log.origin,
        log_index=entry.log_index,
        bundle_digest=Digest.of(data),
        seal=SEAL,
    )


def _read(data: bytes) -> tuple[Bundle, LogEntry]:
    try:
        bundle = decode_bundle(data)
    except TooLarge:
        raise
    except Unsupported as problem:
        if problem.details.get("what") == "log entry":
            raise LogEntryMissing("the log entry in the bundle has no inclusion proof") from None
        raise BundleMalformed(problem.message) from None
    except Problem as problem:
        raise BundleMalformed(problem.message) from None
    if not bundle.entries:
        raise LogEntryMissing("the bundle has no log entry: nobody can see that this signature was made")
    if len(bundle.entries) > 1:
        raise BundleMalformed(f"the bundle has {len(bundle.entries)} log entries, not one")
    return bundle, bundle.entries[0]


def _prove(
    bundle: Bundle, entry: LogEntry, digest: bytes, signature: bytes, root: TrustRoot
) -> tuple[TrustedSigner, TrustedLog]:
    """Return who signed ``digest`` and which log holds that."""
    signer = _signer(bundle, entry, root)
    key = signer.public_key
    key.verify_prehashed(digest, signature)
    log = log_of(entry, root.material)
    verify_body(entry, Signed(digest, signature, key))
    verify_logged(entry, log)
    return signer, log


def _signer(bundle: Bundle, entry: LogEntry, root: TrustRoot) -> TrustedSigner:
    if bundle.certificates:
        raise SignerUnknown(
            "signed with a certificate, and no certificate authority is trusted here",
            hint="Sign with a key that is trusted here: chainward attest --key file:release.key",
        )
    fingerprint = _hinted(bundle.key_hint or "") or _logged_key(entry)
    signer = root.signer(fingerprint)
    if signer is None:
        raise SignerUnknown(
            f"signed by a stranger: key sha256:{fingerprint} is not trusted here", details={"fingerprint": fingerprint}
        )
    if signer.distrusted_at is not None:
        raise SignerDistrusted(
            f"signer {signer.name} (key sha256:{fingerprint}) is not trusted any more",
            details={"signer": signer.name, "fingerprint": fingerprint},
        )
    return signer


def _hinted(hint: str) -> str | None:
    """Return the fingerprint that a key hint is, or None if it is something else."""
    match = _HEX.match(hint)
    if match is not None:
        return match[1]
    try:
        digest = base64.b64decode(hint, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == _FINGERPRINT_SIZE else None


def _logged_key(entry: LogEntry) -> str:
    try:
        logged = parse_body(entry.body)
    except Problem as problem:
        raise LogEntryMismatch(f"the log entry cannot be read: {problem.message}") from None
    return hashlib.sha256(logged.public_key_der or logged.certificate_der).hexdigest()


def _statement(payload: bytes) -> Statement:
    try:
        return decode_statement(payload)
    except (Malformed, Unsupported) as problem:
        raise BundleMalformed(problem.message) from None


def _digests(statement: Statement) -> tuple[Digest, ...]:
    return tuple(dict.fromkeys(digest for subject in statement.subjects for digest in subject.digests()))


def _mismatch(statement: Statement, subject: Digest) -> SubjectMismatch:
    named = [str(digest) for digest in _digests(statement)[:8]]
    return SubjectMismatch(
        f"the statement is about {', '.join(named) or 'no sha256 or sha512 digest'}, not about {subject}",
        details={"expected": str(subject), "subjects": named},
    )


def _check_scope(signer: TrustedSigner, predicate_type: str, repository: RepositoryName | None) -> None:
    details = {"signer": signer.name, "fingerprint": signer.fingerprint}
    if not signer.states(predicate_type):
        raise SignerNotAllowed(f"signer {signer.name} is not trusted for {predicate_type[:200]}", details=details)
    if repository is not None and not signer.covers(repository):
        raise SignerNotAllowed(f"signer {signer.name} is not trusted for repository {repository}", details=details)
