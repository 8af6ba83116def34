"""Opening the logs of a platform for the first time, and checking on every later start that they are still ours.

The genesis leaf of the facts log is the commitment to fact 0, ``ledger.opened/1``; that of every other log is
:func:`~chainward.ledger.logs.genesis_entry`. Logs that are opened later, by a commit, are checked when they first grow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from chainward.adapters.sql import growth
from chainward.adapters.sql.batch import check_head
from chainward.adapters.sql.ledger import SqlLogView
from chainward.adapters.sql.metadata import microseconds
from chainward.kernel.identity import PLATFORM, Context
from chainward.ledger.errors import LogUnknown
from chainward.ledger.facts import Opened
from chainward.ledger.logs import genesis_entry
from chainward.ledger.model import COMMITMENT_FORMAT, SALT_SIZE, Draft, commitment, envelope_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from chainward.adapters.sql.database import Database
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock
    from chainward.ledger.ports import CheckpointSigner

__all__ = ["open_logs"]


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
            growth.create_log(connection, facts, "facts", commitment(draft.salt, envelope), now)
        for signer in others:
            if not _is_ours(connection, signer):
                growth.create_log(connection, signer, "entries", genesis_entry(signer.origin), now)


def _is_ours(connection: Connection, signer: CheckpointSigner) -> bool:
    """Whether the log exists; raises LogKeyChanged when it exists under another key."""
    try:
        head = SqlLogView(connection).head(signer.origin)
    except LogUnknown:
        return False
    check_head(head, signer)
    return True
