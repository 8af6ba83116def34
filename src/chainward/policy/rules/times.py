"""How old something may be: from its instant until a limit later. A little ahead of our clock is fine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

__all__ = ["SKEW", "Age", "age_of", "days"]

SKEW: Final = timedelta(minutes=5)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


class Age(NamedTuple):
    """Whether something is too old, or dated too far ahead, and when that changes (None: never again)."""

    too_old: bool
    ahead: bool
    flips_at: datetime | None


def age_of(instant: datetime, now: datetime, limit: timedelta) -> Age:
    """Judge an instant at ``now``; it is good while ``instant - SKEW <= now < instant + limit``."""
    elapsed = now - instant
    if elapsed < -SKEW:
        return Age(too_old=False, ahead=True, flips_at=instant - SKEW)
    if elapsed >= limit:
        return Age(too_old=True, ahead=False, flips_at=None)
    return Age(too_old=False, ahead=False, flips_at=instant + limit if _LAST - limit >= instant else None)


def days(duration: timedelta) -> str:
    """Return a duration in words.

    >>> days(timedelta(days=1)), days(timedelta(hours=36))
    ('1 day', '36 hours')
    """
    if duration >= timedelta(days=2) or duration == timedelta(days=1):
        return f"{duration.days} day{'s' if duration.days > 1 else ''}"
    return f"{int(duration.total_seconds() // 3600)} hours"
