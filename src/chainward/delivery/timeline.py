"""Everything that is known to have happened to an artifact: what, who, when, and the proof of it.

In: the digest of an artifact. Out: the facts about it and about what is attached to it, in order, each with the leaf of
the facts log that commits to it. A proof of inclusion is made on request, because it is only of use with the checkpoint
of the moment. Which facts are about what is read from a projection, so the newest may be missing for a moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.ledger.read import facts_about
from chainward.registry.facts import Pushed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainward.kernel.digest import Digest
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import Recorded
    from chainward.ledger.ports import LogView, SubjectIndex
    from chainward.ledger.read import Inclusion

__all__ = ["Event", "Timeline", "Timelines"]

_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Event:
    """A fact with the hash of its leaf in the facts log."""

    fact: Recorded
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Timeline:
    """Events in order; ``is_cut`` says that there are older ones than these."""

    digest: Digest
    events: tuple[Event, ...]
    is_cut: bool


class Timelines:
    """Makes timelines. Thread-safe."""

    def __init__(self, ledger: Ledger, subjects: SubjectIndex, facts_origin: str) -> None:
        self._ledger = ledger
        self._subjects = subjects
        self._origin = facts_origin

    def of(self, digest: Digest, *, limit: int = _LIMIT, before: int | None = None) -> Timeline:
        """Return the newest ``limit`` events about an artifact, those below the fact ``before``, in order."""
        with self._ledger.view() as view:
            found = self._facts(view, str(digest), limit, before)
            for referrer in _referrers(found.values(), str(digest)):
                found |= self._facts(view, referrer, limit, before)
            newest = sorted(found)[-limit:]
            head = view.head(self._origin)
            events = tuple(Event(found[index], self._ledger.prover.leaf(view, head, index)) for index in newest)
        return Timeline(digest, events, is_cut=len(found) >= limit)

    def proof(self, index: int) -> Inclusion:
        """Return the proof that an event stands in the facts log, as of its newest checkpoint; raises OutOfRange."""
        return self._ledger.inclusion(self._origin, index)

    def _facts(self, view: LogView, subject: str, limit: int, before: int | None) -> dict[int, Recorded]:
        return {fact.index: fact for fact in facts_about(view, self._subjects, subject, limit, before)}


def _referrers(facts: Iterable[Recorded], digest: str) -> list[str]:
    """Return what was attached to the artifact, as the facts about it say."""
    return [
        fact.body["digest"]
        for fact in facts
        if fact.schema == Pushed.schema and fact.body is not None and fact.body["subject"] == digest
    ]
