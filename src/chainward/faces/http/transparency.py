"""The tile logs over HTTP (C2SP tlog-tiles), and proofs as JSON for those who do not want to work with tiles.

The signature log and the certificate log are public, because a transparency log that only insiders can read proves
nothing. The active shard of the signature log is read at ``/api/v2/checkpoint`` and ``/api/v2/tile/…`` (and the same
without the prefix); every shard of both logs, frozen ones too, at ``/log/ORIGIN/…`` for ever. The same routes exist for
every log under ``/api/v1/logs/NAME`` for callers with a token; the leaves of the facts log are salted commitments, so
they reveal no fact. A complete tile never changes and is cacheable for ever; a checkpoint is never cached, and carries
the cosignatures that witnesses gave it so far.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import IMMUTABLE, NO_STORE, Answer, json_answer
from chainward.faces.http.routes import Needs, Public, Reach, Route
from chainward.formats.tile import TILE_WIDTH, parse_entries_path, parse_tile_path
from chainward.kernel.instant import rfc3339
from chainward.ledger.checkpoint import verifier_key_of
from chainward.ledger.errors import LogTampered, LogUnknown

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chainward.faces.http.requests import Call

__all__ = ["ROUTES"]

_NOTE: Final = "text/plain; charset=utf-8"
_BINARY: Final = "application/octet-stream"
_READ: Final = Needs(Permission.READ_LEDGER, Reach.ANYWHERE)
_OPEN: Final = Public("a transparency log is for everybody to check")


class LogView(Struct, frozen=True, kw_only=True):
    """One log: ``verifier_key`` is its key in the form of C2SP signed-note, ``key_id`` the hex of all its 32 bytes.

    ``frozen_at`` is when it ceased to take entries, null for an active one.
    """

    name: str
    origin: str
    size: int
    root: str
    moved_at: str
    frozen_at: str | None
    verifier_key: str
    key_id: str


class LogList(Struct, frozen=True, kw_only=True):
    """All logs of the platform."""

    logs: tuple[LogView, ...]


class AuditedLogView(Struct, frozen=True, kw_only=True):
    """A log that was found in order."""

    origin: str
    size: int
    root: str
    checkpoint: str


class AuditView(Struct, frozen=True, kw_only=True):
    """What an audit found; no findings mean that everything that is stored is what was logged."""

    logs: tuple[AuditedLogView, ...]
    facts: int
    pruned: int
    findings: tuple[str, ...]
    count: int


class AuditRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing needs to be said."""


class InclusionView(Struct, frozen=True, kw_only=True):
    """An inclusion proof; hashes are base64, nearest sibling first, ``checkpoint`` is the newest signed note."""

    origin: str
    index: int
    size: int
    leaf_hash: str
    root: str
    hashes: tuple[str, ...]
    checkpoint: str


class ConsistencyView(Struct, frozen=True, kw_only=True):
    """A consistency proof between two sizes of a log."""

    origin: str
    size1: int
    size2: int
    root1: str
    root2: str
    hashes: tuple[str, ...]
    checkpoint: str


def _list(call: Call) -> Answer:
    heads = {head.origin: head for head in call.platform.ledger.logs()}
    views = [
        LogView(
            name=name,
            origin=log.origin,
            size=heads[log.origin].size,
            root=_text(heads[log.origin].root),
            moved_at=rfc3339(heads[log.origin].moved_at),
            frozen_at=_instant(heads[log.origin].frozen_at),
            verifier_key=str(verifier_key_of(log.origin, log.public_key)),
            key_id=log.key_id.hex(),
        )
        for name, log in call.platform.logs.items()
    ]
    return json_answer(LogList(logs=tuple(views)))


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def _origin(call: Call) -> str:
    """Return the log that a request is about: by name or origin, by the origin of a public log, or the active one."""
    if "origin" in call.path:
        return call.platform.shards.of_origin(call.path["origin"]).log.origin
    name = call.path.get("log")
    if name is None:
        return call.platform.rekor.active().origin
    logs = call.platform.logs
    for known, log in logs.items():
        if name in {known, log.origin}:
            return log.origin
    raise LogUnknown(f"there is no log {name[:80]!r}, only {' and '.join(logs)}")


def _checkpoint(call: Call) -> Answer:
    origin = _origin(call)
    note = call.platform.witnessing.witnesses.decorated(origin, call.platform.ledger.checkpoint(origin))
    return Answer(note, 200, _NOTE, {"Cache-Control": NO_STORE})


def _tile(call: Call) -> Answer:
    path = parse_tile_path(call.path["path"])
    data = call.platform.ledger.tile(_origin(call), path)
    return _cached(data, path.width)


def _entries(call: Call) -> Answer:
    path = parse_entries_path(call.path["path"])
    data = call.platform.ledger.entries(_origin(call), path)
    return _cached(data, path.width)


def _cached(data: bytes, width: int) -> Answer:
    return Answer(data, 200, _BINARY, {"Cache-Control": IMMUTABLE if width == TILE_WIDTH else NO_STORE})


def _inclusion(call: Call) -> Answer:
    size = call.number("size", 0) or None
    proof = call.platform.ledger.inclusion(_origin(call), call.number("index"), size)
    return json_answer(
        InclusionView(
            origin=proof.origin,
            index=proof.index,
            size=proof.size,
            leaf_hash=_text(proof.leaf_hash),
            root=_text(proof.root),
            hashes=tuple(map(_text, proof.hashes)),
            checkpoint=proof.checkpoint.decode(),
        )
    )


def _consistency(call: Call) -> Answer:
    size2 = call.number("to", 0) or None
    proof = call.platform.ledger.consistency(_origin(call), call.number("from"), size2)
    return json_answer(
        ConsistencyView(
            origin=proof.origin,
            size1=proof.size1,
            size2=proof.size2,
            root1=_text(proof.root1),
            root2=_text(proof.root2),
            hashes=tuple(map(_text, proof.hashes)),
            checkpoint=proof.checkpoint.decode(),
        )
    )


def _audit(call: Call) -> Answer:
    call.decode(AuditRequest, "audit request")
    try:
        report = call.platform.audit()
    except LogTampered as tampered:
        findings = tuple(map(str, _listed(tampered.details.get("findings"))))
        count = tampered.details.get("count")
        return json_answer(
            AuditView(
                logs=(), facts=0, pruned=0, findings=findings, count=count if isinstance(count, int) else len(findings)
            )
        )
    logs = tuple(
        AuditedLogView(origin=log.origin, size=log.size, root=_text(log.root), checkpoint=log.checkpoint.decode())
        for log in report.logs
    )
    return json_answer(AuditView(logs=logs, facts=report.facts, pruned=report.pruned, findings=(), count=0))


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _tiles(prefix: str, access: Needs | Public, log: str) -> tuple[Route, ...]:
    """Return the routes of tlog-tiles below ``prefix``; the entries come first, their path is a kind of tile path."""
    rows: tuple[tuple[str, Callable[[Call], Answer], str, str], ...] = (
        ("checkpoint", _checkpoint, f"The newest signed checkpoint of {log}.", _NOTE),
        ("tile/entries/{path:path}", _entries, f"An entry bundle of {log}, such as 000 or 001.p/7.", _BINARY),
        ("tile/{path:path}", _tile, f"A tile of {log}, such as 0/000 or 1/000.p/3.", _BINARY),
    )
    return tuple(
        Route("GET", f"{prefix}/{path}", access, handler, summary, gives=gives)
        for path, handler, summary, gives in rows
    )


ROUTES = (
    Route("GET", "/api/v1/logs", _READ, _list, "List the logs with their keys.", gives=LogList),
    Route(
        "POST",
        "/api/v1/logs/audit",
        Needs(Permission.READ_LEDGER, Reach.PLATFORM),
        _audit,
        "Recompute everything that is stored and name whatever is not what was logged.",
        takes=AuditRequest,
        gives=AuditView,
    ),
    *_tiles("/api/v1/logs/{log}", _READ, "a log"),
    Route(
        "GET",
        "/api/v1/logs/{log}/proof",
        _READ,
        _inclusion,
        "Prove that a leaf is in a log.",
        gives=InclusionView,
        parameters=(("index", "Which leaf; required."), ("size", "In the tree of this size; the newest if not given.")),
    ),
    Route(
        "GET",
        "/api/v1/logs/{log}/consistency",
        _READ,
        _consistency,
        "Prove that a log only grew.",
        gives=ConsistencyView,
        parameters=(("from", "The older size; required."), ("to", "The newer size; the newest if not given.")),
    ),
    *_tiles("/api/v2", _OPEN, "the active shard of the signature log"),
    *_tiles("", _OPEN, "the active shard of the signature log"),
    *_tiles("/log/{origin}/api/v2", _OPEN, "a shard of the signature log, or of the certificate log"),
    *_tiles("/log/{origin}", _OPEN, "a shard of the signature log, or of the certificate log"),
)
