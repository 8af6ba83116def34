"""The facts that the ledger states about itself."""

from __future__ import annotations

from typing import ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = [
    "FACTS",
    "CheckpointAnchored",
    "LogUnwitnessed",
    "LogWitnessed",
    "Opened",
    "SplitViewRefused",
    "WitnessAdded",
    "WitnessDisagreed",
    "WitnessEstablished",
    "WitnessRemoved",
]


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


class WitnessEstablished(FactBody, frozen=True, kw_only=True):
    """The platform became able to be a witness of other logs, under this verifier key."""

    schema: ClassVar[str] = "ledger.witness-established/1"

    key: str

    def subjects(self) -> tuple[str, ...]:
        """Return the witness by its name."""
        return (f"witness:{self.key.partition('+')[0]}",)


class LogWitnessed(FactBody, frozen=True, kw_only=True):
    """The platform is a witness of a log of somebody else, which signs with one of these verifier keys."""

    schema: ClassVar[str] = "ledger.log-witnessed/1"

    origin: str
    keys: tuple[str, ...]

    def subjects(self) -> tuple[str, ...]:
        """Return the log."""
        return (f"log:{self.origin}",)


class LogUnwitnessed(FactBody, frozen=True, kw_only=True):
    """The platform is no witness of that log any more."""

    schema: ClassVar[str] = "ledger.log-unwitnessed/1"

    origin: str

    def subjects(self) -> tuple[str, ...]:
        """Return the log."""
        return (f"log:{self.origin}",)


class SplitViewRefused(FactBody, frozen=True, kw_only=True):
    """A log asked for a cosignature on a second tree of one size: it shows different people different logs.

    The evidence is kept: both checkpoints as the log signed them.
    """

    schema: ClassVar[str] = "ledger.split-view-refused/1"
    feeds: ClassVar[tuple[str, ...]] = ("F2",)

    origin: str
    size: int
    root: str
    other_root: str

    def subjects(self) -> tuple[str, ...]:
        """Return the log."""
        return (f"log:{self.origin}",)


class WitnessAdded(FactBody, frozen=True, kw_only=True):
    """The platform asks this witness to cosign its own logs."""

    schema: ClassVar[str] = "ledger.witness-added/1"

    name: str
    url: str
    key: str

    def subjects(self) -> tuple[str, ...]:
        """Return the witness."""
        return (f"witness:{self.name}",)


class WitnessRemoved(FactBody, frozen=True, kw_only=True):
    """The platform asks this witness no longer."""

    schema: ClassVar[str] = "ledger.witness-removed/1"

    name: str

    def subjects(self) -> tuple[str, ...]:
        """Return the witness."""
        return (f"witness:{self.name}",)


class WitnessDisagreed(FactBody, frozen=True, kw_only=True):
    """A witness will not cosign an own log, for a reason that lies in the log: it saw more of it, or another tree.

    That is how a platform learns that it was restored from a backup, or that somebody else signs with its key.
    """

    schema: ClassVar[str] = "ledger.witness-disagreed/1"
    feeds: ClassVar[tuple[str, ...]] = ("F2",)

    witness: str
    origin: str
    size: int
    code: str
    message: str

    def subjects(self) -> tuple[str, ...]:
        """Return the log and the witness."""
        return (f"log:{self.origin}", f"witness:{self.witness}")


FACTS: Final[tuple[type[FactBody], ...]] = (
    Opened,
    CheckpointAnchored,
    WitnessEstablished,
    LogWitnessed,
    LogUnwitnessed,
    SplitViewRefused,
    WitnessAdded,
    WitnessRemoved,
    WitnessDisagreed,
)
