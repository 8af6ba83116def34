"""Opening and freezing logs: writes that commit with the facts that say so.

A platform has one log of facts and, beside it, logs of entries: shards of the signature log and of the certificate log,
one after the other. A shard is opened together with the authority that signs it, and frozen when the next one takes
over; both happen inside a transaction, so every replica knows at once, and nothing that was sequenced later stands in a
frozen log.

Each log begins with a **genesis leaf**, so that no caller ever gets the index 0: clients that write protobuf-JSON drop
zeros, and a proof of a tree with one leaf is empty (both fields then look absent).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.ledger.model import Write

if TYPE_CHECKING:
    from chainward.ledger.ports import CheckpointSigner

__all__ = ["FreezeLog", "OpenLog", "genesis_entry"]


@dataclass(frozen=True, slots=True)
class OpenLog(Write):
    """Begin the log ``origin`` with its genesis leaf, under a first checkpoint by ``checkpoint_signer``.

    Refused with LogExists when there is, or ever was, a log of that origin. From this commit on the writer asks
    :class:`~chainward.ledger.ports.CheckpointSigners` for the signer.
    """

    origin: str
    checkpoint_signer: CheckpointSigner


@dataclass(frozen=True, slots=True)
class FreezeLog(Write):
    """Let the log ``origin`` take no entry that comes after this commit; its checkpoint then stands for ever.

    Refused with LogUnknown without such a log, with LogReserved for the facts log. A log that is frozen already stays
    so.
    """

    origin: str


def genesis_entry(origin: str) -> bytes:
    """Return the first entry of a log that is not the facts log."""
    return f"chainward genesis/1\n{origin}\n".encode()
