"""What can go wrong between Chainward and its database."""

from __future__ import annotations

import sqlite3
from typing import ClassVar, Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from chainward.kernel.problem import Kind, Problem

__all__ = ["DatabaseUnavailable", "SchemaMismatch", "is_outage"]

_PRIMARY: Final = 0xFF
_OWN_FAULT: Final = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY})


class DatabaseUnavailable(Problem):
    """The database cannot be reached or does not answer."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "database-unavailable"
    hint = "Check the database URL, that the server runs, and that the disk is not full."


class SchemaMismatch(Problem):
    """The database was written by another version of Chainward."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "database-schema-mismatch"
    hint = "Run: chainward up --migrate (after a backup), or use the version that wrote the database."


def is_outage(error: DBAPIError) -> bool:
    """Whether the database failed (lost, locked, full, broken), rather than the statement that it was given.

    SQLite reports both as OperationalError; only its result code tells a missing table from a full disk.
    """
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is None or code & _PRIMARY not in _OWN_FAULT
