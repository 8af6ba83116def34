"""Checkpoints: the text by which a log commits itself to all its entries so far.

Follows C2SP tlog-checkpoint v1.0.0. In: the text of a note. Out: a :class:`Checkpoint`. Whether anybody signed it is
the note's matter (:mod:`chainward.formats.note`). Read strictly: ``parse_checkpoint(text).text() == text``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from chainward.formats.codec import decode_base64, encode_base64
from chainward.formats.errors import Malformed, Unwritable

__all__ = ["Checkpoint", "parse_checkpoint"]

_WHAT: Final = "checkpoint"
_SIZE: Final = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")
_MAX_TREE: Final = 2**63 - 1
_HASH_SIZE: Final = 32
_FIXED_LINES: Final = 3
_CONTROL: Final = re.compile("[\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Which log, how many entries, the Merkle root over them, and extension lines that we do not interpret."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """Write the text to be signed as a note; raises Unwritable."""
        lines = (self.origin, *self.extensions)
        if not all(lines) or any(_CONTROL.search(line) for line in lines):
            raise Unwritable(_WHAT, "origin and extensions must be non-empty lines")
        if not 0 <= self.size <= _MAX_TREE or len(self.root) != _HASH_SIZE:
            raise Unwritable(_WHAT, "needs a size of 0 to 2^63 - 1 and a root of 32 bytes")
        return "".join(f"{line}\n" for line in (self.origin, self.size, encode_base64(self.root), *self.extensions))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint note; raises Malformed."""
    lines = text.split("\n")
    if len(lines) <= _FIXED_LINES or lines.pop() != "":
        raise Malformed(_WHAT, "needs at least three lines, each ended by a newline")
    origin, size, root, *extensions = lines
    if not origin or not all(extensions) or _CONTROL.search("".join(lines)):
        raise Malformed(_WHAT, "has an empty line or a control character")
    if _SIZE.match(size) is None or int(size) > _MAX_TREE:
        raise Malformed(_WHAT, f"{size[:40]!r} is not a size")
    digest = decode_base64(root, what=f"{_WHAT}: root")
    if len(digest) != _HASH_SIZE:
        raise Malformed(_WHAT, f"the root has {len(digest)} bytes, not {_HASH_SIZE}")
    return Checkpoint(origin, int(size), digest, tuple(extensions))
