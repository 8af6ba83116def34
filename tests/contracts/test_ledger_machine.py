"""The ledger against a plain model of itself, driven by Hypothesis through commits, refusals, faults and restarts."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.contracts.test_ledger_commit import (
    HANDLERS,
    NOTES,
    FaultyWriter,
    Keep,
    Refuse,
    Seen,
    Stumble,
    TestRefusal,
    names,
)
from tests.databases import (
    CONTEXT,
    FACTS_ORIGIN,
    SIGNATURES_ORIGIN,
    SIGNERS,
    ManualClock,
    keys_of_logs,
    prepare,
)

from chainward.adapters.sql.database import Database
from chainward.adapters.sql.ledger import SqlLedgerStore
from chainward.adapters.sql.projections import SqlProjectionStore
from chainward.adapters.sql.subjects import SUBJECTS, SqlSubjectIndex
from chainward.adapters.system import SystemEntropy
from chainward.ledger.anchor import anchor
from chainward.ledger.audit import audit
from chainward.ledger.checkpoint import open_checkpoint
from chainward.ledger.commit import Ledger
from chainward.ledger.errors import CommitUncertain, WriteFailed
from chainward.ledger.follow import Followers
from chainward.ledger.logs import genesis_entry

if TYPE_CHECKING:
    from chainward.formats.checkpoint import Checkpoint
    from chainward.ledger.model import Write

WORDS = st.lists(st.sampled_from("abcde"), max_size=3)
ENTRIES = st.lists(st.binary(max_size=6), max_size=3)


class LedgerMachine(RuleBasedStateMachine):
    """What the ledger must show is kept here as plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="cw-machine-"))
        self.facts: list[str] = ["ledger.opened/1"]
        self.entries: list[bytes] = [genesis_entry(SIGNATURES_ORIGIN)]
        self.notes: set[str] = set()
        self.anchored = 0
        self.remembered: list[Checkpoint] = []
        self.serial = 0

    @initialize()
    def create(self) -> None:
        self.database = Database.open_sqlite(self.folder / "chainward.db")
        prepare(self.database)
        with self.database.writer.begin() as connection:
            NOTES.create(connection)
        self.derived = Database.open_sqlite(self.folder / "projections.db", derived=True)
        self.start()

    def start(self) -> None:
        self.writer = FaultyWriter(self.database, SIGNERS, FACTS_ORIGIN, HANDLERS, ManualClock())
        self.writer.start()
        self.ledger = Ledger(SqlLedgerStore(self.database, self.writer), SystemEntropy())
        self.followers = Followers(self.ledger, SqlProjectionStore(self.derived, [SUBJECTS]))
        self.followers.open()

    def commit(self, words: list[str], entries: list[bytes], writes: list[Write]) -> tuple[tuple[int, ...], ...]:
        pairs = [(SIGNATURES_ORIGIN, entry) for entry in entries]
        receipt = self.ledger.commit([Seen(what=word) for word in words], writes, context=CONTEXT, entries=pairs)
        return receipt.facts, receipt.entries

    def expect(self, words: list[str], entries: list[bytes], note: str) -> None:
        self.facts += words
        self.entries += entries
        self.notes.add(note)

    def fresh(self) -> str:
        self.serial += 1
        return f"note-{self.serial}"

    @rule(words=WORDS, entries=ENTRIES)
    def a_commit_stands_where_it_says(self, words: list[str], entries: list[bytes]) -> None:
        note = self.fresh()
        facts, positions = self.commit(words, entries, [Keep(note)])
        assert list(facts) == list(range(len(self.facts), len(self.facts) + len(words)))
        assert list(positions) == list(range(len(self.entries), len(self.entries) + len(entries)))
        self.expect(words, entries, note)

    @rule(words=WORDS, entries=ENTRIES)
    def a_refused_commit_leaves_nothing(self, words: list[str], entries: list[bytes]) -> None:
        with pytest.raises(TestRefusal):
            self.commit(words, entries, [Keep(self.fresh()), Refuse()])

    @rule(words=WORDS, entries=ENTRIES)
    def a_defect_leaves_nothing(self, words: list[str], entries: list[bytes]) -> None:
        with pytest.raises(WriteFailed):
            self.commit(words, entries, [Keep(self.fresh()), Stumble()])

    @rule(words=WORDS, entries=ENTRIES, fault=st.sampled_from(["before", "after"]))
    def a_failing_store_did_it_or_did_not(self, words: list[str], entries: list[bytes], fault: str) -> None:
        note = self.fresh()
        self.writer.fault = fault
        with pytest.raises(CommitUncertain):
            self.commit(words, entries, [Keep(note)])
        if fault == "after":
            self.expect(words, entries, note)

    @rule(restart=st.booleans())
    def anchoring_states_what_grew(self, *, restart: bool) -> None:
        stated = anchor(self.ledger)
        grown = len(self.entries) > self.anchored
        assert [fact.size for fact in stated] == ([len(self.entries)] if grown else [])
        self.facts += ["ledger.checkpoint-anchored/1"] * grown
        self.anchored = len(self.entries)
        if restart:
            self.ledger.close()
            self.start()

    @rule()
    def a_checkpoint_is_remembered(self) -> None:
        for origin, key in keys_of_logs().items():
            self.remembered.append(open_checkpoint(self.ledger.checkpoint(origin), origin, key))

    @rule(rebuild=st.booleans())
    def followers_see_every_fact_once(self, *, rebuild: bool) -> None:
        if rebuild:
            self.followers.rebuild()
        self.followers.catch_up()
        for word in "abcde":
            expected = [index for index, fact in enumerate(self.facts) if fact == word]
            assert SqlSubjectIndex(self.derived).facts_about(word, 10_000)[::-1] == expected

    @invariant()
    def the_ledger_shows_the_model(self) -> None:
        with self.ledger.inspect() as view:
            facts = view.facts(-1, 10_000)
            assert [(fact.body or {}).get("what", fact.schema) for fact in facts] == self.facts
            assert view.entries(SIGNATURES_ORIGIN, 0, 10_000) == self.entries
            audit(view, keys_of_logs(), self.remembered)
            for entry in set(self.entries):
                assert view.position_of(SIGNATURES_ORIGIN, entry) == self.entries.index(entry)
        assert names(self.database) == self.notes

    def teardown(self) -> None:
        self.ledger.close()
        self.derived.close()
        self.database.close()
        shutil.rmtree(self.folder)


LedgerMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestLedgerMachine = LedgerMachine.TestCase
