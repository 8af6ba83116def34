"""Where signatures came in: one row for each signature and repository, written with the manifest that brought it.

Rows are only added, and a row that is added later stands later: which repository was first never changes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Column, String, Table
from sqlalchemy.dialects import postgresql, sqlite

from chainward.adapters.sql.metadata import METADATA, Instant
from chainward.delivery.publication import NotePublication
from chainward.kernel.name import RepositoryName
from chainward.trust.published import Publication

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.kernel.digest import Digest
    from chainward.ledger.model import Write

__all__ = ["SIGNATURE_PUBLICATION", "WRITES", "SqlPublications"]

SIGNATURE_PUBLICATION: Final = Table(
    "signature_publication",
    METADATA,
    Column("signature", String, primary_key=True),
    Column("repository", String, primary_key=True),
    Column("published_at", Instant, nullable=False),
    Column("fact_index", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SELECT: Final = (
    "SELECT repository, published_at, fact_index FROM signature_publication WHERE signature = ? "
    "ORDER BY fact_index LIMIT 1000"
)
# Nearly every signature came into one repository: then the cheapest read there is suffices.
_FIRST: Final = """
SELECT p.repository, p.published_at, p.fact_index,
       EXISTS (SELECT 1 FROM signature_publication o WHERE o.signature = p.signature AND o.repository <> p.repository)
  FROM signature_publication p WHERE p.signature = ? ORDER BY p.fact_index LIMIT 1
"""


class SqlPublications:
    """The PublicationRecord over SQLite or PostgreSQL; for the driver itself, because every new verdict asks it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        mark = "%s" if database.dialect_name == "postgresql" else "?"
        self._first, self._select = _FIRST.replace("?", mark), _SELECT.replace("?", mark)

    def publications(self, signature: Digest) -> Sequence[Publication]:
        """Return the first thousand repositories that a signature came into, in order."""
        asked = (str(signature),)
        first = self._database.first(self._first, asked)
        if first is None:
            return []
        *row, are_more = first
        if not are_more:
            return [_publication(*row)]
        with self._database.read() as connection:
            return [_publication(*row) for row in connection.exec_driver_sql(self._select, asked)]


def _publication(name: str, at: int, index: int) -> Publication:
    return Publication(RepositoryName(name), _EPOCH + timedelta(microseconds=at), index)


def _note(scope: Scope, write: NotePublication) -> None:
    dialect: Any = postgresql if scope.dialect_name == "postgresql" else sqlite
    row = {
        "signature": str(write.signature),
        "repository": str(write.repository),
        "published_at": scope.now,
        "fact_index": scope.fact_index,
    }
    scope.connection.execute(dialect.insert(SIGNATURE_PUBLICATION).values(row).on_conflict_do_nothing())


WRITES: Final[Mapping[type[Write], Handler]] = {NotePublication: _note}
