"""Logs that are opened and frozen while the platform runs, over every store, and writers that meet over one store."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest
from tests.contracts.test_ledger_commit import HANDLERS, NOTES, Keep, Refuse, Seen, TestRefusal, together
from tests.databases import (
    CONTEXT,
    FACTS,
    FACTS_ORIGIN,
    SIGNATURES,
    SIGNATURES_ORIGIN,
    ManualClock,
    keys_of_logs,
)
from tests.ledger import naive

from chainward.adapters.sql.ledger import SqlLedgerStore
from chainward.adapters.sql.writer import Writer
from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.ledger.audit import audit
from chainward.ledger.checkpoint import FixedSigners, NoteSigner, open_checkpoint
from chainward.ledger.commit import Ledger
from chainward.ledger.errors import (
    CommitUncertain,
    LedgerBusy,
    LogExists,
    LogFrozen,
    LogKeyChanged,
    LogReserved,
    LogUnknown,
)
from chainward.ledger.logs import FreezeLog, OpenLog, genesis_entry
from chainward.ledger.model import Receipt, Unit
from chainward.ledger.proofs import leaf_hash, verify_consistency, verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.databases import PlatformDatabase

    from chainward.kernel.problem import Problem
    from chainward.ledger.ports import CheckpointSigner

NEXT = NoteSigner("next.test", generate(Scheme.ED25519))
CT = NoteSigner("ct.test", generate(Scheme.ECDSA_P256_SHA256))


class LateSigners:
    """Signers that are found out about while the platform runs, and how often each was asked for."""

    def __init__(self, *signers: CheckpointSigner) -> None:
        self.signers = {signer.origin: signer for signer in (FACTS, SIGNATURES, *signers)}
        self.asked: list[str] = []

    def signer_of(self, origin: str) -> CheckpointSigner:
        self.asked.append(origin)
        if origin not in self.signers:
            raise LogUnknown(f"nobody signs for {origin}")
        return self.signers[origin]


@pytest.fixture
def signers() -> LateSigners:
    return LateSigners()


@pytest.fixture
def ledger(platform_database: PlatformDatabase, signers: LateSigners) -> Iterator[Ledger]:
    with platform_database.database.writer.begin() as connection:
        NOTES.create(connection)
    writer = Writer(platform_database.database, signers, FACTS_ORIGIN, HANDLERS, ManualClock())
    writer.start()
    made = Ledger(SqlLedgerStore(platform_database.database, writer), SystemEntropy())
    yield made
    made.close()


def entries_of(ledger: Ledger, origin: str) -> list[bytes]:
    with ledger.view() as view:
        return list(view.entries(origin, 0, 10_000))


def test_a_log_opens_with_its_genesis_leaf_in_the_commit_that_says_so(ledger: Ledger, signers: LateSigners) -> None:
    receipt = ledger.commit([Seen(what="opened")], [OpenLog("ct.test", CT), Keep("row")], context=CONTEXT)
    assert receipt.facts == (1,)
    assert entries_of(ledger, "ct.test") == [genesis_entry("ct.test")]
    assert CT.open(ledger.checkpoint("ct.test")).size == 1
    first = ledger.append_entries("ct.test", [b"one", b"two"])
    assert first.entries == (1, 2)  # nobody ever gets the index 0
    assert "ct.test" not in signers.asked  # the writer knew its signer from the commit
    checkpoint = open_checkpoint(ledger.checkpoint("ct.test"), "ct.test", CT.signer.public_key)
    assert checkpoint.root == naive.root([genesis_entry("ct.test"), b"one", b"two"])


def test_a_log_that_a_refused_commit_opened_does_not_exist(ledger: Ledger) -> None:
    with pytest.raises(TestRefusal):
        ledger.commit([Seen(what="x")], [OpenLog("ct.test", CT), Refuse()], context=CONTEXT)
    with pytest.raises(LogUnknown):
        ledger.append_entries("ct.test", [b"one"])
    ledger.commit(writes=[OpenLog("ct.test", CT)], context=CONTEXT)
    assert ledger.append_entries("ct.test", [b"one"]).entries == (1,)


def test_an_origin_names_one_log_for_ever(ledger: Ledger) -> None:
    ledger.commit(writes=[OpenLog("next.test", NEXT)], context=CONTEXT)
    other = NoteSigner("next.test", generate(Scheme.ED25519))
    for origin, signer in (("next.test", other), (SIGNATURES_ORIGIN, SIGNATURES), (FACTS_ORIGIN, FACTS)):
        with pytest.raises(LogExists):
            ledger.commit([Seen(what="again")], [OpenLog(origin, signer)], context=CONTEXT)
    with pytest.raises(LogExists):
        ledger.commit(writes=[OpenLog("twice.test", CT), OpenLog("twice.test", CT)], context=CONTEXT)
    ledger.commit(writes=[FreezeLog("next.test")], context=CONTEXT)
    with pytest.raises(LogExists):
        ledger.commit(writes=[OpenLog("next.test", other)], context=CONTEXT)
    assert ledger.facts(after=0) == []


def test_a_frozen_log_takes_nothing_more_and_stays_as_it_was(ledger: Ledger) -> None:
    ledger.append_entries(SIGNATURES_ORIGIN, [b"entry %d" % number for number in range(300)])
    ledger.commit([Seen(what="rotated")], [OpenLog("next.test", NEXT), FreezeLog(SIGNATURES_ORIGIN)], context=CONTEXT)
    final = ledger.checkpoint(SIGNATURES_ORIGIN)
    with pytest.raises(LogFrozen):
        ledger.append_entries(SIGNATURES_ORIGIN, [b"late"])
    with pytest.raises(LogFrozen):
        ledger.append_once(SIGNATURES_ORIGIN, b"entry 7")  # not even what it has
    with pytest.raises(LogFrozen):
        ledger.commit([Seen(what="x")], [Keep("x")], context=CONTEXT, entries=[(SIGNATURES_ORIGIN, b"late")])
    assert ledger.facts(after=1) == []
    ledger.commit(writes=[FreezeLog(SIGNATURES_ORIGIN)], context=CONTEXT)  # frozen already: it stays so
    assert ledger.checkpoint(SIGNATURES_ORIGIN) == final
    proof = ledger.inclusion(SIGNATURES_ORIGIN, 200)
    verify_inclusion(200, 301, leaf_hash(b"entry 199"), proof.hashes, proof.root)
    (head,) = [head for head in ledger.logs() if head.origin == SIGNATURES_ORIGIN]
    assert head.frozen_at is not None
    with ledger.inspect() as view:
        audit(view, keys_of_logs() | {"next.test": NEXT.signer.public_key})


def test_only_logs_of_entries_that_exist_can_be_frozen(ledger: Ledger) -> None:
    with pytest.raises(LogReserved):
        ledger.commit(writes=[FreezeLog(FACTS_ORIGIN)], context=CONTEXT)
    with pytest.raises(LogUnknown):
        ledger.commit(writes=[FreezeLog("nowhere.test")], context=CONTEXT)
    assert ledger.append_entries(SIGNATURES_ORIGIN, [b"x"]).entries == (1,)


def test_every_entry_of_a_race_with_freezing_is_in_the_log_or_refused(ledger: Ledger) -> None:
    def work(number: int) -> object:
        if number == 20:
            return ledger.commit(writes=[FreezeLog(SIGNATURES_ORIGIN)], context=CONTEXT)
        return ledger.append_entries(SIGNATURES_ORIGIN, [b"entry %d" % number])

    results = together(40, work)
    refused = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(problem, LogFrozen) for problem in refused)
    kept = {b"entry %d" % number for number, result in enumerate(results) if isinstance(result, Receipt)}
    assert set(entries_of(ledger, SIGNATURES_ORIGIN)[1:]) == kept - {b"entry 20"}
    checkpoint = SIGNATURES.open(ledger.checkpoint(SIGNATURES_ORIGIN))
    assert checkpoint.root == naive.root(entries_of(ledger, SIGNATURES_ORIGIN))


def test_a_log_without_a_signer_refuses_its_entries_and_nothing_else(
    ledger: Ledger, platform_database: PlatformDatabase, signers: LateSigners
) -> None:
    other = platform_database.open_ledger()
    other.commit(writes=[OpenLog("next.test", NEXT)], context=CONTEXT)
    with pytest.raises(LogUnknown):
        ledger.append_entries("next.test", [b"x"])
    assert ledger.commit([Seen(what="x")], context=CONTEXT).facts == (1,)
    signers.signers["next.test"] = NEXT
    assert ledger.append_entries("next.test", [b"x"]).entries == (1,)
    assert ledger.append_entries("next.test", [b"y"]).entries == (2,)
    assert signers.asked.count("next.test") == 2  # once in vain, once for good


def test_a_log_is_not_continued_under_the_key_of_another(
    ledger: Ledger, platform_database: PlatformDatabase, signers: LateSigners
) -> None:
    platform_database.open_ledger().commit(writes=[OpenLog("next.test", NEXT)], context=CONTEXT)
    signers.signers["next.test"] = NoteSigner("next.test", generate(Scheme.ED25519))
    before = ledger.checkpoint("next.test")
    with pytest.raises(LogKeyChanged):
        ledger.append_entries("next.test", [b"x"])
    assert ledger.checkpoint("next.test") == before


# Entries that are wanted once


def test_an_entry_is_appended_once_however_many_send_it_at_the_same_time(ledger: Ledger) -> None:
    receipts = together(30, lambda number: ledger.append_once(SIGNATURES_ORIGIN, b"entry %d" % (number % 3)))
    assert sorted({receipt.entries for receipt in receipts}) == [(1,), (2,), (3,)]
    assert sorted(entries_of(ledger, SIGNATURES_ORIGIN)[1:]) == [b"entry 0", b"entry 1", b"entry 2"]
    for number, receipt in enumerate(receipts):
        proof = ledger.proof_of(SIGNATURES_ORIGIN, receipt)
        verify_inclusion(proof.index, proof.size, leaf_hash(b"entry %d" % (number % 3)), proof.hashes, proof.root)
        checkpoint = SIGNATURES.open(proof.checkpoint)
        assert (checkpoint.size, checkpoint.root) == (proof.size, proof.root)


@pytest.mark.parametrize("before", [1, 254, 255, 256, 300, 511, 512, 700])
def test_what_a_commit_appended_is_proven_without_the_store_as_rfc_6962_says(ledger: Ledger, before: int) -> None:
    if before > 1:
        ledger.append_entries(SIGNATURES_ORIGIN, [b"old %d" % number for number in range(before - 1)])
    added = [b"new %d" % number for number in range(520)]
    receipt = ledger.append_entries(SIGNATURES_ORIGIN, added)
    every = entries_of(ledger, SIGNATURES_ORIGIN)
    grown = receipt.grown[SIGNATURES_ORIGIN]
    assert (grown.first, grown.size, grown.root) == (before, before + 520, naive.root(every))
    for index in {before, before + 1, before + 255, before + 256, before + 519, 256 * (before // 256 + 1)}:
        proof = grown.inclusion(index)
        assert list(proof.hashes) == naive.inclusion(index, every)
        assert proof.leaf_hash == leaf_hash(every[index])


def test_too_many_patient_units_are_pushed_back_and_others_are_not(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainward.adapters.sql.writer._QUEUE", 0)
    with pytest.raises(LedgerBusy):
        ledger.append_once(SIGNATURES_ORIGIN, b"x")
    assert ledger.commit([Seen(what="an admission")], context=CONTEXT).facts == (1,)


def test_patient_units_share_durable_writes(platform_database: PlatformDatabase) -> None:
    from tests.contracts.test_ledger_commit import CountingWriter

    counted = CountingWriter(platform_database.database, LateSigners(), FACTS_ORIGIN, {}, ManualClock())
    counted.start()
    ledger = Ledger(SqlLedgerStore(platform_database.database, counted), SystemEntropy())
    answers: list[Future[Receipt | Problem]] = [Future() for _ in range(600)]
    for number, answer in enumerate(answers):
        ledger.submit_once(SIGNATURES_ORIGIN, b"entry %d" % number, answer.set_result)
    receipts = [answer.result(30) for answer in answers]
    ledger.close()
    assert all(isinstance(receipt, Receipt) for receipt in receipts)
    assert counted.commits < 60


def test_what_waits_when_the_ledger_closes_is_finished(platform_database: PlatformDatabase) -> None:
    ledger = platform_database.open_ledger()
    answers: list[Future[Receipt | Problem]] = [Future() for _ in range(50)]
    for number, answer in enumerate(answers):
        ledger.submit_once(SIGNATURES_ORIGIN, b"entry %d" % number, answer.set_result)
    ledger.close()
    assert all(isinstance(answer.result(0), Receipt) for answer in answers)


# Two writers over one store


def test_two_writers_over_one_store_never_fork_a_log(platform_database: PlatformDatabase) -> None:
    """On SQLite the lock on the data folder keeps a second process out; here somebody went past it."""
    writers = [
        platform_database.open_ledger(clock=SystemClock()),
        platform_database.open_ledger(clock=SystemClock(), database=platform_database.reopen()),
    ]
    seen: list[bytes] = []
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(0.002):
            seen.append(writers[0].checkpoint(SIGNATURES_ORIGIN))

    watcher = threading.Thread(target=watch)
    watcher.start()
    results = together(
        8,
        lambda number: [
            writers[number % 2].append_entries(SIGNATURES_ORIGIN, [b"%d/%d" % (number, turn)]).entries[0]
            for turn in range(12)
        ],
    )
    stopping.set()
    watcher.join()
    assert sorted(index for result in results for index in result) == list(range(1, 97))
    every = entries_of(writers[1], SIGNATURES_ORIGIN)
    assert all(
        every[index] == b"%d/%d" % (n, turn) for n, result in enumerate(results) for turn, index in enumerate(result)
    )
    older = [SIGNATURES.open(note) for note in seen]
    assert [each.size for each in older] == sorted(each.size for each in older)
    for each in older:
        proof = writers[0].consistency(SIGNATURES_ORIGIN, each.size)
        verify_consistency(each.size, proof.size2, proof.hashes, each.root, proof.root2)
    with writers[0].inspect() as view:
        audit(view, keys_of_logs(), older)


def test_a_writer_whose_head_was_moved_under_its_hands_commits_nothing(platform_database: PlatformDatabase) -> None:
    """The compare-and-swap alone, without the lock: both writers believe that they hold the head of one size."""
    from chainward.adapters.sql import growth

    ledger = platform_database.open_ledger()
    with platform_database.database.writer.begin() as connection:
        stale = next(head for head in growth.lock_heads(connection) if head.origin == SIGNATURES_ORIGIN)
    ledger.append_entries(SIGNATURES_ORIGIN, [b"first"])
    note = SIGNATURES.sign(2, bytes(32))
    with pytest.raises(CommitUncertain), platform_database.database.writer.begin() as connection:
        growth.move_head(connection, stale, 2, bytes(32), note, stale.moved_at)
    assert ledger.checkpoint(SIGNATURES_ORIGIN) != note
    assert ledger.append_entries(SIGNATURES_ORIGIN, [b"second"]).entries == (2,)


def test_two_replicas_open_one_log_once(platform_database: PlatformDatabase) -> None:
    replicas = [
        platform_database.open_ledger(),
        platform_database.open_ledger(database=platform_database.reopen()),
    ]
    results = together(
        6, lambda number: replicas[number % 2].commit(writes=[OpenLog("next.test", NEXT)], context=CONTEXT)
    )
    assert sum(isinstance(result, Receipt) for result in results) == 1
    assert sum(isinstance(result, LogExists) for result in results) == 5
    assert entries_of(replicas[0], "next.test") == [genesis_entry("next.test")]


def test_what_one_replica_froze_no_other_continues(platform_database: PlatformDatabase) -> None:
    first = platform_database.open_ledger()
    second = platform_database.open_ledger(database=platform_database.reopen())
    second.append_entries(SIGNATURES_ORIGIN, [b"x"])
    first.commit(writes=[FreezeLog(SIGNATURES_ORIGIN)], context=CONTEXT)
    with pytest.raises(LogFrozen):
        second.append_entries(SIGNATURES_ORIGIN, [b"y"])


def test_a_unit_may_ask_for_an_entry_of_two_logs_at_once(ledger: Ledger) -> None:
    ledger.commit(writes=[OpenLog("ct.test", CT)], context=CONTEXT)
    answered: Future[Receipt | Problem] = Future()
    unit = Unit(entries=(("ct.test", b"a"), (SIGNATURES_ORIGIN, b"b"), ("ct.test", b"a")), once=True)
    ledger._store.submit(unit, answered.set_result)
    receipt = answered.result(10)
    assert isinstance(receipt, Receipt)
    assert receipt.entries == (1, 1, 1)


def test_signers_that_are_fixed_are_all_that_a_small_ledger_needs(platform_database: PlatformDatabase) -> None:
    writer = Writer(platform_database.database, FixedSigners([FACTS]), FACTS_ORIGIN, {}, ManualClock())
    writer.start()
    ledger = Ledger(SqlLedgerStore(platform_database.database, writer), SystemEntropy())
    with pytest.raises(LogUnknown):
        ledger.append_entries(SIGNATURES_ORIGIN, [b"x"])
    assert ledger.commit([Seen(what="x")], context=CONTEXT).facts == (1,)
    ledger.close()
