"""Whether a trusted log holds an entry: the offline half of transparency.

In: the log entry of a bundle, the logs that are believed, and what must have been logged (:class:`Signed`). Out: the
log, or a Problem. For Rekor v2 the body is never taken from the bundle: it is rebuilt from the signature, the digest
and the *trusted* key, so an entry with one member more, or of another signature, cannot pass (as sigstore-go has done
since 1.2). For Rekor v1 the body is read, and what it says is compared (:mod:`chainward.formats.rekor_v1`).

Follows C2SP tlog-checkpoint and signed-note for the checkpoint, RFC 9162 §2.1.3.2 for the proof. Checkpoints of v1 name
their tree behind the name of the log (``host - 1193050959916656506``), and the name is that of a host which private
instances seldom set; there the key decides alone, and origin and signature line must agree with each other.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from chainward.formats.checkpoint import parse_checkpoint
from chainward.formats.errors import Malformed, TooLarge, Unsupported, Unwritable
from chainward.formats.note import parse_note
from chainward.formats.rekor import ENTRY_KIND, ENTRY_VERSION, HashedRekord, canonical_body
from chainward.formats.rekor_v1 import V1_KINDS, decode_v1_body, promised_bytes
from chainward.keys.errors import SignatureInvalid
from chainward.ledger.checkpoint import CheckpointInvalid
from chainward.ledger.proofs import ProofInvalid, leaf_hash, verify_inclusion
from chainward.trust.errors import (
    AuthorityRetired,
    InclusionProofInvalid,
    LogEntryMismatch,
    LogPromiseInvalid,
    LogUntrusted,
)
from chainward.trust.material import ProvenTime

if TYPE_CHECKING:
    from chainward.formats.bundle import InclusionProof, LogEntry, PromisedEntry
    from chainward.formats.checkpoint import Checkpoint
    from chainward.formats.note import NoteSignature
    from chainward.keys.model import PublicKey
    from chainward.trust.material import TrustedLog, TrustMaterial

__all__ = ["Signed", "log_of", "speaks_v1", "verify_body", "verify_logged", "verify_promise"]

_SHORT_ID: Final = 4
_TREE: Final = re.compile(r" - [0-9]{1,20}\Z")
_HASHEDREKORD_V1: Final = ("hashedrekord", "0.0.1")
_MAX_TIME: Final = 253_402_300_799  # the last second of the year 9999


@dataclass(frozen=True, slots=True)
class Signed:
    """What somebody signed, as far as a log entry can tell: the digest, the signature, and who verifies it.

    ``digest`` is over the file, or over the PAE of an envelope; ``payload`` is what the envelope holds.
    """

    digest: bytes
    signature: bytes
    public_key: PublicKey
    certificate_der: bytes = b""
    payload: bytes | None = None


def speaks_v1(entry: LogEntry | PromisedEntry) -> bool:
    """Whether an entry is of one of the kinds that only logs of Rekor v1 hold."""
    return (entry.kind, entry.version) in V1_KINDS


def log_of(entry: LogEntry | PromisedEntry, material: TrustMaterial) -> TrustedLog:
    """Return the trusted log that an entry names.

    Raises:
        LogUntrusted: none of the trusted ones.
        LogEntryMismatch: an entry of Rekor v1, and a log that is none: a promise of v1 tells the time, and the key of
            a log of v2 must not be a clock as well.
    """
    log = material.log(entry.log_id)
    if log is None:
        raise LogUntrusted(
            f"the signature was logged in a log that is not trusted here (key id {entry.log_id.hex()[:64]})",
            details={"trusted": [known.origin for known in material.logs]},
        )
    if speaks_v1(entry) and not log.is_v1:
        raise LogEntryMismatch(f"log {log.origin} holds no entries of kind {entry.kind} {entry.version}")
    return log


def verify_body(entry: LogEntry | PromisedEntry, signed: Signed) -> None:
    """Return if ``entry`` is the entry of what was signed.

    Raises:
        LogEntryMismatch: it is of another kind, signature, content or key.
    """
    if speaks_v1(entry):
        matches = _matches_v1(entry, signed)
    elif (entry.kind, entry.version) == (ENTRY_KIND, ENTRY_VERSION):
        matches = entry.body == _body_of(signed)
    else:
        raise LogEntryMismatch(
            f"a log entry of kind {entry.kind[:40]} {entry.version[:40]} is not {ENTRY_KIND} {ENTRY_VERSION}",
            hint="Sign again with a client that speaks Rekor v2, such as `chainward attest` or cosign 3.1.",
        )
    if not matches:
        raise LogEntryMismatch("the log entry is not the entry of this signature, this content and this key")


def verify_logged(entry: LogEntry, log: TrustedLog) -> Checkpoint:
    """Return the checkpoint of ``log`` under which the body of ``entry`` stands where the entry says.

    Raises, in this order:
        LogEntryMismatch: the indices of entry and proof differ, or are that of the log's own first entry.
        CheckpointInvalid: the checkpoint is not one of that log, signed by it.
        InclusionProofInvalid: the proof does not lead from the body to the checkpoint.
    """
    if not speaks_v1(entry):
        if entry.log_index != entry.proof.log_index:
            raise LogEntryMismatch("the log entry and its proof give different indices")
        if entry.log_index == 0:
            raise LogEntryMismatch("index 0 is the log's own entry, never a signature")
    checkpoint = _checkpoint(entry.proof, log, any_name=speaks_v1(entry))
    _check_inclusion(entry.proof, entry.body, checkpoint)
    return checkpoint


def verify_promise(entry: LogEntry | PromisedEntry, log: TrustedLog) -> ProvenTime:
    """Return when a log of Rekor v1 took in an entry, which it signed together with the promise to include it.

    Raises:
        LogPromiseInvalid: the log did not sign that.
        AuthorityRetired: the log was not in use then.
    """
    if not 0 < entry.integrated_time <= _MAX_TIME:
        raise LogPromiseInvalid(f"the log entry gives no time ({entry.integrated_time})")
    try:
        signed = promised_bytes(entry.body, entry.integrated_time, entry.log_id, entry.log_index)
        log.public_key.verify(signed, entry.promise)
    except (SignatureInvalid, Unwritable):
        raise LogPromiseInvalid(f"log {log.origin} did not sign the promise to include this entry") from None
    instant = datetime.fromtimestamp(entry.integrated_time, UTC)
    if not log.is_valid_at(instant):
        raise AuthorityRetired(f"log {log.origin} was not in use at {instant}, when the entry says it was made")
    return ProvenTime(instant, log.origin)


def _body_of(signed: Signed) -> bytes:
    """Return the one body that a log of Rekor v2 can hold for what was signed; raises LogEntryMismatch."""
    key_der = b"" if signed.certificate_der else signed.public_key.der
    scheme = signed.public_key.scheme.value
    try:
        return canonical_body(HashedRekord(signed.digest, signed.signature, key_der, scheme, signed.certificate_der))
    except (Unwritable, Unsupported) as problem:
        raise LogEntryMismatch(f"no log entry can hold such a signature: {problem.message}") from None


def _matches_v1(entry: LogEntry | PromisedEntry, signed: Signed) -> bool:
    try:
        kind, logged = decode_v1_body(entry.body)
    except (Malformed, Unsupported, TooLarge) as problem:
        raise LogEntryMismatch(f"the log entry cannot be read: {problem.message}") from None
    if kind == _HASHEDREKORD_V1:
        is_of_content = (logged.hash_name, logged.digest) == (signed.public_key.hash_name, signed.digest)
    else:
        payload = signed.payload
        is_of_content = payload is not None and hashlib.new(logged.hash_name, payload).digest() == logged.digest
    return (
        kind == (entry.kind, entry.version)
        and is_of_content
        and logged.signature == signed.signature
        and logged.is_certificate == bool(signed.certificate_der)
        and logged.verifier_der == (signed.certificate_der or signed.public_key.der)
    )


def _checkpoint(proof: InclusionProof, log: TrustedLog, *, any_name: bool) -> Checkpoint:
    try:
        note = parse_note(proof.checkpoint.encode())
        checkpoint = parse_checkpoint(note.text)
    except (Malformed, TooLarge, UnicodeEncodeError) as error:
        raise CheckpointInvalid(f"the checkpoint cannot be read: {error}") from None
    own = [line for line in note.signatures if _is_of(line, checkpoint, log, any_name=any_name)]
    if len(own) != 1:
        raise CheckpointInvalid(f"the checkpoint carries {len(own)} signatures of log {log.origin}, expected one")
    try:
        log.public_key.verify(note.text.encode(), own[0].signature)
    except SignatureInvalid:
        raise CheckpointInvalid(f"the checkpoint was not signed by the key of log {log.origin}") from None
    return checkpoint


def _is_of(line: NoteSignature, checkpoint: Checkpoint, log: TrustedLog, *, any_name: bool) -> bool:
    """Whether a signature line says that it is by the key of ``log``, over a checkpoint of that log."""
    if line.key_id != log.key_id[:_SHORT_ID]:
        return False
    if any_name:
        return _TREE.sub("", checkpoint.origin) == line.name
    return checkpoint.origin == line.name == log.origin


def _check_inclusion(proof: InclusionProof, body: bytes, checkpoint: Checkpoint) -> None:
    if (proof.tree_size, proof.root) != (checkpoint.size, checkpoint.root):
        raise InclusionProofInvalid("the inclusion proof is for another tree than the checkpoint")
    try:
        verify_inclusion(proof.log_index, checkpoint.size, leaf_hash(body), proof.hashes, checkpoint.root)
    except ProofInvalid as problem:
        raise InclusionProofInvalid(problem.message) from None
