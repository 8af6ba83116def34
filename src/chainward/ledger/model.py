r"""Facts, the writes that become durable with them, and what a commit gives back.

A fact's **envelope** is canonical JSON (RFC 8785) with the members ``actor``, ``body``, ``correlation``,
``occurred_at``, ``recorded_at``, ``schema``, ``subjects`` and ``tenant``. The log does not hold the envelope but a
**commitment** to it: ``"chainward.fact/1\n"`` and the SHA-256 of a 32-byte salt and the envelope. So a body can be
pruned when its retention ends, and what was pruned cannot be guessed from the log, while every proof stays valid.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from chainward.formats.codec import canonical_json, decode_json
from chainward.kernel.instant import parse_instant, rfc3339
from chainward.kernel.problem import Problem
from chainward.ledger.errors import FactTooLarge, LogTampered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from chainward.kernel.identity import Context
    from chainward.ledger.grown import Grown

__all__ = [
    "COMMITMENT_FORMAT",
    "FACT_LIMIT",
    "SALT_SIZE",
    "Draft",
    "Envelope",
    "Extent",
    "FactBody",
    "FollowerState",
    "LogHead",
    "Receipt",
    "Recorded",
    "StoredFact",
    "StoredLeaf",
    "StoredTile",
    "Unit",
    "Write",
    "commitment",
    "envelope_of",
    "open_envelope",
    "recorded",
]

FACT_LIMIT: Final = 16 * 1024
SALT_SIZE: Final = 32
COMMITMENT_FORMAT: Final = "chainward.fact/1"
_COMMITMENT_PREFIX: Final = COMMITMENT_FORMAT.encode() + b"\n"


class FactBody(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, in the words of one room. Each room lists its types in ``facts.py`` as ``FACTS``.

    Members are texts, integers, booleans, None, and lists or string-keyed mappings of those; never floats or secrets.
    ``schema`` is ``room.what-happened/version``; ``feeds`` names the SLIs (M1 to M10) and detections (F1 to F7) that
    are computed from the fact.
    """

    schema: ClassVar[str]
    feeds: ClassVar[tuple[str, ...]] = ()

    def subjects(self) -> tuple[str, ...]:
        """Return what the fact is about: digests of artifacts, or names such as ``signer:release``."""
        return ()


class Write:
    """Marker for an authoritative row change that becomes durable together with facts.

    Subclasses are frozen slotted dataclasses in the room that owns the rows. The store carries them out inside the
    transaction and may refuse with a Problem; then nothing of that commit exists.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A fact on its way into the ledger: everything but its index and the instant of recording."""

    body: FactBody
    context: Context
    occurred_at: datetime | None
    salt: bytes


@dataclass(frozen=True, slots=True)
class Unit:
    """What one commit makes durable together: facts, entries of other logs (origin, bytes), and writes.

    ``once``: an entry that its log has already is not appended again, and its position is where it stands. ``patient``:
    this is one of many, and gladly waits some milliseconds to share a durable write with them.
    """

    facts: tuple[Draft, ...] = ()
    entries: tuple[tuple[str, bytes], ...] = ()
    writes: tuple[Write, ...] = ()
    once: bool = False
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where the facts and the entries of a commit stand in their logs, in the order given.

    ``grown`` holds, by origin, what proves the entries that this commit appended, without asking the store.
    """

    facts: tuple[int, ...]
    entries: tuple[int, ...]
    recorded_at: datetime
    grown: Mapping[str, Grown] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LogHead:
    """The newest durable state of one log.

    ``content`` says what its leaves are: ``facts`` (commitments to facts) or ``entries`` (bytes that callers gave).
    ``checkpoint`` is the signed note over origin, size and root. A log with ``frozen_at`` takes no more entries.
    """

    origin: str
    content: str
    size: int
    root: bytes
    checkpoint: bytes
    moved_at: datetime
    frozen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FollowerState:
    """Who follows which facts (None: all), and the last fact that it has seen (-1: none)."""

    name: str
    schemas: frozenset[str] | None
    position: int

    def at(self, position: int) -> FollowerState:
        """Return the same follower at another position."""
        return FollowerState(self.name, self.schemas, position)


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact as the store holds it; envelope and salt are None once retention has pruned them."""

    index: int
    schema: str
    recorded_at: datetime
    envelope: bytes | None
    salt: bytes | None


@dataclass(frozen=True, slots=True)
class StoredLeaf:
    """A leaf of a log as the store holds it."""

    index: int
    hash: bytes
    entry: bytes


@dataclass(frozen=True, slots=True)
class StoredTile:
    """A tile as the store holds it; ``nodes`` are those between its hashes and its root, once it is complete."""

    hashes: bytes
    nodes: bytes | None


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a log is stored: the highest index of a leaf (-1 without any), and the number of tiles."""

    last_leaf: int
    tiles: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact read back. ``body`` is None once retention has pruned it; the commitment and the proofs remain."""

    index: int
    schema: str
    recorded_at: datetime
    envelope: bytes | None
    salt: bytes | None
    tenant: str = ""
    actor: str = ""
    correlation: str = ""
    occurred_at: datetime | None = None
    subjects: tuple[str, ...] = ()
    body: dict[str, Any] | None = None


class Envelope(msgspec.Struct, frozen=True):
    """The members of an envelope, as they stand in it."""

    actor: str
    body: dict[str, Any]
    correlation: str
    occurred_at: str
    recorded_at: str
    schema: str
    subjects: tuple[str, ...]
    tenant: str


def open_envelope(envelope: bytes) -> Envelope:
    """Read an envelope; raises Malformed or TooLarge."""
    return decode_json(envelope, Envelope, limit=FACT_LIMIT, what="fact", depth=None)


def recorded(stored: StoredFact) -> Recorded:
    """Read a stored fact.

    Raises:
        LogTampered: the envelope is not one that a ledger writes.
    """
    known = (stored.index, stored.schema, stored.recorded_at, stored.envelope, stored.salt)
    if stored.envelope is None:
        return Recorded(*known)
    try:
        parts = open_envelope(stored.envelope)
        occurred_at = parse_instant(parts.occurred_at)
    except Problem as problem:
        raise LogTampered(f"fact {stored.index}: its envelope cannot be read") from problem
    return Recorded(*known, parts.tenant, parts.actor, parts.correlation, occurred_at, parts.subjects, parts.body)


def envelope_of(draft: Draft, recorded_at: datetime) -> bytes:
    """Return the canonical envelope of a fact.

    Raises:
        FactTooLarge: above :data:`FACT_LIMIT` bytes.
    """
    context = draft.context
    now = rfc3339(recorded_at)
    envelope = canonical_json(
        {
            "actor": str(context.actor),
            "body": msgspec.to_builtins(draft.body),
            "correlation": context.correlation,
            "occurred_at": now if draft.occurred_at is None else rfc3339(draft.occurred_at),
            "recorded_at": now,
            "schema": draft.body.schema,
            "subjects": list(draft.body.subjects()),
            "tenant": context.tenant,
        }
    )
    if len(envelope) > FACT_LIMIT:
        raise FactTooLarge(f"a {draft.body.schema} fact of {len(envelope)} bytes exceeds {FACT_LIMIT}")
    return envelope


def commitment(salt: bytes, envelope: bytes) -> bytes:
    """Return the entry that stands in the facts log for an envelope."""
    return _COMMITMENT_PREFIX + hashlib.sha256(salt + envelope).digest()
