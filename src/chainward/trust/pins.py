"""Which states of the logs are believed after a compromise: those that were fixed before it, where the key has no say.

The facts log anchors every other log once a minute (:mod:`chainward.ledger.anchor`); the last anchor before the
compromise is therefore a state that the lost key cannot have made. An operator may pin other states, such as a
checkpoint that witnesses signed; they must be states that our own log really had, and had before: what lies beyond the
first anchor that is younger than the compromise was not there when the key was lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.formats.checkpoint import parse_checkpoint
from chainward.formats.note import parse_note
from chainward.ledger.checkpoint import open_checkpoint
from chainward.ledger.errors import OutOfRange
from chainward.ledger.facts import CheckpointAnchored
from chainward.trust.authority import PinnedCheckpoint
from chainward.trust.errors import AuthorityConflict, AuthorityUnknown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from chainward.ledger.commit import Ledger
    from chainward.trust.authority import AuthoritySnapshot

__all__ = ["anchored_before", "check_pins", "pin_of"]

_PAGE: Final = 1000
_SCHEMAS: Final = frozenset({CheckpointAnchored.schema})


def anchored_before(ledger: Ledger, origins: Collection[str], since: datetime) -> tuple[PinnedCheckpoint, ...]:
    """Return, for each of the logs, its last state that the facts log held before ``since``; no pin without one."""
    found: dict[str, PinnedCheckpoint] = {}
    for recorded_at, anchor in _anchors(ledger):
        if recorded_at >= since:
            break
        if anchor.origin in origins:
            found[anchor.origin] = anchor
    return tuple(sorted(found.values()))


def check_pins(ledger: Ledger, pins: Sequence[PinnedCheckpoint], since: datetime) -> None:
    """Return if every pin is a state that our own log of that origin had ``since`` then, as far as anchors tell.

    Raises:
        LogUnknown: there is no such log.
        AuthorityConflict: the log never had that state, or only later.
    """
    largest: dict[str, int] = {}
    for recorded_at, anchor in _anchors(ledger) if pins else ():
        if recorded_at >= since:
            largest.setdefault(anchor.origin, anchor.size)
    for pin in pins:
        try:
            root = ledger.consistency(pin.origin, pin.size).root1
        except OutOfRange:
            root = None
        if root != pin.root:
            raise AuthorityConflict(
                f"log {pin.origin} never had this tree hash at {pin.size}",
                hint="Pin a checkpoint of this very platform, from before the compromise. If its log signed another "
                "one, that is a split view: keep it as evidence.",
            )
        if pin.size > largest.get(pin.origin, pin.size):
            raise AuthorityConflict(
                f"log {pin.origin} had {pin.size} entries only after {since:%F %T}Z, when the key was lost already",
                hint="Pin a checkpoint from before the compromise, or none: then the last anchored state is pinned.",
            )


def _anchors(ledger: Ledger) -> Iterator[tuple[datetime, PinnedCheckpoint]]:
    """Give every state of a log that the facts log anchored, and when, the oldest first."""
    after = -1
    while page := ledger.facts(after, _PAGE, _SCHEMAS):
        for fact in page:
            body = fact.body
            if body is not None:
                root = bytes.fromhex(body["root"])
                yield fact.recorded_at, PinnedCheckpoint(body["origin"], body["size"], root)
        after = page[-1].index


def pin_of(note: bytes, snapshot: AuthoritySnapshot) -> PinnedCheckpoint:
    """Return the state in a checkpoint that one of our logs signed; cosignatures of witnesses may stand beside.

    Raises:
        Malformed: not a checkpoint.
        AuthorityUnknown: of a log that is none of ours.
        CheckpointInvalid, SignatureInvalid: not signed by its log.
    """
    origin = parse_checkpoint(parse_note(note).text).origin
    log = snapshot.of_origin(origin)
    if log is None:
        raise AuthorityUnknown(f"there is no log {origin[:80]!r} here")
    checkpoint = open_checkpoint(note, origin, log.public_key)
    return PinnedCheckpoint(origin, checkpoint.size, checkpoint.root)
