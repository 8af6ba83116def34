"""What the ledger needs from outside: logs that others publish, witnesses, and the memory of what they said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.formats.note import NoteSignature
    from chainward.formats.tile import EntriesPath, TilePath
    from chainward.ledger.witness import CosignedCheckpoint, NamedWitness
    from chainward.ledger.witnessed import WitnessedLog

__all__ = ["TileLog", "WitnessClient", "WitnessStore"]


class TileLog(Protocol):
    """A log as somebody publishes it (C2SP tlog-tiles): bytes that nobody has verified yet."""

    def checkpoint(self) -> bytes:
        """Return the newest checkpoint that is shown; raises a Problem of kind *unavailable*, as all methods do."""
        ...

    def tile(self, path: TilePath) -> bytes:
        """Return a tile, cut to the width that was asked for when only a wider one is left."""
        ...

    def entries(self, path: EntriesPath) -> bytes:
        """Return an entry bundle, cut to the width that was asked for when only a wider one is left."""
        ...


class WitnessClient(Protocol):
    """Talks to witnesses (C2SP tlog-witness); nothing that it returns is verified."""

    def submit(self, witness: NamedWitness, request: bytes) -> bytes:
        """Ask for a cosignature and return the signature lines.

        Raises:
            WitnessAhead: the witness last cosigned another size, which the problem tells.
            WitnessRefused: any other answer.
            WitnessUnreachable: none.
        """
        ...


class WitnessStore(Protocol):
    """What a platform remembers as a witness of others, and of the witnesses of its own logs. Any thread may read."""

    def log(self, origin: str) -> WitnessedLog | None:
        """Return a log for which the platform is a witness, with the newest state that it cosigned."""
        ...

    def logs(self) -> Sequence[WitnessedLog]:
        """Return all logs for which the platform is a witness, by origin."""
        ...

    def splits(self) -> Sequence[tuple[str, bytes]]:
        """Return the evidence of split views that is kept: the origin of the log, and the file."""
        ...

    def witnesses(self) -> Sequence[NamedWitness]:
        """Return the witnesses of the platform's own logs, by name."""
        ...

    def seen_size(self, witness: str, origin: str) -> int:
        """Return the size at which a witness last cosigned an own log, 0 if it never did."""
        ...

    def refusal(self, witness: str, origin: str) -> str:
        """Return the code with which a witness last refused to cosign an own log; empty if it cosigned since."""
        ...

    def cosigned(self, origin: str, threshold: int) -> CosignedCheckpoint | None:
        """Return the newest checkpoint of an own log that so many witnesses cosigned, with all their lines."""
        ...

    def lines(self, origin: str, size: int, root: bytes) -> tuple[NoteSignature, ...]:
        """Return the cosignatures of the checkpoint of an own log at this size and root."""
        ...
