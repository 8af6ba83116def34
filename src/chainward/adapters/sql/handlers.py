"""What carries out every write of every room: one list, held by a test against the writes that the rooms declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainward.adapters.sql import (
    access,
    authorities,
    delivery,
    distribution,
    policy,
    portfolio,
    publications,
    registry,
    trust,
    witness,
)

if TYPE_CHECKING:
    from chainward.adapters.sql.writer import Handler

__all__ = ["handlers"]


def handlers() -> dict[type[Any], Handler]:
    """Return the handler of every write but those that the ledger has itself."""
    found: dict[type[Any], Handler] = {}
    for room in (
        access,
        authorities,
        delivery,
        distribution,
        policy,
        portfolio,
        publications,
        registry,
        trust,
        witness,
    ):
        found.update(room.WRITES)
    return found
