"""Whether a trusted log holds an entry: the offline half of transparency.

In: the log entry of a bundle, the root of trust, and the body that the entry must have. Out: the log, or a Problem.
The body is never taken from the bundle: it is rebuilt from the signature, the digest and the *trusted* key, so an entry
with one member more, or of another signature, cannot pass (as sigstore-go has done since 1.2). ``integratedTime`` and
promises are not looked at: Rekor v2 has neither, and nobody has signed the former.

Follows C2SP tlog-checkpoint and signed-note for the checkpoint and RFC 9162 §2.1.3.2 for the proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.formats.errors import Malformed, TooLarge
from chainward.formats.rekor import ENTRY_KIND, ENTRY_VERSION
from chainward.keys.errors import SignatureInvalid
from chainward.ledger.checkpoint import CheckpointInvalid, open_checkpoint
from chainward.ledger.proofs import ProofInvalid, leaf_hash, verify_inclusion
from chainward.trust.errors import InclusionProofInvalid, LogEntryMismatch, LogUntrusted

if TYPE_CHECKING:
    from chainward.formats.bundle import InclusionProof, LogEntry
    from chainward.formats.checkpoint import Checkpoint
    from chainward.trust.model import TrustedLog, TrustRoot

__all__ = ["verify_logged"]


def verify_logged(entry: LogEntry, body: bytes, root: TrustRoot) -> TrustedLog:
    """Return the trusted log that holds ``body`` where ``entry`` says.

    Raises, in this order:
        LogUntrusted: no trusted log has the entry's log id.
        LogEntryMismatch: the entry is of another kind, index or body.
        CheckpointInvalid: the checkpoint is not one of that log, signed by it.
        InclusionProofInvalid: the proof does not lead from the body to the checkpoint.
    """
    log = root.log(entry.log_id)
    if log is None:
        raise LogUntrusted(
            f"the signature was logged in a log that is not trusted here (key id {entry.log_id.hex()[:64]})",
            details={"trusted": [known.origin for known in root.logs]},
        )
    _check_entry(entry, body)
    checkpoint = _checkpoint(entry.proof, log)
    _check_inclusion(entry.proof, body, checkpoint)
    return log


def _check_entry(entry: LogEntry, body: bytes) -> None:
    if (entry.kind, entry.version) != (ENTRY_KIND, ENTRY_VERSION):
        raise LogEntryMismatch(
            f"a log entry of kind {entry.kind[:40]} {entry.version[:40]} is not {ENTRY_KIND} {ENTRY_VERSION}",
            hint="Sign again with a client that speaks Rekor v2, such as `chainward attest` or cosign 3.1.",
        )
    if entry.log_index != entry.proof.log_index:
        raise LogEntryMismatch("the log entry and its proof give different indices")
    if entry.log_index == 0:
        raise LogEntryMismatch("index 0 is the log's own entry, never a signature")
    if entry.body != body:
        raise LogEntryMismatch("the log entry is not the entry of this signature, this content and this key")


def _checkpoint(proof: InclusionProof, log: TrustedLog) -> Checkpoint:
    try:
        return open_checkpoint(proof.checkpoint.encode(), log.origin, log.public_key)
    except SignatureInvalid:
        raise CheckpointInvalid(f"the checkpoint was not signed by the key of log {log.origin}") from None
    except (Malformed, TooLarge, UnicodeEncodeError) as error:
        raise CheckpointInvalid(f"the checkpoint cannot be read: {error}") from None


def _check_inclusion(proof: InclusionProof, body: bytes, checkpoint: Checkpoint) -> None:
    if (proof.tree_size, proof.root) != (checkpoint.size, checkpoint.root):
        raise InclusionProofInvalid("the inclusion proof is for another tree than the checkpoint")
    try:
        verify_inclusion(proof.log_index, checkpoint.size, leaf_hash(body), proof.hashes, checkpoint.root)
    except ProofInvalid as problem:
        raise InclusionProofInvalid(problem.message) from None
