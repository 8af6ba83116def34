"""The contract of ledger.commit, over every store."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tests.databases import CONTEXT, FACTS_ORIGIN

from chainward.ledger.model import FactBody

if TYPE_CHECKING:
    from tests.databases import PlatformDatabase


class Seen(FactBody, frozen=True, kw_only=True):
    schema: ClassVar[str] = "test.seen/1"
    what: str

    def subjects(self) -> tuple[str, ...]:
        return (self.what,)


def test_a_committed_fact_can_be_read_back(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    receipt = ledger.commit([Seen(what="a"), Seen(what="b")], context=CONTEXT)
    assert receipt.facts == (1, 2)
    fact = ledger.fact(2)
    assert (fact.body, fact.subjects, fact.actor) == ({"what": "b"}, ("b",), "token:test")
    assert fact.recorded_at == receipt.recorded_at
    assert ledger.logs()[0].origin == FACTS_ORIGIN
