"""The MetaData of the authoritative database and that of the projections, and the column types that tables share.

Each room's module declares its authoritative tables on :data:`METADATA`; the migrations create exactly these (a test
compares them). Tables that can be rebuilt from facts stand on :data:`PROJECTIONS` and have no migrations.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Integer, MetaData
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

__all__ = ["INDEX", "METADATA", "PROJECTIONS", "Instant", "instant_of", "microseconds"]

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA: Final = MetaData(naming_convention=_NAMES)
PROJECTIONS: Final = MetaData(naming_convention=_NAMES, schema="projection")

INDEX: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit integer that, as the one primary key of a SQLite table, is its row id and needs no index of its own."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(instant: datetime) -> int:
    """Return an aware instant as microseconds since 1970 in UTC, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def instant_of(value: int) -> datetime:
    """Return the aware instant so many microseconds after 1970 began in UTC."""
    return _EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Write an instant."""
        del dialect
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Read an instant."""
        del dialect
        return None if value is None else instant_of(value)
