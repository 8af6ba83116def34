"""Which revocation stands against handing something out, as statements.

A manifest is *alive* when it is not revoked and can be reached from a root that is not: walking up from it through
indexes that are not revoked leads to something that has a tag or that no index lists. A blob is alive when one of the
manifests that refer to it is. What is not alive is refused, because of the oldest revocation on any way up.

Handing out an index whose images are partly revoked harms nobody, since each of them is refused by itself. A gate looks
down as well (:func:`revocation_below`): nobody knows which of the images a node will run, or has run before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select, text

from chainward.adapters.sql.metadata import Instant
from chainward.adapters.sql.registry_tables import REVOCATION
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName
from chainward.registry.model import Revocation

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Row, TextClause, TextualSelect

__all__ = [
    "anything_revoked",
    "refusal_of_blob",
    "refusal_of_manifest",
    "revocation_below",
    "revocation_of",
    "revocation_values",
]

_NOT_REVOKED = """NOT EXISTS (
    SELECT 1 FROM registry_revocation v WHERE v.digest = {column} AND v.scope IN ('', :repository))"""
_ONE: Final = "SELECT CAST(:digest AS TEXT) WHERE " + _NOT_REVOKED.format(column="CAST(:digest AS TEXT)")
_EDGES: Final = "SELECT e.manifest FROM registry_edge e WHERE e.repository = :repository AND e.blob = :digest"
_WALK: Final = """
WITH RECURSIVE reached(digest) AS (
  {seed}
  UNION
  SELECT c.parent FROM reached r JOIN registry_child c ON c.repository = :repository AND c.child = r.digest {filter}
)
"""
_ROOT: Final = """
SELECT 1 FROM reached r
 WHERE EXISTS (SELECT 1 FROM registry_tag t
                WHERE t.repository = :repository AND t.digest = r.digest AND t.deleted_at IS NULL)
    OR NOT EXISTS (SELECT 1 FROM registry_child c WHERE c.repository = :repository AND c.child = r.digest)
 LIMIT 1
"""
_DOWN: Final = """
WITH RECURSIVE reached(digest) AS (
  SELECT c.child FROM registry_child c WHERE c.repository = :repository AND c.parent = :digest
  UNION
  SELECT c.child FROM reached r JOIN registry_child c ON c.repository = :repository AND c.parent = r.digest
)
"""
_OLDEST: Final = """
SELECT v.digest, v.scope, v.reason, v.actor, v.revoked_at, v.fact_index
  FROM reached r JOIN registry_revocation v ON v.digest = r.digest AND v.scope IN ('', :repository)
 ORDER BY v.fact_index LIMIT 1
"""


def _statement(seed: str, tail: str, *, through_revoked: bool) -> TextClause:
    barrier = "" if through_revoked else "AND " + _NOT_REVOKED.format(column="c.parent")
    return text(_WALK.format(seed=seed, filter=barrier) + tail)


def _found(seed: str) -> TextualSelect:
    return _statement(seed, _OLDEST, through_revoked=True).columns(revoked_at=Instant)


_ROW: Final = (
    REVOCATION.c.digest,
    REVOCATION.c.scope,
    REVOCATION.c.reason,
    REVOCATION.c.actor,
    REVOCATION.c.revoked_at,
    REVOCATION.c.fact_index,
)
_OWN: Final = (
    select(*_ROW)
    .where(REVOCATION.c.digest == bindparam("digest"), REVOCATION.c.scope.in_(["", bindparam("repository")]))
    .order_by(REVOCATION.c.fact_index)
    .limit(1)
)
_EXACT: Final = select(*_ROW).where(
    REVOCATION.c.digest == bindparam("digest"), REVOCATION.c.scope == bindparam("scope")
)
_ANY: Final = text("SELECT 1 FROM registry_revocation LIMIT 1")
_MANIFEST_ALIVE: Final = _statement(_ONE, _ROOT, through_revoked=False)
_MANIFEST_BECAUSE: Final = _found("SELECT CAST(:digest AS TEXT)")
_BLOB_USED: Final = text(_EDGES + " LIMIT 1")
_BLOB_ALIVE: Final = _statement(
    f"{_EDGES} AND {_NOT_REVOKED.format(column='e.manifest')}", _ROOT, through_revoked=False
)
_BLOB_BECAUSE: Final = _found(_EDGES)
_BELOW: Final = text(_DOWN + _OLDEST).columns(revoked_at=Instant)


def anything_revoked(connection: Connection) -> bool:
    """Whether there is any revocation at all."""
    return connection.execute(_ANY).first() is not None


def revocation_of(connection: Connection, digest: Digest, repository: RepositoryName | None) -> Revocation | None:
    """Return the revocation of exactly this digest with exactly this reach."""
    keys = {"digest": str(digest), "scope": str(repository) if repository else ""}
    return _revocation(connection.execute(_EXACT, keys).first())


def refusal_of_manifest(connection: Connection, repository: RepositoryName, digest: Digest) -> Revocation | None:
    """Return the revocation because of which a manifest is refused."""
    keys = {"digest": str(digest), "repository": str(repository)}
    if not anything_revoked(connection) or connection.execute(_MANIFEST_ALIVE, keys).first():
        return None
    return _revocation(connection.execute(_MANIFEST_BECAUSE, keys).first())


def revocation_below(connection: Connection, repository: RepositoryName, digest: Digest) -> Revocation | None:
    """Return the oldest revocation of what an index lists, directly or through other indexes."""
    if not anything_revoked(connection):
        return None
    return _revocation(connection.execute(_BELOW, {"digest": str(digest), "repository": str(repository)}).first())


def refusal_of_blob(connection: Connection, repository: RepositoryName, digest: Digest) -> Revocation | None:
    """Return the revocation because of which a blob is refused."""
    keys = {"digest": str(digest), "repository": str(repository)}
    if not anything_revoked(connection):
        return None
    own = _revocation(connection.execute(_OWN, keys).first())
    if own is not None or connection.execute(_BLOB_ALIVE, keys).first():
        return own
    if connection.execute(_BLOB_USED, keys).first() is None:
        return None
    return _revocation(connection.execute(_BLOB_BECAUSE, keys).first())


def revocation_values(
    digest: str, scope: str, reason: str, actor: str, revoked_at: datetime, fact_index: int
) -> Revocation:
    """Return the revocation that a row holds."""
    repository = RepositoryName(scope) if scope else None
    return Revocation(Digest.parse(digest), repository, reason, actor, revoked_at, fact_index)


def _revocation(row: Row[*tuple[Any, ...]] | None) -> Revocation | None:
    if row is None:
        return None
    return revocation_values(row.digest, row.scope, row.reason, row.actor, row.revoked_at, row.fact_index)
