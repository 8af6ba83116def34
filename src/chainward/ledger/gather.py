"""Having the platform's own logs witnessed: each checkpoint goes to every witness, and what comes back is kept.

A witness that lags is caught up with a proof from where it stands. A witness that saw **more** of a log than there is,
or another tree, is an alarm: then this platform was restored from an old backup, or somebody else signs with its key. A
fact says so once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.formats.checkpoint import parse_checkpoint
from chainward.formats.note import Note, format_signatures, parse_note, parse_signatures
from chainward.formats.witness import AddCheckpoint, format_add_checkpoint
from chainward.kernel.identity import PLATFORM, Context
from chainward.kernel.problem import Problem
from chainward.ledger.cosign import signed_by
from chainward.ledger.facts import WitnessAdded, WitnessDisagreed, WitnessRemoved
from chainward.ledger.model import Write
from chainward.ledger.witness import Unwitnessed, WitnessAhead, WitnessRefused, WitnessUnreachable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import LogHead
    from chainward.ledger.neighbours import WitnessClient, WitnessStore
    from chainward.ledger.witness import CosignedCheckpoint, NamedWitness

__all__ = ["AddWitness", "KeepCosignature", "NoteRefusal", "RemoveWitness", "Submission", "Witnesses"]

_CONTEXT: Final = Context(PLATFORM, "witnesses")
_MESSAGE: Final = 300


@dataclass(frozen=True, slots=True)
class AddWitness(Write):
    """Ask this witness from now on; refused with WitnessExists when its name or its key is taken."""

    witness: NamedWitness


@dataclass(frozen=True, slots=True)
class RemoveWitness(Write):
    """Ask this witness no longer, and forget what it cosigned; refused with WitnessUnknown."""

    name: str


@dataclass(frozen=True, slots=True)
class KeepCosignature(Write):
    """Keep a cosignature of a checkpoint of an own log, which is ``note`` as the log signed it.

    Older checkpoints are forgotten once a newer one has ``threshold`` cosignatures.
    """

    witness: str
    origin: str
    size: int
    root: bytes
    note: bytes
    line: bytes
    at: datetime
    threshold: int


@dataclass(frozen=True, slots=True)
class NoteRefusal(Write):
    """Remember why a witness did not cosign the log at this size."""

    witness: str
    origin: str
    size: int
    code: str


@dataclass(frozen=True, slots=True)
class Submission:
    """What came of asking one witness about one log; ``problem`` is None when it cosigned."""

    witness: str
    origin: str
    size: int
    problem: Problem | None


class Witnesses:
    """The witnesses of a platform's own logs. Thread-safe; replicas may do the same at the same time.

    ``threshold`` is how many witnesses must have cosigned a checkpoint before it is given out as witnessed.
    """

    def __init__(self, ledger: Ledger, store: WitnessStore, client: WitnessClient, *, threshold: int = 1) -> None:
        self._ledger = ledger
        self._store = store
        self._client = client
        self.threshold = threshold

    def listed(self) -> Sequence[NamedWitness]:
        """Return all witnesses, by name."""
        return self._store.witnesses()

    def add(self, witness: NamedWitness, *, context: Context) -> None:
        """Ask a witness from now on; raises WitnessExists."""
        fact = WitnessAdded(name=witness.name, url=witness.url, key=str(witness.key))
        self._ledger.commit([fact], [AddWitness(witness)], context=context)

    def remove(self, name: str, *, context: Context) -> None:
        """Ask a witness no longer; raises WitnessUnknown."""
        self._ledger.commit([WitnessRemoved(name=name)], [RemoveWitness(name)], context=context)

    def submit(self) -> tuple[Submission, ...]:
        """Submit the newest checkpoint of every log but the facts log to every witness that has not cosigned it.

        A witness that does not answer is not asked about the other logs; no witness is waited for by another.
        """
        heads = [head for head in self._ledger.logs() if head.content != "facts"]
        return tuple(each for witness in self._store.witnesses() for each in self._ask(witness, heads))

    def cosigned(self, origin: str) -> CosignedCheckpoint:
        """Return the newest checkpoint of an own log that enough witnesses cosigned; raises Unwitnessed."""
        found = self._store.cosigned(origin, self.threshold)
        if found is None:
            raise Unwitnessed(f"no checkpoint of {origin} is cosigned by {self.threshold} witnesses")
        return found

    def decorated(self, origin: str, note: bytes) -> bytes:
        """Return a checkpoint with the cosignatures that are there for this very checkpoint, if any are."""
        checkpoint = parse_checkpoint(parse_note(note).text)
        lines = () if checkpoint.extensions else self._store.lines(origin, checkpoint.size, checkpoint.root)
        return note + format_signatures(lines)

    def _ask(self, witness: NamedWitness, heads: Sequence[LogHead]) -> list[Submission]:
        told: list[Submission] = []
        for head in heads:
            if self._store.seen_size(witness.name, head.origin) == head.size:
                continue
            problem = self._submit(witness, head)
            told.append(Submission(witness.name, head.origin, head.size, problem))
            if isinstance(problem, WitnessUnreachable):
                break
        return told

    def _submit(self, witness: NamedWitness, head: LogHead) -> Problem | None:
        """Get one checkpoint cosigned and keep that; returns why not, if not."""
        try:
            line = self._cosignature(witness, head)
        except (WitnessAhead, WitnessRefused) as problem:
            self._note_refusal(witness, head, problem)
            return problem
        except Problem as problem:
            return problem  # it does not answer, or with what is none: that says nothing about the log
        self._ledger.commit(writes=[line], context=_CONTEXT)
        return None

    def _cosignature(self, witness: NamedWitness, head: LogHead) -> KeepCosignature:
        seen = self._store.seen_size(witness.name, head.origin)
        try:
            answer = self._client.submit(witness, self._request(head, min(seen, head.size)))
        except WitnessAhead as ahead:
            if ahead.size > head.size:
                raise
            answer = self._client.submit(witness, self._request(head, ahead.size))
        text = parse_note(head.checkpoint).text
        lines = [line for line in parse_signatures(answer) if line.name == witness.key.name]
        signed = signed_by(Note(text, tuple(lines)), (witness.key,))
        if not signed or signed[0].at is None:
            raise WitnessUnreachable(
                f"witness {witness.name} answered without a cosignature by the key that it has here"
            )
        kept = next(line for line in lines if line.key_id == witness.key.key_id)
        return KeepCosignature(
            witness.name,
            head.origin,
            head.size,
            head.root,
            head.checkpoint,
            format_signatures([kept]),
            signed[0].at,
            self.threshold,
        )

    def _request(self, head: LogHead, old_size: int) -> bytes:
        hashes: tuple[bytes, ...] = ()
        if 0 < old_size < head.size:
            hashes = tuple(self._ledger.consistency(head.origin, old_size, head.size).hashes)
        return format_add_checkpoint(AddCheckpoint(old_size, hashes, head.checkpoint))

    def _note_refusal(self, witness: NamedWitness, head: LogHead, problem: Problem) -> None:
        """State that a witness disagrees, once until it agrees or disagrees about something else."""
        if self._store.refusal(witness.name, head.origin) == problem.code:
            return
        fact = WitnessDisagreed(
            witness=witness.name,
            origin=head.origin,
            size=head.size,
            code=problem.code,
            message=problem.message[:_MESSAGE],
        )
        write = NoteRefusal(witness.name, head.origin, head.size, problem.code)
        self._ledger.commit([fact], [write], context=_CONTEXT)
