"""Being a witness of other logs: which logs, what was cosigned last, and cosigning what extends it.

Follows C2SP tlog-witness. A witness remembers one state for each log and never goes back: what it cosigns becomes
durable by a compare-and-swap in the transaction of the ledger before the cosignature leaves this room, so neither two
requests nor two replicas can have two trees cosigned. Two signed trees of one size are kept as evidence, and a fact
says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from chainward.formats.checkpoint import parse_checkpoint
from chainward.formats.errors import Malformed
from chainward.formats.note import Note, SignatureType, format_note, format_signatures, parse_note
from chainward.formats.witness import parse_add_checkpoint
from chainward.kernel.identity import PLATFORM, Context
from chainward.kernel.problem import Kind, Problem
from chainward.ledger.checkpoint import CheckpointInvalid
from chainward.ledger.cosign import public_key_of, signed_by
from chainward.ledger.evidence import Evidence, encode_evidence
from chainward.ledger.facts import LogUnwitnessed, LogWitnessed, SplitViewRefused
from chainward.ledger.model import Write
from chainward.ledger.proofs import EMPTY_ROOT, verify_consistency
from chainward.ledger.witness import WitnessAhead, WitnessInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chainward.formats.checkpoint import Checkpoint
    from chainward.formats.note import NoteSignature, VerifierKey
    from chainward.kernel.instant import Clock
    from chainward.ledger.commit import Ledger
    from chainward.ledger.cosign import Cosigner
    from chainward.ledger.neighbours import WitnessStore

__all__ = [
    "AdvanceWitness",
    "KeepSplit",
    "KeepWitnessKey",
    "LogNotWitnessed",
    "SplitKept",
    "UnwitnessLog",
    "Witness",
    "WitnessKeyKept",
    "WitnessLog",
    "WitnessedLog",
]

_CONTEXT: Final = Context(PLATFORM, "witness")
_FRESH: Final = timedelta(seconds=30)
_MAX_KEYS: Final = 16


class LogNotWitnessed(Problem):
    """This platform is no witness of that log."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "witness-log-unknown"
    hint = "The operator of the witness adds a log with: chainward witness trust-log VERIFIER-KEY"


class SplitKept(Problem):
    """This evidence is kept already, or there is so much of it that more would prove nothing."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "witness-split-known"
    hint = "Nothing needs to be done."


class WitnessKeyKept(Problem):
    """This platform has a key to cosign with already."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "witness-key-kept"
    hint = "Nothing needs to be done; print the key with: chainward witness key"


@dataclass(frozen=True, slots=True)
class WitnessedLog:
    """A log whose checkpoints are cosigned, by which keys of it, and the newest state that was cosigned.

    ``note`` is that checkpoint with the lines of the log and ours, empty while nothing was cosigned (size 0).
    """

    origin: str
    keys: tuple[VerifierKey, ...]
    size: int
    root: bytes
    note: bytes


@dataclass(frozen=True, slots=True, repr=False)
class KeepWitnessKey(Write):
    """Keep the key with which this platform cosigns: the SubjectPublicKeyInfo, and the private half sealed.

    Refused with WitnessKeyKept when there is one: a witness has one key for ever.
    """

    public_key: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class WitnessLog(Write):
    """Be a witness of a log, which signs with these keys; its state goes on where it stood, if it ever was known."""

    origin: str
    keys: tuple[VerifierKey, ...]


@dataclass(frozen=True, slots=True)
class UnwitnessLog(Write):
    """Cosign a log no longer; its state stays. Refused with LogNotWitnessed."""

    origin: str


@dataclass(frozen=True, slots=True)
class AdvanceWitness(Write):
    """Remember a newer state of a log, if the present one is still ``old``; refused with WitnessAhead otherwise."""

    old: WitnessedLog
    checkpoint: Checkpoint
    note: bytes


@dataclass(frozen=True, slots=True)
class KeepSplit(Write):
    """Keep evidence of a split view; refused with SplitKept when it is known."""

    origin: str
    size: int
    root: bytes
    evidence: bytes


class Witness:
    """The witness that a platform is. Thread-safe."""

    def __init__(self, ledger: Ledger, store: WitnessStore, cosigner: Cosigner, clock: Clock) -> None:
        self._ledger = ledger
        self._store = store
        self._cosigner = cosigner
        self._clock = clock

    @property
    def key(self) -> VerifierKey:
        """What others need to know this witness."""
        return self._cosigner.key

    def logs(self) -> Sequence[WitnessedLog]:
        """Return the logs that are cosigned, by origin."""
        return self._store.logs()

    def add_checkpoint(self, body: bytes) -> bytes:
        """Cosign the checkpoint of a request and return the signature line, once that is durable.

        Raises:
            Malformed, TooLarge: not a request, or its old size is above that of the checkpoint.
            LogNotWitnessed: the log is not known here.
            CheckpointInvalid, SignatureInvalid: no key of the log signed it, or a line of such a key does not verify.
            WitnessAhead: the old size is not that of the newest checkpoint that was cosigned.
            ProofInvalid: the checkpoint does not extend that one.
        """
        request = parse_add_checkpoint(body)
        note = parse_note(request.note)
        checkpoint = parse_checkpoint(note.text)
        log = self._store.log(checkpoint.origin)
        if log is None:
            raise LogNotWitnessed(f"{checkpoint.origin[:120]} is no log that is cosigned here")
        own = _lines_of(note, log.keys)
        if request.old_size > checkpoint.size:
            raise Malformed("add-checkpoint request", "its old size is above that of the checkpoint")
        if request.old_size != log.size:
            raise WitnessAhead(log.size)
        self._check_growth(log, checkpoint, request.proof, note)
        return format_signatures([self._cosigned(log, checkpoint, Note(note.text, own))])

    def checkpoint(self, origin: str) -> bytes:
        """Return the newest checkpoint of a log that was cosigned here; raises LogNotWitnessed."""
        log = self._store.log(origin)
        if log is None or not log.note:
            raise LogNotWitnessed(f"no checkpoint of {origin[:120]} was cosigned here")
        return log.note

    def splits(self) -> Sequence[tuple[str, bytes]]:
        """Return the evidence of split views that is kept: the origin of the log, and the file."""
        return self._store.splits()

    def trust_log(self, key: VerifierKey, origin: str | None = None, *, context: Context) -> WitnessedLog:
        """Be a witness of the log ``origin`` (the name of the key, if none is given), which signs with ``key``.

        A log that is known already gets a further key.

        Raises:
            WitnessInvalid: a key that signs no checkpoints, or too many of them.
            KeyMalformed, KeyUnsupported: no key.
        """
        origin = key.name if origin is None else origin
        if key.type is SignatureType.COSIGNATURE or not 1 <= len(origin) <= 255 or "\n" in origin:  # noqa: PLR2004 - as host names
            raise WitnessInvalid("a log has an origin of one line, and a key of type 01 or 02")
        public_key_of(key)
        known = self._store.log(origin)
        keys = tuple(dict.fromkeys((*(known.keys if known else ()), key)))
        if len(keys) > _MAX_KEYS:
            raise WitnessInvalid(f"a log has at most {_MAX_KEYS} keys")
        fact = LogWitnessed(origin=origin, keys=tuple(map(str, keys)))
        self._ledger.commit([fact], [WitnessLog(origin, keys)], context=context)
        return WitnessedLog(origin, keys, known.size if known else 0, known.root if known else EMPTY_ROOT, b"")

    def distrust_log(self, origin: str, *, context: Context) -> None:
        """Cosign a log no longer; raises LogNotWitnessed."""
        self._ledger.commit([LogUnwitnessed(origin=origin)], [UnwitnessLog(origin)], context=context)

    def _check_growth(self, log: WitnessedLog, checkpoint: Checkpoint, proof: tuple[bytes, ...], note: Note) -> None:
        if checkpoint.size == log.size and checkpoint.root != log.root and log.note:
            self._keep_split(log, checkpoint, note)
        verify_consistency(log.size, checkpoint.size, proof, log.root, checkpoint.root)

    def _keep_split(self, log: WitnessedLog, checkpoint: Checkpoint, note: Note) -> None:
        evidence = encode_evidence(Evidence(log.origin, log.note, format_note(note), ()))
        fact = SplitViewRefused(origin=log.origin, size=log.size, root=log.root.hex(), other_root=checkpoint.root.hex())
        write = KeepSplit(log.origin, checkpoint.size, checkpoint.root, evidence)
        try:
            self._ledger.commit([fact], [write], context=_CONTEXT)
        except SplitKept:
            return

    def _cosigned(self, log: WitnessedLog, checkpoint: Checkpoint, signed: Note) -> NoteSignature:
        now = self._clock.now()
        again = self._made(log, signed, now)
        if again is not None:
            return again
        line = self._cosigner.cosign(signed.text, now)
        note = format_note(Note(signed.text, (*signed.signatures, line)))
        self._ledger.commit(writes=[AdvanceWitness(log, checkpoint, note)], context=_CONTEXT)
        return line

    def _made(self, log: WitnessedLog, signed: Note, now: datetime) -> NoteSignature | None:
        """Return the line that was made for this very text a moment ago: a replay costs no write."""
        if not log.note:
            return None
        known = parse_note(log.note)
        mine = signed_by(known, (self.key,))
        if known.text != signed.text or not mine or mine[0].at is None or not timedelta() <= now - mine[0].at < _FRESH:
            return None
        return _lines_of(known, (self.key,))[0]


def _lines_of(note: Note, keys: tuple[VerifierKey, ...]) -> tuple[NoteSignature, ...]:
    """Return the lines of known keys, one each, all verified.

    Raises:
        CheckpointInvalid: there is none.
        SignatureInvalid: one does not verify.
    """
    signed = signed_by(note, keys)
    if not signed:
        raise CheckpointInvalid("the checkpoint carries no signature of its log by a key that is known here")
    ids = {(each.key.name, each.key.key_id): None for each in signed}
    first = {(line.name, line.key_id): line for line in reversed(note.signatures)}
    return tuple(first[each] for each in ids)
