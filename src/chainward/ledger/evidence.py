"""Evidence that a log misbehaved: two checkpoints that it signed, and why they cannot both be true.

A file of evidence is JSON: the two signed notes as they were, and the nodes from which both roots follow
(:func:`chainward.ledger.tiles.fold_nodes`). It convicts the log before anybody who knows its key, without the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec
from msgspec import Struct

from chainward.formats.codec import decode_base64, decode_json, encode_base64
from chainward.kernel.problem import Kind, Problem
from chainward.ledger.cosign import open_signed
from chainward.ledger.tiles import fold_nodes

if TYPE_CHECKING:
    from chainward.formats.note import VerifierKey

__all__ = ["Evidence", "EvidenceInvalid", "decode_evidence", "encode_evidence", "verify_split"]

_FORMAT: Final = "chainward.log-evidence/1"
_LIMIT: Final = 4 << 20
_WHAT: Final = "evidence"
_MAX_NODES: Final = 64


class EvidenceInvalid(Problem):
    """What is said to be evidence of a split view proves none."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "evidence-invalid"
    hint = "Check that the key is that of the log; two checkpoints that are consistent are no evidence."


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two signed checkpoints of the log ``origin``, and the nodes between their sizes (none for equal sizes)."""

    origin: str
    first: bytes
    second: bytes
    nodes: tuple[bytes, ...]


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    origin: str
    first: str
    second: str
    nodes: tuple[str, ...]


def encode_evidence(evidence: Evidence) -> bytes:
    """Write a file of evidence."""
    document = _File(
        format=_FORMAT,
        origin=evidence.origin,
        first=evidence.first.decode(),
        second=evidence.second.decode(),
        nodes=tuple(map(encode_base64, evidence.nodes)),
    )
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"


def decode_evidence(data: bytes) -> Evidence:
    """Read a file of evidence, not verified; raises TooLarge, Malformed or EvidenceInvalid."""
    document = decode_json(data, _File, limit=_LIMIT, what=_WHAT)
    if document.format != _FORMAT or len(document.nodes) > _MAX_NODES:
        raise EvidenceInvalid(f"this is not evidence in the form {_FORMAT}")
    nodes = tuple(decode_base64(node, what=_WHAT) for node in document.nodes)
    return Evidence(document.origin, document.first.encode(), document.second.encode(), nodes)


def verify_split(evidence: Evidence, keys: tuple[VerifierKey, ...]) -> tuple[int, int]:
    """Return the sizes of two trees that the log signed and that contradict each other.

    Raises:
        EvidenceInvalid: they do not, or the nodes do not show it.
        CheckpointInvalid, SignatureInvalid: the log did not sign one of them.
    """
    first, _ = open_signed(evidence.first, evidence.origin, keys)
    second, _ = open_signed(evidence.second, evidence.origin, keys)
    if first.size == second.size:
        if first.root == second.root or evidence.nodes:
            raise EvidenceInvalid("the two checkpoints are of the same tree")
        return first.size, second.size
    if not 0 < first.size < second.size:
        raise EvidenceInvalid("the first checkpoint must be of the smaller tree, and not of the empty one")
    older, newer = fold_nodes(first.size, second.size, evidence.nodes)
    if newer != second.root:
        raise EvidenceInvalid("the nodes do not lead to the root of the second checkpoint")
    if older == first.root:
        raise EvidenceInvalid("the second tree extends the first one")
    return first.size, second.size
