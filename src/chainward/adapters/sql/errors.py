"""What can go wrong between Chainward and its database."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = ["DatabaseUnavailable", "SchemaMismatch"]


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
