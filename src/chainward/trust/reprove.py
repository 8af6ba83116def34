"""Giving a bundle a newer proof: the same entry, under a checkpoint that came later, such as one that was witnessed.

A log answers with the checkpoint of the moment, which no witness can have seen yet. Once the witnesses have cosigned a
later one, anybody can prove the entry under that, from the public tiles; nothing is signed anew, and whoever demanded
no witnesses believes the new bundle as he did the old one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from chainward.formats.bundle import InclusionProof, decode_bundle, encode_bundle
from chainward.formats.note import note_key_id
from chainward.kernel.problem import Kind, Problem
from chainward.ledger.cosign import open_signed
from chainward.ledger.proofs import leaf_hash, verify_inclusion
from chainward.ledger.tiles import PublishedTree

if TYPE_CHECKING:
    from chainward.formats.bundle import LogEntry
    from chainward.formats.checkpoint import Checkpoint
    from chainward.formats.note import VerifierKey
    from chainward.ledger.neighbours import TileLog

__all__ = ["EntryNotCovered", "reprove"]


class EntryNotCovered(Problem):
    """A bundle has no entry that this checkpoint covers: it is of another log, or newer."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "entry-not-covered"
    hint = "Wait until the witnesses have cosigned a newer checkpoint; a platform asks them every minute."


def reprove(data: bytes, log: TileLog, note: bytes, origin: str, keys: tuple[VerifierKey, ...]) -> bytes:
    """Return a bundle with its entry in the log ``origin`` proven under the checkpoint ``note``, from the log's tiles.

    Raises:
        CheckpointInvalid, SignatureInvalid: the log did not sign the checkpoint.
        EntryNotCovered: it covers no entry of the bundle.
        ProofInvalid: the tiles do not prove the entry, so it never was in this log, or the log lies.
        Malformed, TooLarge, Unsupported: not a bundle.
    """
    checkpoint, _ = open_signed(note, origin, keys)
    bundle = decode_bundle(data)
    ids = {note_key_id(origin, key.type, key.raw) for key in keys}
    covered = [entry.log_id in ids and entry.proof.log_index < checkpoint.size for entry in bundle.entries]
    if not any(covered):
        raise EntryNotCovered(f"the checkpoint of {origin} at size {checkpoint.size} covers no entry of the bundle")
    tree = PublishedTree(log, checkpoint.size)
    entries = tuple(
        _proven(entry, tree, checkpoint, note) if is_covered else entry
        for entry, is_covered in zip(bundle.entries, covered, strict=True)
    )
    return encode_bundle(replace(bundle, entries=entries))


def _proven(entry: LogEntry, tree: PublishedTree, checkpoint: Checkpoint, note: bytes) -> LogEntry:
    index = entry.proof.log_index
    hashes = tree.inclusion(index, checkpoint.size)
    verify_inclusion(index, checkpoint.size, leaf_hash(entry.body), hashes, checkpoint.root)
    proof = InclusionProof(index, checkpoint.size, checkpoint.root, hashes, note.decode())
    return replace(entry, proof=proof)
