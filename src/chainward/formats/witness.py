"""What is said to a witness, and what it says: the bodies of C2SP tlog-witness ``add-checkpoint``.

In: a request body, ``old N``, the hashes of a consistency proof one a line, an empty line, and a checkpoint. Out: an
:class:`AddCheckpoint`, of which nothing is verified. Read strictly: ``format_add_checkpoint(parse(body)) == body``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from chainward.formats.codec import check_size, decode_base64, encode_base64
from chainward.formats.errors import Malformed, Unwritable

__all__ = [
    "MAX_ADD_CHECKPOINT",
    "SIZE_MEDIA_TYPE",
    "AddCheckpoint",
    "format_add_checkpoint",
    "format_size",
    "parse_add_checkpoint",
    "parse_size",
]

MAX_ADD_CHECKPOINT: Final = 256 * 1024
SIZE_MEDIA_TYPE: Final = "text/x.tlog.size"
_WHAT: Final = "add-checkpoint request"
_SIZE_WHAT: Final = "size of a log"
_OLD: Final = re.compile(rb"old (0|[1-9][0-9]{0,18})\Z")
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n\Z")
_MAX_TREE: Final = 2**63 - 1
_MAX_PROOF: Final = 63
_HASH_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A checkpoint to be cosigned (a note, as bytes), the size it starts from, and the proof that it extends that."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read a request; raises TooLarge or Malformed."""
    check_size(body, limit=MAX_ADD_CHECKPOINT, what=_WHAT)
    head, blank, note = body.partition(b"\n\n")
    if not blank:
        raise Malformed(_WHAT, "no empty line stands before the checkpoint")
    old, *hashes = head.split(b"\n", _MAX_PROOF + 1)
    match = _OLD.match(old)
    if match is None or int(match[1]) > _MAX_TREE:
        raise Malformed(_WHAT, f"{old[:40]!r} is not an old size")
    if len(hashes) > _MAX_PROOF:
        raise Malformed(_WHAT, f"has more than {_MAX_PROOF} hashes")
    return AddCheckpoint(int(match[1]), tuple(map(_hash, hashes)), note)


def format_add_checkpoint(request: AddCheckpoint) -> bytes:
    """Write a request; raises Unwritable."""
    if not 0 <= request.old_size <= _MAX_TREE or len(request.proof) > _MAX_PROOF:
        raise Unwritable(_WHAT, f"needs a size of a tree, and at most {_MAX_PROOF} hashes")
    if any(len(each) != _HASH_SIZE for each in request.proof):
        raise Unwritable(_WHAT, "a hash in a proof has 32 bytes")
    lines = "".join(f"{line}\n" for line in (f"old {request.old_size}", *map(encode_base64, request.proof)))
    return f"{lines}\n".encode() + request.note


def parse_size(body: bytes) -> int:
    """Read the size with which a witness answers 409; raises Malformed."""
    match = _SIZE.match(body)
    if match is None or int(match[1]) > _MAX_TREE:
        raise Malformed(_SIZE_WHAT, f"{body[:40]!r} is none")
    return int(match[1])


def format_size(size: int) -> bytes:
    """Write the size with which a witness answers 409."""
    return f"{size}\n".encode()


def _hash(line: bytes) -> bytes:
    value = decode_base64(line.decode("ascii", "replace"), what=_WHAT)
    if len(value) != _HASH_SIZE:
        raise Malformed(_WHAT, f"a hash has {len(value)} bytes, not {_HASH_SIZE}")
    return value
