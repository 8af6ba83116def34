"""Checkpoints of a log: signing them and believing them.

A checkpoint is a C2SP tlog-checkpoint in a C2SP signed-note, signed under the log's origin as key name: with Ed25519,
or with ECDSA P-256 and SHA-256 (in ASN.1) where a log needs one key for checkpoints and for certificate timestamps. The
two kinds of keys have their ids by different rules, see :func:`note_key_id`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from chainward.formats.checkpoint import Checkpoint, parse_checkpoint
from chainward.formats.note import (
    Note,
    NoteSignature,
    SignatureType,
    VerifierKey,
    ecdsa_key_id,
    ed25519_key_id,
    format_note,
    parse_note,
)
from chainward.kernel.problem import Kind, Problem
from chainward.keys.errors import KeyUnsupported
from chainward.keys.model import PublicKey, Scheme, ed25519_of, raw_ed25519
from chainward.ledger.errors import LogUnknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainward.keys.ports import Signer
    from chainward.ledger.ports import CheckpointSigner

__all__ = [
    "CheckpointInvalid",
    "FixedSigners",
    "NoteSigner",
    "log_key",
    "note_key_id",
    "open_checkpoint",
    "verifier_key_of",
]

_SHORT_ID = 4


class CheckpointInvalid(Problem):
    """A checkpoint is not signed by the log it names, or names another log."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "checkpoint-invalid"
    hint = "Compare the origin and the key of the log with those of your trusted root."


def note_key_id(origin: str, key: PublicKey) -> bytes:
    """Return all 32 bytes of the id under which ``key`` signs notes of ``origin``; a signature line has the first four.

    Ed25519: over name, type and key (C2SP signed-note). ECDSA P-256: the SHA-256 of the SubjectPublicKeyInfo alone, as
    in certificate timestamps, so that name and type do not enter.

    Raises:
        KeyUnsupported: a key of any other scheme.
    """
    match key.scheme:
        case Scheme.ED25519:
            return ed25519_key_id(origin, raw_ed25519(key))
        case Scheme.ECDSA_P256_SHA256:
            return ecdsa_key_id(key.der)
        case _:
            raise KeyUnsupported(f"a {key.scheme} key cannot sign checkpoints", hint="Logs sign with Ed25519 or P-256.")


def verifier_key_of(origin: str, key: PublicKey) -> VerifierKey:
    """Return a log's key as people hand it around; raises KeyUnsupported."""
    if key.scheme is Scheme.ED25519:
        return VerifierKey(origin, raw_ed25519(key))
    note_key_id(origin, key)  # refuses what cannot sign notes
    return VerifierKey(origin, key.der, SignatureType.ECDSA)


def log_key(verifier: VerifierKey) -> PublicKey:
    """Return the key of a log from what people hand around; raises KeyMalformed or KeyUnsupported."""
    match verifier.type:
        case SignatureType.ED25519:
            return ed25519_of(verifier.raw)
        case SignatureType.ECDSA:
            return PublicKey(verifier.raw, Scheme.ECDSA_P256_SHA256)
        case _:
            raise KeyUnsupported("a witness's key does not sign checkpoints", hint="Give the key of the log.")


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """Signs checkpoints of the log ``origin`` with an Ed25519 or a P-256 key; raises KeyUnsupported for any other."""

    origin: str
    signer: Signer
    key_id: bytes = field(init=False)
    """The full 32-byte key id of the log (its first four bytes stand in the note)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key_id", note_key_id(self.origin, self.signer.public_key))

    def sign(self, size: int, root: bytes) -> bytes:
        """Return the signed checkpoint."""
        text = Checkpoint(self.origin, size, root).text()
        signature = NoteSignature(self.origin, self.key_id[:_SHORT_ID], self.signer.sign(text.encode()))
        return format_note(Note(text, (signature,)))

    def open(self, note: bytes) -> Checkpoint:
        """Return the checkpoint in a note that this key signed; see :func:`open_checkpoint`."""
        return open_checkpoint(note, self.origin, self.signer.public_key)


class FixedSigners:
    """The signers of logs that are known from the start; implements CheckpointSigners."""

    def __init__(self, signers: Iterable[CheckpointSigner]) -> None:
        self._signers = {signer.origin: signer for signer in signers}

    def signer_of(self, origin: str) -> CheckpointSigner:
        """Return the signer of one log; raises LogUnknown."""
        if origin not in self._signers:
            raise LogUnknown(f"nobody signs checkpoints of a log {origin}")
        return self._signers[origin]


def open_checkpoint(note: bytes, origin: str, key: PublicKey) -> Checkpoint:
    """Return the checkpoint of ``origin`` in a note that ``key`` signed; other signatures are ignored.

    Raises:
        CheckpointInvalid: without a signature line of that key over a checkpoint of that origin.
        SignatureInvalid: the line is not a signature of that key.
        KeyUnsupported: a key that cannot sign checkpoints.
    """
    parsed = parse_note(note)
    short = note_key_id(origin, key)[:_SHORT_ID]
    own = [line for line in parsed.signatures if line.name == origin and line.key_id == short]
    if len(own) != 1:
        raise CheckpointInvalid(f"the checkpoint carries {len(own)} signatures of {origin}, expected one")
    key.verify(parsed.text.encode(), own[0].signature)
    checkpoint = parse_checkpoint(parsed.text)
    if checkpoint.origin != origin:
        raise CheckpointInvalid(f"the checkpoint is of {checkpoint.origin}, not of {origin}")
    return checkpoint
