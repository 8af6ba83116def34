"""What a monitor keeps between two looks at a log, as a file: JSON, of one form, small.

The checkpoint stands in it as the log signed it, so a file that was tampered with is noticed: its signature is checked
again with every look. What it cannot tell is that somebody put an older file of the same log in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec
from msgspec import Struct

from chainward.formats.codec import decode_json
from chainward.kernel.instant import rfc3339
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["STATE_LIMIT", "Remembered", "StateUnusable", "decode_remembered", "encode_remembered"]

STATE_LIMIT: Final = 2 << 20
_FORMAT: Final = "chainward.monitor/1"
_WHAT: Final = "state of a monitor"


class StateUnusable(Problem):
    """A state file is not one of this log."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "monitor-state-unusable"
    hint = "Name the state file of this log; without one, the monitor begins anew and knows nothing of the past."


@dataclass(frozen=True, slots=True)
class Remembered:
    """The newest checkpoint that was believed, and how many entries below it were looked at."""

    checkpoint: bytes
    examined: int


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    origin: str
    checkpoint: str
    examined: int
    looked_at: str


def encode_remembered(remembered: Remembered, origin: str, at: datetime) -> bytes:
    """Write a state file for the log ``origin``."""
    document = _File(
        format=_FORMAT,
        origin=origin,
        checkpoint=remembered.checkpoint.decode(),
        examined=remembered.examined,
        looked_at=rfc3339(at),
    )
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


def decode_remembered(data: bytes, origin: str) -> Remembered:
    """Read a state file; raises TooLarge, Malformed, or StateUnusable if it is of another log."""
    document = decode_json(data, _File, limit=STATE_LIMIT, what=_WHAT)
    if document.format != _FORMAT or document.examined < 0:
        raise StateUnusable(f"this is not a state in the form {_FORMAT}")
    if document.origin != origin:
        raise StateUnusable(f"the state is of {document.origin[:120]}, not of {origin}")
    return Remembered(document.checkpoint.encode(), document.examined)
