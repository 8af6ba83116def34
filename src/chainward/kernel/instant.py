"""Instants: aware datetimes in UTC, the clock they come from, and their text (RFC 3339)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import ClassVar, Final, Protocol

from chainward.kernel.problem import Kind, Problem

__all__ = ["Clock", "InvalidInstant", "parse_instant", "rfc3339"]

# What Python reads as ISO 8601 is wider: weeks, basic forms, hours alone.
_RFC3339: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:]{8}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})\Z")


class Clock(Protocol):
    """Where time comes from. ``now`` never goes backwards by more than the operating system's own clock does."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""
        ...


class InvalidInstant(Problem):
    """The text is not an instant."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "instant-invalid"
    hint = "Write an instant as 2026-11-23T09:30:00Z."


def rfc3339(instant: datetime) -> str:
    """Write an aware instant in UTC with microseconds and a ``Z``; this form sorts as text.

    Raises :class:`InvalidInstant` for an instant without a zone, or one whose zone moves it out of the years 1 to 9999.

    >>> rfc3339(datetime(2026, 11, 23, 9, 30, tzinfo=UTC))
    '2026-11-23T09:30:00.000000Z'
    """
    if instant.tzinfo is None:
        raise InvalidInstant("an instant without a zone has no meaning here")
    return _in_utc(instant).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 instant with a zone; raises :class:`InvalidInstant`."""
    try:
        instant = datetime.fromisoformat(text.upper())
    except ValueError:
        raise InvalidInstant(f"{text[:60]!r} is not an instant") from None
    if instant.tzinfo is None:
        raise InvalidInstant(f"{text[:60]!r} has no zone")
    if _RFC3339.match(text) is None:
        raise InvalidInstant(f"{text[:60]!r} is not written as RFC 3339 demands")
    return _in_utc(instant)


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise InvalidInstant(f"{instant} is not within the years 1 to 9999") from None
