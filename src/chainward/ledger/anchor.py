"""Anchoring: the facts log vouches for the tree hashes of the platform's other logs.

Called from time to time. Each log that grew since its last anchor gets one fact ``ledger.checkpoint-anchored/1``; an
audit later holds every anchor against the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.kernel.identity import PLATFORM, Context
from chainward.ledger.errors import AnchorStale
from chainward.ledger.facts import CheckpointAnchored
from chainward.ledger.model import Write

if TYPE_CHECKING:
    from chainward.ledger.commit import Ledger

__all__ = ["MarkAnchored", "anchor"]

_CONTEXT: Final = Context(PLATFORM, "anchor")


@dataclass(frozen=True, slots=True)
class MarkAnchored(Write):
    """Remember the size at which a log was anchored; refused with AnchorStale unless that is the largest so far."""

    origin: str
    size: int


def anchor(ledger: Ledger, context: Context = _CONTEXT) -> tuple[CheckpointAnchored, ...]:
    """Anchor every log that grew since it was last anchored and return what was stated; nothing if none did.

    Replicas may do this at the same time: the one that comes second with an older state states nothing.
    """
    with ledger.view() as view:
        anchored = view.anchored()
        grown = [head for head in view.heads() if head.content != "facts" and head.size > anchored.get(head.origin, 0)]
    facts = tuple(CheckpointAnchored(origin=head.origin, size=head.size, root=head.root.hex()) for head in grown)
    if facts:
        try:
            ledger.commit(facts, [MarkAnchored(fact.origin, fact.size) for fact in facts], context=context)
        except AnchorStale:
            return ()
    return facts
