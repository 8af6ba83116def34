"""The facts that the ledger states about itself."""

from __future__ import annotations

from typing import ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = ["FACTS", "CheckpointAnchored", "Opened"]


class Opened(FactBody, frozen=True, kw_only=True):
    """The ledger began; this is always fact 0, so that no other fact, and no proof, has the index 0.

    ``format`` names how a leaf of the facts log commits to its fact.
    """

    schema: ClassVar[str] = "ledger.opened/1"

    origin: str
    format: str

    def subjects(self) -> tuple[str, ...]:
        """Return the log that was opened."""
        return (f"log:{self.origin}",)


class CheckpointAnchored(FactBody, frozen=True, kw_only=True):
    """Another log of this platform had this tree hash at this size.

    The facts log thereby vouches for the others: whoever would rewrite one of them must rewrite the facts log as well.
    """

    schema: ClassVar[str] = "ledger.checkpoint-anchored/1"

    origin: str
    size: int
    root: str

    def subjects(self) -> tuple[str, ...]:
        """Return the log that was anchored."""
        return (f"log:{self.origin}",)


FACTS: Final[tuple[type[FactBody], ...]] = (Opened, CheckpointAnchored)
