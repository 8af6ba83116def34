"""The projection that says which facts are about which subject: the index behind every timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Column, String, Table, bindparam, select

from chainward.adapters.sql.metadata import PROJECTIONS
from chainward.adapters.sql.projections import Projection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from chainward.adapters.sql.database import Database
    from chainward.ledger.model import Recorded

__all__ = ["SUBJECTS", "SUBJECT_FACT", "SqlSubjectIndex"]

SUBJECT_FACT: Final = Table(
    "subject_fact",
    PROJECTIONS,
    Column("subject", String, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
_NEWEST: Final = (
    select(SUBJECT_FACT.c.idx)
    .where(SUBJECT_FACT.c.subject == bindparam("b_subject"), SUBJECT_FACT.c.idx < bindparam("b_before"))
    .order_by(SUBJECT_FACT.c.idx.desc())
    .limit(bindparam("b_limit"))
)
_LAST: Final = (1 << 63) - 1
_INSERT: Final = {
    "sqlite": "INSERT INTO subject_fact (subject, idx) VALUES (?, ?) ON CONFLICT DO NOTHING",
    "postgresql": "INSERT INTO projection.subject_fact (subject, idx)"
    " SELECT * FROM unnest(%s::text[], %s::bigint[]) ON CONFLICT DO NOTHING",
}


def _apply(connection: Connection, facts: Sequence[Recorded]) -> None:
    rows = [(subject, fact.index) for fact in facts for subject in fact.subjects]
    if not rows:
        return
    statement = _INSERT[connection.dialect.name]
    if connection.dialect.name == "postgresql":
        subjects, indexes = zip(*rows, strict=True)
        connection.exec_driver_sql(statement, (list(subjects), list(indexes)))
    else:
        connection.exec_driver_sql(statement, rows)


SUBJECTS: Final = Projection("subjects", (SUBJECT_FACT,), _apply)


class SqlSubjectIndex:
    """Reads the projection; implements SubjectIndex."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def facts_about(self, subject: str, limit: int, before: int | None = None) -> list[int]:
        """Return the newest facts about a subject; see SubjectIndex."""
        keys = {"b_subject": subject, "b_before": _LAST if before is None else before, "b_limit": limit}
        with self._database.read() as connection:
            return list(connection.execute(_NEWEST, keys).scalars())
