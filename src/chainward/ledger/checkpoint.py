"""Checkpoints of a log: signing them and believing them.

A checkpoint is a C2SP tlog-checkpoint in a C2SP signed-note, signed with Ed25519 under the log's origin as key name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from chainward.formats.checkpoint import Checkpoint, parse_checkpoint
from chainward.formats.note import Note, NoteSignature, ed25519_key_id, format_note, parse_note
from chainward.kernel.problem import Kind, Problem
from chainward.keys.model import raw_ed25519

if TYPE_CHECKING:
    from chainward.keys.model import PublicKey
    from chainward.keys.ports import Signer

__all__ = ["CheckpointInvalid", "NoteSigner", "open_checkpoint"]

_SHORT_ID = 4


class CheckpointInvalid(Problem):
    """A checkpoint is not signed by the log it names, or names another log."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "checkpoint-invalid"
    hint = "Compare the origin and the key of the log with those of your trusted root."


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """Signs checkpoints of the log ``origin`` with an Ed25519 key."""

    origin: str
    signer: Signer

    @property
    def key_id(self) -> bytes:
        """The full 32-byte key id of the log (its first four bytes stand in the note)."""
        return ed25519_key_id(self.origin, raw_ed25519(self.signer.public_key))

    def sign(self, size: int, root: bytes) -> bytes:
        """Return the signed checkpoint."""
        text = Checkpoint(self.origin, size, root).text()
        signature = NoteSignature(self.origin, self.key_id[:_SHORT_ID], self.signer.sign(text.encode()))
        return format_note(Note(text, (signature,)))

    def open(self, note: bytes) -> Checkpoint:
        """Return the checkpoint in a note that this key signed; see :func:`open_checkpoint`."""
        return open_checkpoint(note, self.origin, self.signer.public_key)


def open_checkpoint(note: bytes, origin: str, key: PublicKey) -> Checkpoint:
    """Return the checkpoint of ``origin`` in a note that ``key`` signed; other signatures are ignored.

    Raises:
        CheckpointInvalid: without a valid signature by that key over a checkpoint of that origin.
    """
    parsed = parse_note(note)
    short = ed25519_key_id(origin, raw_ed25519(key))[:_SHORT_ID]
    own = [line for line in parsed.signatures if line.name == origin and line.key_id == short]
    if len(own) != 1:
        raise CheckpointInvalid(f"the checkpoint carries {len(own)} signatures of {origin}, expected one")
    key.verify(parsed.text.encode(), own[0].signature)
    checkpoint = parse_checkpoint(parsed.text)
    if checkpoint.origin != origin:
        raise CheckpointInvalid(f"the checkpoint is of {checkpoint.origin}, not of {origin}")
    return checkpoint
