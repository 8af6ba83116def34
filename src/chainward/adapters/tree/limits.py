"""How much of a tree is read before it is called a bomb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["GIBIBYTE", "MEBIBYTE", "Limits"]

MEBIBYTE: Final = 1024 * 1024
GIBIBYTE: Final = 1024 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one tree; the defaults admit every image that people run, and no bomb.

    ``unpacked`` bounds the bytes of all layers together, ``ratio`` how many times larger than its compressed form a
    layer may be once it exceeds ``ratio_from``, ``entries`` the number of files, ``file`` one file that is read,
    ``kept`` all files that are read, ``header`` an extended header of an archive, and ``seconds`` the whole reading.
    """

    unpacked: int = 32 * GIBIBYTE
    ratio: int = 200
    ratio_from: int = 64 * MEBIBYTE
    entries: int = 3_000_000
    layers: int = 256
    file: int = 64 * MEBIBYTE
    kept: int = 512 * MEBIBYTE
    header: int = MEBIBYTE
    seconds: float = 600.0
