"""Tables and statements of witnessing: what this platform cosigned for others, and what others cosigned for it.

That a witness never goes back rests on one statement: the row of a log moves only if it still has the size **and** root
on which the proof was checked. Handlers of all replicas run one after the other, behind the lock on the heads of the
logs; the condition holds even without that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from chainward.adapters.sql.metadata import METADATA, Instant
from chainward.formats.note import VerifierKey, parse_signatures
from chainward.ledger.gather import AddWitness, KeepCosignature, NoteRefusal, RemoveWitness
from chainward.ledger.proofs import EMPTY_ROOT
from chainward.ledger.witness import CosignedCheckpoint, NamedWitness, WitnessAhead, WitnessExists, WitnessUnknown
from chainward.ledger.witnessed import (
    AdvanceWitness,
    KeepSplit,
    KeepWitnessKey,
    LogNotWitnessed,
    SplitKept,
    UnwitnessLog,
    WitnessedLog,
    WitnessKeyKept,
    WitnessLog,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row, Select

    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler, Scope
    from chainward.formats.note import NoteSignature
    from chainward.ledger.model import Write

__all__ = ["WITNESSED_LOG", "WRITES", "SqlWitnessStore"]

WITNESS_KEY: Final = Table(
    "witness_key",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sealed_key", LargeBinary, nullable=False),
)
WITNESSED_LOG: Final = Table(
    "witnessed_log",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("keys", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("moved_at", Instant, nullable=False),
    Column("removed_at", Instant),
)
WITNESSED_SPLIT: Final = Table(
    "witnessed_split",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, primary_key=True),
    Column("evidence", LargeBinary, nullable=False),
    Column("seen_at", Instant, nullable=False),
)
WITNESS: Final = Table(
    "witness",
    METADATA,
    Column("name", String, primary_key=True),
    Column("url", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("added_at", Instant, nullable=False),
)
WITNESS_REFUSAL: Final = Table(
    "witness_refusal",
    METADATA,
    Column("witness", String, primary_key=True),
    Column("origin", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("code", String, nullable=False),
    Column("refused_at", Instant, nullable=False),
)
COSIGNATURE: Final = Table(
    "cosignature",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", String, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("line", LargeBinary, nullable=False),
    Column("cosigned_at", Instant, nullable=False),
)

_THE_ROW: Final = 1
_MAX_SPLITS: Final = 100
_SELECT_KEY = select(WITNESS_KEY.c.public_key, WITNESS_KEY.c.sealed_key).where(WITNESS_KEY.c.id == _THE_ROW)
_SELECT_LOGS = select(WITNESSED_LOG).where(WITNESSED_LOG.c.removed_at.is_(None)).order_by(WITNESSED_LOG.c.origin)
_SELECT_LOG = _SELECT_LOGS.where(WITNESSED_LOG.c.origin == bindparam("b_origin"))
_SELECT_WITNESSES = select(WITNESS).order_by(WITNESS.c.name)
_SELECT_TAKEN = select(WITNESS.c.name).where(
    or_(WITNESS.c.name == bindparam("b_name"), WITNESS.c.key == bindparam("b_key"))
)
_SELECT_SEEN = select(func.max(COSIGNATURE.c.size)).where(
    COSIGNATURE.c.witness == bindparam("b_witness"), COSIGNATURE.c.origin == bindparam("b_origin")
)
_SELECT_REFUSAL = select(WITNESS_REFUSAL.c.code).where(
    WITNESS_REFUSAL.c.witness == bindparam("b_witness"), WITNESS_REFUSAL.c.origin == bindparam("b_origin")
)
_SELECT_COSIGNED_SIZE = (
    select(COSIGNATURE.c.size)
    .where(COSIGNATURE.c.origin == bindparam("b_origin"))
    .group_by(COSIGNATURE.c.size)
    .having(func.count() >= bindparam("b_threshold"))
    .order_by(COSIGNATURE.c.size.desc())
    .limit(1)
)
_SELECT_LINES = (
    select(COSIGNATURE)
    .where(COSIGNATURE.c.origin == bindparam("b_origin"), COSIGNATURE.c.size == bindparam("b_size"))
    .order_by(COSIGNATURE.c.witness)
)
_SELECT_SPLITS = select(WITNESSED_SPLIT).order_by(WITNESSED_SPLIT.c.seen_at, WITNESSED_SPLIT.c.origin).limit(1000)
_COUNT_SPLITS = select(func.count()).where(WITNESSED_SPLIT.c.origin == bindparam("b_origin"))
_ADVANCE = (
    update(WITNESSED_LOG)
    .where(
        WITNESSED_LOG.c.origin == bindparam("b_origin"),
        WITNESSED_LOG.c.size == bindparam("b_old_size"),
        WITNESSED_LOG.c.root == bindparam("b_old_root"),
        WITNESSED_LOG.c.removed_at.is_(None),
        bindparam("b_size") >= WITNESSED_LOG.c.size,
    )
    .values(size=bindparam("b_size"), root=bindparam("b_root"), note=bindparam("b_note"), moved_at=bindparam("b_now"))
)
_REMOVE_LOG = (
    update(WITNESSED_LOG)
    .where(WITNESSED_LOG.c.origin == bindparam("b_origin"), WITNESSED_LOG.c.removed_at.is_(None))
    .values(removed_at=bindparam("b_now"))
)
_REMOVE_WITNESS = delete(WITNESS).where(WITNESS.c.name == bindparam("b_name"))
_FORGET_LINES = delete(COSIGNATURE).where(COSIGNATURE.c.witness == bindparam("b_name"))
_FORGET_REFUSALS = delete(WITNESS_REFUSAL).where(WITNESS_REFUSAL.c.witness == bindparam("b_name"))
_AGREED = delete(WITNESS_REFUSAL).where(
    WITNESS_REFUSAL.c.witness == bindparam("b_witness"), WITNESS_REFUSAL.c.origin == bindparam("b_origin")
)
_FORGET_OLDER = delete(COSIGNATURE).where(
    COSIGNATURE.c.origin == bindparam("b_origin"), COSIGNATURE.c.size < bindparam("b_size")
)


class SqlWitnessStore:
    """The WitnessStore over SQLite or PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def key(self) -> tuple[bytes, bytes] | None:
        """Return the public key with which the platform cosigns, and the private one as it was sealed."""
        row = self._first(_SELECT_KEY, {})
        return None if row is None else (row.public_key, row.sealed_key)

    def log(self, origin: str) -> WitnessedLog | None:
        """Return a log for which the platform is a witness."""
        row = self._first(_SELECT_LOG, {"b_origin": origin})
        return None if row is None else _log(row)

    def logs(self) -> Sequence[WitnessedLog]:
        """Return all logs for which the platform is a witness, by origin."""
        return [_log(row) for row in self._all(_SELECT_LOGS, {})]

    def splits(self) -> Sequence[tuple[str, bytes]]:
        """Return the evidence of split views that is kept: the origin of the log, and the file."""
        return [(row.origin, row.evidence) for row in self._all(_SELECT_SPLITS, {})]

    def witnesses(self) -> Sequence[NamedWitness]:
        """Return the witnesses of the platform's own logs, by name."""
        return [NamedWitness(row.name, row.url, VerifierKey.parse(row.key)) for row in self._all(_SELECT_WITNESSES, {})]

    def seen_size(self, witness: str, origin: str) -> int:
        """Return the size at which a witness last cosigned an own log, 0 if it never did."""
        row = self._first(_SELECT_SEEN, {"b_witness": witness, "b_origin": origin})
        return 0 if row is None or row[0] is None else int(row[0])

    def refusal(self, witness: str, origin: str) -> str:
        """Return the code with which a witness last refused; empty if it cosigned since."""
        row = self._first(_SELECT_REFUSAL, {"b_witness": witness, "b_origin": origin})
        return "" if row is None else str(row.code)

    def cosigned(self, origin: str, threshold: int) -> CosignedCheckpoint | None:
        """Return the newest checkpoint of an own log that so many witnesses cosigned, with all their lines."""
        with self._database.read() as connection:
            size = connection.execute(_SELECT_COSIGNED_SIZE, {"b_origin": origin, "b_threshold": threshold}).scalar()
            if size is None:
                return None
            rows = connection.execute(_SELECT_LINES, {"b_origin": origin, "b_size": size}).all()
        note = rows[0].note + b"".join(row.line for row in rows)
        return CosignedCheckpoint(origin, size, rows[0].root, note, tuple(row.witness for row in rows))

    def lines(self, origin: str, size: int, root: bytes) -> tuple[NoteSignature, ...]:
        """Return the cosignatures of the checkpoint of an own log at a size."""
        rows = self._all(_SELECT_LINES, {"b_origin": origin, "b_size": size})
        return tuple(line for row in rows if row.root == root for line in parse_signatures(row.line))

    def _first(self, statement: Select[Any], values: Mapping[str, object]) -> Row[Any] | None:
        with self._database.read() as connection:
            row: Row[Any] | None = connection.execute(statement, values).first()
            return row

    def _all(self, statement: Select[Any], values: Mapping[str, object]) -> Sequence[Row[Any]]:
        with self._database.read() as connection:
            rows: Sequence[Row[Any]] = connection.execute(statement, values).all()
            return rows


def _log(row: Row[Any]) -> WitnessedLog:
    return WitnessedLog(row.origin, tuple(map(VerifierKey.parse, row.keys.split("\n"))), row.size, row.root, row.note)


def _keep_key(scope: Scope, write: KeepWitnessKey) -> None:
    if scope.connection.execute(_SELECT_KEY).first() is not None:
        raise WitnessKeyKept("this platform has a key to cosign with already")
    row = {"id": _THE_ROW, "public_key": write.public_key, "sealed_key": write.sealed}
    scope.connection.execute(WITNESS_KEY.insert(), row)


def _witness_log(scope: Scope, write: WitnessLog) -> None:
    keys = "\n".join(map(str, write.keys))
    statement = _insert(scope, WITNESSED_LOG).values(
        origin=write.origin, keys=keys, size=0, root=EMPTY_ROOT, note=b"", moved_at=scope.now
    )
    scope.connection.execute(
        statement.on_conflict_do_update(index_elements=["origin"], set_={"keys": keys, "removed_at": None})
    )


def _unwitness_log(scope: Scope, write: UnwitnessLog) -> None:
    values = {"b_origin": write.origin, "b_now": scope.now}
    if scope.connection.execute(_REMOVE_LOG, values).rowcount != 1:
        raise LogNotWitnessed(f"{write.origin[:120]} is no log that is cosigned here")


def _advance(scope: Scope, write: AdvanceWitness) -> None:
    values = {
        "b_origin": write.old.origin,
        "b_old_size": write.old.size,
        "b_old_root": write.old.root,
        "b_size": write.checkpoint.size,
        "b_root": write.checkpoint.root,
        "b_note": write.note,
        "b_now": scope.now,
    }
    if scope.connection.execute(_ADVANCE, values).rowcount == 1:
        return
    row = scope.connection.execute(_SELECT_LOG, {"b_origin": write.old.origin}).first()
    if row is None:
        raise LogNotWitnessed(f"{write.old.origin[:120]} is no log that is cosigned here")
    raise WitnessAhead(row.size)


def _keep_split(scope: Scope, write: KeepSplit) -> None:
    count = scope.connection.execute(_COUNT_SPLITS, {"b_origin": write.origin}).scalar_one()
    if count >= _MAX_SPLITS:
        raise SplitKept(f"{count} split views of {write.origin[:120]} are kept already")
    statement = _insert(scope, WITNESSED_SPLIT).values(
        origin=write.origin, size=write.size, root=write.root, evidence=write.evidence, seen_at=scope.now
    )
    kept = statement.on_conflict_do_nothing().returning(WITNESSED_SPLIT.c.origin)
    if scope.connection.execute(kept).first() is None:
        raise SplitKept(f"this split view of {write.origin[:120]} is kept already")


def _add_witness(scope: Scope, write: AddWitness) -> None:
    witness = write.witness
    values = {"b_name": witness.name, "b_key": str(witness.key)}
    taken = scope.connection.execute(_SELECT_TAKEN, values).first()
    if taken is not None:
        raise WitnessExists(f"the witness {taken.name} has this name, or this key")
    row = {"name": witness.name, "url": witness.url, "key": str(witness.key), "added_at": scope.now}
    scope.connection.execute(WITNESS.insert(), row)


def _remove_witness(scope: Scope, write: RemoveWitness) -> None:
    values = {"b_name": write.name}
    if scope.connection.execute(_REMOVE_WITNESS, values).rowcount != 1:
        raise WitnessUnknown(f"there is no witness {write.name[:80]!r}")
    scope.connection.execute(_FORGET_LINES, values)
    scope.connection.execute(_FORGET_REFUSALS, values)


def _keep_cosignature(scope: Scope, write: KeepCosignature) -> None:
    row = {
        "origin": write.origin,
        "size": write.size,
        "witness": write.witness,
        "root": write.root,
        "note": write.note,
        "line": write.line,
        "cosigned_at": write.at,
    }
    statement = _insert(scope, COSIGNATURE).values(row)
    keys = ["origin", "size", "witness"]
    changed = {name: value for name, value in row.items() if name not in keys}
    scope.connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))
    scope.connection.execute(_AGREED, {"b_witness": write.witness, "b_origin": write.origin})
    enough = {"b_origin": write.origin, "b_threshold": write.threshold}
    size = scope.connection.execute(_SELECT_COSIGNED_SIZE, enough).scalar()
    if size is not None:
        scope.connection.execute(_FORGET_OLDER, {"b_origin": write.origin, "b_size": size})


def _note_refusal(scope: Scope, write: NoteRefusal) -> None:
    changed = {"size": write.size, "code": write.code, "refused_at": scope.now}
    statement = _insert(scope, WITNESS_REFUSAL).values(witness=write.witness, origin=write.origin, **changed)
    scope.connection.execute(statement.on_conflict_do_update(index_elements=["witness", "origin"], set_=changed))


def _insert(scope: Scope, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if scope.dialect_name == "postgresql" else sqlite.insert(table)


WRITES: Final[Mapping[type[Write], Handler]] = {
    AddWitness: _add_witness,
    AdvanceWitness: _advance,
    KeepCosignature: _keep_cosignature,
    KeepSplit: _keep_split,
    KeepWitnessKey: _keep_key,
    NoteRefusal: _note_refusal,
    RemoveWitness: _remove_witness,
    UnwitnessLog: _unwitness_log,
    WitnessLog: _witness_log,
}
