"""Believing and making the signatures below a checkpoint: those of the log, and those of witnesses.

A note may carry lines of anybody (C2SP signed-note). Known keys are found by name **and** key id; lines of unknown keys
are passed over, wherever they stand; but a line of a known key that does not verify spoils the whole note. Cosignatures
are those of C2SP tlog-cosignature, Ed25519. Which cosignatures are enough is :mod:`chainward.ledger.witness`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from chainward.formats.checkpoint import parse_checkpoint
from chainward.formats.cosignature import Cosignature, cosigned_message, decode_cosignature, encode_cosignature
from chainward.formats.note import NoteSignature, SignatureType, VerifierKey, parse_note
from chainward.kernel.problem import Kind, Problem
from chainward.keys.errors import KeyUnsupported
from chainward.keys.model import PublicKey, Scheme, ed25519_of, raw_ed25519
from chainward.ledger.checkpoint import CheckpointInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chainward.formats.checkpoint import Checkpoint
    from chainward.formats.note import Note
    from chainward.keys.ports import Signer

__all__ = ["CosignatureInvalid", "Cosigner", "Signed", "open_signed", "public_key_of", "signed_by", "verifier_of"]


class CosignatureInvalid(Problem):
    """A line of a known witness does not verify."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "cosignature-invalid"
    hint = "Fetch the checkpoint again; compare the key of the witness with the one that its operator gives out."


@dataclass(frozen=True, slots=True)
class Signed:
    """That a key signed a note; ``at`` is when, if its type of signature says so."""

    key: VerifierKey
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Cosigner:
    """Signs checkpoints of other logs under ``name``, with an Ed25519 key that signs nothing else.

    The name does not stand in what is signed, so a key must not serve under two names.
    """

    name: str
    signer: Signer

    @property
    def key(self) -> VerifierKey:
        """What others need to know this witness."""
        return VerifierKey(self.name, raw_ed25519(self.signer.public_key), SignatureType.COSIGNATURE)

    def cosign(self, text: str, at: datetime) -> NoteSignature:
        """Return the line for the text of a checkpoint that was found to extend all that were seen before."""
        timestamp = int(at.timestamp())
        signature = self.signer.sign(cosigned_message(timestamp, text))
        return NoteSignature(self.name, self.key.key_id, encode_cosignature(Cosignature(timestamp, signature)))


def verifier_of(name: str, public_key: PublicKey) -> VerifierKey:
    """Return the key with which a log signs its checkpoints under ``name``.

    Raises:
        KeyUnsupported: neither an Ed25519 key nor an ECDSA key on P-256.
    """
    match public_key.scheme:
        case Scheme.ED25519:
            return VerifierKey(name, raw_ed25519(public_key))
        case Scheme.ECDSA_P256_SHA256:
            return VerifierKey(name, public_key.der, SignatureType.ECDSA)
        case other:
            raise KeyUnsupported(f"a {other} key signs no checkpoints")


def public_key_of(key: VerifierKey) -> PublicKey:
    """Return the public key in a verifier key; raises KeyMalformed or KeyUnsupported."""
    if key.type is not SignatureType.ECDSA:
        return ed25519_of(key.raw)
    public_key = PublicKey.from_der(key.raw)
    if public_key.scheme is not Scheme.ECDSA_P256_SHA256:
        raise KeyUnsupported(f"a {public_key.scheme} key signs no checkpoints", hint="Use a key on curve P-256.")
    return public_key


def signed_by(note: Note, keys: Sequence[VerifierKey]) -> tuple[Signed, ...]:
    """Return which of ``keys`` signed a note, each once, in their order.

    Raises:
        SignatureInvalid: a line of a known key does not verify.
        CosignatureInvalid: the same, and the key is that of a witness.
    """
    found: list[Signed] = []
    for key in keys:
        key_id = key.key_id
        lines = [line for line in note.signatures if line.key_id == key_id and line.name == key.name]
        if lines:
            # The first counts; the others are checked as well, because a note with a false line is not to be believed.
            first, *_ = [_verify(note.text, line, key) for line in lines]
            found.append(Signed(key, first))
    return tuple(found)


def open_signed(data: bytes, origin: str, keys: Sequence[VerifierKey]) -> tuple[Checkpoint, Note]:
    """Return the checkpoint of ``origin`` that at least one of ``keys``, the keys of that log, signed, and its note.

    Raises:
        CheckpointInvalid: none of them signed, or the checkpoint is of another log.
        SignatureInvalid: a line of one of them does not verify.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise CheckpointInvalid(f"the checkpoint is of {checkpoint.origin[:120]}, not of {origin}")
    if not signed_by(note, keys):
        raise CheckpointInvalid(f"the checkpoint carries no signature of {origin} by a key that is known here")
    return checkpoint, note


def _verify(text: str, line: NoteSignature, key: VerifierKey) -> datetime | None:
    public_key = public_key_of(key)
    if key.type is not SignatureType.COSIGNATURE:
        public_key.verify(text.encode(), line.signature)
        return None
    try:
        cosignature = decode_cosignature(line.signature)
        public_key.verify(cosigned_message(cosignature.timestamp, text), cosignature.signature)
    except Problem as problem:
        raise CosignatureInvalid(f"the line of witness {key.name} does not verify: {problem}") from problem
    return cosignature.instant
