"""Opening the logs of a platform for the first time, and checking on every later start that they are still ours.

Each log begins with a **genesis leaf**, so that no caller ever gets the index 0: clients that write protobuf-JSON drop
zeros, and a proof of a tree with one leaf is empty (both fields then look absent). The genesis leaf of the facts log is
the commitment to fact 0, ``ledger.opened/1``; that of every other log is the entry
``chainward genesis/1``, newline, the origin, newline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from chainward.adapters.sql import growth
from chainward.adapters.sql.ledger import LOG_HEAD, SqlLogView
from chainward.adapters.sql.metadata import microseconds
from chainward.kernel.identity import PLATFORM, Context
from chainward.kernel.problem import Problem
from chainward.ledger.errors import LogKeyChanged, LogTampered, LogUnknown
from chainward.ledger.facts import Opened
from chainward.ledger.frontier import Frontier
from chainward.ledger.model import COMMITMENT_FORMAT, SALT_SIZE, Draft, commitment, envelope_of
from chainward.ledger.proofs import EMPTY_ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from chainward.adapters.sql.database import Database
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock
    from chainward.ledger.ports import CheckpointSigner

__all__ = ["genesis_entry", "open_logs"]


def genesis_entry(origin: str) -> bytes:
    """Return the first entry of a log that is not the facts log."""
    return f"chainward genesis/1\n{origin}\n".encode()


def open_logs(
    database: Database, facts: CheckpointSigner, others: Sequence[CheckpointSigner], clock: Clock, entropy: Entropy
) -> None:
    """Create the facts log and the other logs unless they exist; safe to call at every start, by every replica.

    Raises:
        LogKeyChanged: an existing log was signed by another key than the one given.
        LogTampered: the head of an existing log does not say what its checkpoint signs.
    """
    with database.writer.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE log_head IN SHARE ROW EXCLUSIVE MODE"))
        now = clock.now()
        if not _is_ours(connection, facts):
            draft = Draft(
                Opened(origin=facts.origin, format=COMMITMENT_FORMAT),
                Context(PLATFORM, "genesis"),
                None,
                entropy.bytes(SALT_SIZE),
            )
            envelope = envelope_of(draft, now)
            row = (0, Opened.schema, microseconds(now), envelope, draft.salt)
            growth.insert_facts(connection, [row])
            _create(connection, facts, "facts", commitment(draft.salt, envelope), now)
        for signer in others:
            if not _is_ours(connection, signer):
                _create(connection, signer, "entries", genesis_entry(signer.origin), now)


def _is_ours(connection: Connection, signer: CheckpointSigner) -> bool:
    """Whether the log exists; raises LogKeyChanged when it exists under another key."""
    try:
        head = SqlLogView(connection).head(signer.origin)
    except LogUnknown:
        return False
    try:
        checkpoint = signer.open(head.checkpoint)
    except Problem as problem:
        raise LogKeyChanged(f"the newest checkpoint of log {signer.origin} was not signed by its key") from problem
    if (checkpoint.size, checkpoint.root) != (head.size, head.root):
        raise LogTampered(f"the head of log {signer.origin} does not say what its checkpoint signs")
    return True


def _create(connection: Connection, signer: CheckpointSigner, content: str, entry: bytes, now: datetime) -> None:
    frontier = Frontier()
    hashes, _ = frontier.append([entry])
    head = growth.Head(signer.origin, content, 0, EMPTY_ROOT, now)
    growth.insert_leaves(connection, head, [entry], hashes, searchable=content == "entries")
    connection.execute(
        LOG_HEAD.insert(),
        {
            "origin": signer.origin,
            "content": content,
            "size": frontier.size,
            "root": frontier.root(),
            "checkpoint": signer.sign(frontier.size, frontier.root()),
            "moved_at": now,
        },
    )
