"""Timestamped cosignatures: how a witness says which tree of a log it saw, and when.

Follows C2SP tlog-cosignature, the Ed25519 type (04): a note signature whose bytes are a 64-bit POSIX time and an
Ed25519 signature over the lines ``cosignature/v1``, ``time N`` and the whole text of the checkpoint. In: the bytes of
a signature line. Out: a :class:`Cosignature`, not verified. Who may be believed is :mod:`chainward.ledger.cosign`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from chainward.formats.errors import Malformed, Unwritable
from chainward.formats.note import SignatureType, note_key_id

__all__ = [
    "Cosignature",
    "cosignature_key_id",
    "cosigned_message",
    "decode_cosignature",
    "encode_cosignature",
]

_WHAT: Final = "cosignature"
_HEADER: Final = "cosignature/v1\n"
_TIME_SIZE: Final = 8
_SIGNATURE_SIZE: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_TIME: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """When the cosigner signed (POSIX seconds), and its signature over :func:`cosigned_message`."""

    timestamp: int
    signature: bytes

    @property
    def instant(self) -> datetime:
        """When the cosigner says that it signed."""
        return _EPOCH + timedelta(seconds=self.timestamp)


def cosignature_key_id(name: str, raw: bytes) -> bytes:
    """Return all 32 bytes of the key hash, SHA-256(name ‖ 0A ‖ 04 ‖ key); signature lines carry the first four."""
    return note_key_id(name, SignatureType.COSIGNATURE, raw)


def cosigned_message(timestamp: int, text: str) -> bytes:
    r"""Return what a cosigner signs for the text of a checkpoint; raises Unwritable for a time that is none.

    >>> cosigned_message(1679315147, "example.com/behind-the-sofa\n1\n...\n")
    b'cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n1\n...\n'
    """
    if not 0 < timestamp <= _MAX_TIME:
        raise Unwritable(_WHAT, f"{timestamp} is not a time")
    return f"{_HEADER}time {timestamp}\n{text}".encode()


def decode_cosignature(data: bytes) -> Cosignature:
    """Read the bytes that follow the key id in a signature line.

    Raises:
        Malformed: another length, no time (0 means that the cosigner does not say when), or one after the year 9999.
    """
    if len(data) != _TIME_SIZE + _SIGNATURE_SIZE:
        raise Malformed(_WHAT, f"has {len(data)} bytes, not {_TIME_SIZE + _SIGNATURE_SIZE}")
    timestamp = int.from_bytes(data[:_TIME_SIZE], "big")
    if not 0 < timestamp <= _MAX_TIME:
        raise Malformed(_WHAT, f"{timestamp} is not a time")
    return Cosignature(timestamp, data[_TIME_SIZE:])


def encode_cosignature(cosignature: Cosignature) -> bytes:
    """Write what :func:`decode_cosignature` reads; raises Unwritable."""
    if not 0 < cosignature.timestamp <= _MAX_TIME or len(cosignature.signature) != _SIGNATURE_SIZE:
        raise Unwritable(_WHAT, "needs a time, and an Ed25519 signature of 64 bytes")
    return cosignature.timestamp.to_bytes(_TIME_SIZE, "big") + cosignature.signature
