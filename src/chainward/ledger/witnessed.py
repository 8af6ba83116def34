"""Being a witness of other logs: which logs, and what was cosigned last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainward.formats.note import VerifierKey

__all__ = ["WitnessedLog"]


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
