"""Witnessing on every store: a witness never goes back, not for two requests and not for two replicas."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError
from tests.databases import CONTEXT, ManualClock, PlatformDatabase
from tests.ledger.published import LOG, ORIGIN, ForeignLog, key, leaves

from chainward.adapters.sql.witness import WRITES, SqlWitnessStore
from chainward.formats.errors import Malformed
from chainward.formats.note import VerifierKey, format_signatures, parse_note, parse_signatures
from chainward.formats.witness import AddCheckpoint, format_add_checkpoint
from chainward.keys.errors import SignatureInvalid
from chainward.ledger.checkpoint import CheckpointInvalid, NoteSigner
from chainward.ledger.cosign import Cosigner, open_signed, signed_by, verifier_of
from chainward.ledger.evidence import decode_evidence, verify_split
from chainward.ledger.facts import LogUnwitnessed, LogWitnessed, SplitViewRefused
from chainward.ledger.proofs import EMPTY_ROOT, ProofInvalid
from chainward.ledger.tiles import PublishedTree
from chainward.ledger.witness import WitnessAhead, WitnessInvalid
from chainward.ledger.witnessed import LogNotWitnessed, Witness

if TYPE_CHECKING:
    from chainward.formats.note import Note

HONEST = leaves(600)
FORKED = [*HONEST[:90], *leaves(510, "fork")]
COSIGNER = Cosigner("witness.test/w1", key(b"w"))


def witness_of(platform: PlatformDatabase, *, again: bool = False) -> Witness:
    """Return a witness of the foreign log over a database, or (``again``) another replica of the same one."""
    database = platform.reopen() if again else platform.database
    ledger = platform.open_ledger(WRITES, database=database)
    witness = Witness(ledger, SqlWitnessStore(database), COSIGNER, ManualClock())
    if not again:
        witness.trust_log(verifier_of(ORIGIN, LOG.signer.public_key), context=CONTEXT)
    return witness


def request(log: ForeignLog, old: int, new: int) -> bytes:
    proof = PublishedTree(log, max(new, 1)).consistency(old, new) if 0 < old <= new else ()
    return format_add_checkpoint(AddCheckpoint(old, proof, log.signed(new)))


def cosigned(witness: Witness, log: ForeignLog, old: int, new: int) -> Note:
    """Ask for a cosignature and return the checkpoint with it, once it holds."""
    lines = witness.add_checkpoint(request(log, old, new))
    _, note = open_signed(log.signed(new) + lines, ORIGIN, log.keys)
    assert [signed.key for signed in signed_by(note, (COSIGNER.key,))] == [COSIGNER.key]
    return note


def test_a_log_is_cosigned_as_it_grows(platform_database: PlatformDatabase) -> None:
    witness, log = witness_of(platform_database), ForeignLog(HONEST)
    old = 0
    for new in (0, 1, 1, 90, 256, 257, 600):
        note = cosigned(witness, log, old, new)
        assert witness.checkpoint(ORIGIN).decode().startswith(note.text)
        assert parse_signatures(format_signatures(note.signatures)) == note.signatures
        old = new
    (known,) = witness.logs()
    assert (known.origin, known.size) == (ORIGIN, 600)


def test_a_witness_that_is_behind_or_ahead_tells_its_size(platform_database: PlatformDatabase) -> None:
    witness, log = witness_of(platform_database), ForeignLog(HONEST)
    cosigned(witness, log, 0, 300)
    for old, new in ((0, 600), (299, 600), (301, 600), (0, 300), (0, 0), (100, 200)):
        with pytest.raises(WitnessAhead) as raised:
            witness.add_checkpoint(request(log, old, new))
        assert raised.value.size == 300
    cosigned(witness, log, 300, 600)


def test_a_witness_that_is_asked_to_cosign_a_smaller_tree_does_not(platform_database: PlatformDatabase) -> None:
    witness, log = witness_of(platform_database), ForeignLog(HONEST)
    cosigned(witness, log, 0, 300)
    smaller = format_add_checkpoint(AddCheckpoint(300, (), log.signed(299)))
    with pytest.raises(Malformed, match="old size"):
        witness.add_checkpoint(smaller)
    assert witness.logs()[0].size == 300


@pytest.mark.parametrize("size", [300, 301, 600])
def test_a_fork_is_not_cosigned(platform_database: PlatformDatabase, size: int) -> None:
    witness, honest, forked = witness_of(platform_database), ForeignLog(HONEST), ForeignLog(FORKED)
    cosigned(witness, honest, 0, 300)
    for log in (honest, forked):
        proof = PublishedTree(log, size).consistency(300, size)
        with pytest.raises(ProofInvalid):
            witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(300, proof, forked.signed(size))))
    cosigned(witness, honest, 300, 600)


def test_two_trees_of_one_size_become_evidence_and_one_fact(platform_database: PlatformDatabase) -> None:
    witness, honest, forked = witness_of(platform_database), ForeignLog(HONEST), ForeignLog(FORKED)
    cosigned(witness, honest, 0, 300)
    assert witness.splits() == []
    for _ in range(2):
        with pytest.raises(ProofInvalid):
            witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(300, (), forked.signed(300))))
    ((origin, evidence),) = witness.splits()
    assert origin == ORIGIN
    assert verify_split(decode_evidence(evidence), honest.keys) == (300, 300)
    facts = platform_database.open_ledger(WRITES).facts(schemas=frozenset({SplitViewRefused.schema}))
    assert [fact.subjects for fact in facts] == [(f"log:{ORIGIN}",)]


def test_a_flood_of_split_views_does_not_fill_the_disk(platform_database: PlatformDatabase) -> None:
    witness, honest = witness_of(platform_database), ForeignLog(HONEST)
    cosigned(witness, honest, 0, 3)
    for number in range(103):
        other = LOG.sign(3, number.to_bytes(32, "big"))
        with pytest.raises(ProofInvalid):
            witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(3, (), other)))
    assert len(witness.splits()) == 100


def test_an_empty_tree_has_the_root_of_the_empty_tree(platform_database: PlatformDatabase) -> None:
    witness = witness_of(platform_database)
    with pytest.raises(ProofInvalid):
        witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(0, (), LOG.sign(0, bytes(32)))))
    witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(0, (), LOG.sign(0, EMPTY_ROOT))))


def test_a_proof_from_nothing_is_empty(platform_database: PlatformDatabase) -> None:
    witness, log = witness_of(platform_database), ForeignLog(HONEST)
    with pytest.raises(ProofInvalid):
        witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(0, (bytes(32),), log.signed(5))))
    cosigned(witness, log, 0, 5)
    with pytest.raises(ProofInvalid):
        witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(5, (bytes(32),), log.signed(5))))


def test_only_logs_that_are_known_are_cosigned(platform_database: PlatformDatabase) -> None:
    witness, log = witness_of(platform_database), ForeignLog(HONEST)
    other = NoteSigner("other.example", LOG.signer)
    with pytest.raises(LogNotWitnessed):
        witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(0, (), other.sign(1, bytes(32)))))
    stranger = NoteSigner(ORIGIN, key(b"x"))
    with pytest.raises(CheckpointInvalid):
        witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(0, (), stranger.sign(1, bytes(32)))))
    text, line = log.signed(5).split(b"\n\n")
    broken = text.replace(b"\n5\n", b"\n6\n") + b"\n\n" + line
    with pytest.raises(SignatureInvalid):
        witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(0, (), broken)))
    with pytest.raises(LogNotWitnessed):
        witness.checkpoint(ORIGIN)


def test_lines_of_strangers_beside_that_of_the_log_are_not_repeated(platform_database: PlatformDatabase) -> None:
    witness, log = witness_of(platform_database), ForeignLog(HONEST)
    stranger = NoteSigner("stranger.example", key(b"x"))
    extra = format_signatures(parse_note(stranger.sign(5, bytes(32))).signatures)
    witness.add_checkpoint(format_add_checkpoint(AddCheckpoint(0, (), log.signed(5) + extra)))
    names = [line.name for line in parse_note(witness.checkpoint(ORIGIN)).signatures]
    assert names == [ORIGIN, COSIGNER.name]


def test_a_replay_of_what_was_just_cosigned_gets_the_same_line_without_a_write(
    platform_database: PlatformDatabase,
) -> None:
    witness, log = witness_of(platform_database), ForeignLog(HONEST)
    first = witness.add_checkpoint(request(log, 0, 300))
    assert witness.add_checkpoint(request(log, 300, 300)) == first


def test_a_log_that_was_removed_and_named_again_goes_on_where_it_stood(platform_database: PlatformDatabase) -> None:
    witness, log = witness_of(platform_database), ForeignLog(HONEST)
    cosigned(witness, log, 0, 300)
    witness.distrust_log(ORIGIN, context=CONTEXT)
    with pytest.raises(LogNotWitnessed):
        witness.add_checkpoint(request(log, 300, 301))
    with pytest.raises(LogNotWitnessed):
        witness.distrust_log(ORIGIN, context=CONTEXT)
    witness.trust_log(log.keys[0], context=CONTEXT)
    with pytest.raises(WitnessAhead):
        witness.add_checkpoint(request(ForeignLog(FORKED), 0, 100))
    cosigned(witness, log, 300, 301)
    ledger = platform_database.open_ledger(WRITES)
    told = [fact.schema for fact in ledger.facts(schemas=frozenset({LogWitnessed.schema, LogUnwitnessed.schema}))]
    assert told == [LogWitnessed.schema, LogUnwitnessed.schema, LogWitnessed.schema]


def test_a_log_may_have_several_keys_and_any_of_them_will_do(platform_database: PlatformDatabase) -> None:
    witness = witness_of(platform_database)
    second = NoteSigner(ORIGIN, key(b"2"))
    witness.trust_log(verifier_of(ORIGIN, second.signer.public_key), context=CONTEXT)
    assert len(witness.logs()[0].keys) == 2
    log = ForeignLog(HONEST, signer=second)
    witness.add_checkpoint(request(log, 0, 300))
    cosigned(witness, ForeignLog(HONEST), 300, 301)


@pytest.mark.parametrize("bad", [COSIGNER.key, VerifierKey("x" * 256, bytes(32))])
def test_what_signs_no_checkpoints_is_no_key_of_a_log(platform_database: PlatformDatabase, bad: VerifierKey) -> None:
    with pytest.raises(WitnessInvalid):
        witness_of(platform_database).trust_log(bad, context=CONTEXT)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE witnessed_log SET size = size - 1",
        "UPDATE witnessed_log SET root = note",
        "UPDATE witnessed_log SET origin = 'other.example'",
        "DELETE FROM witnessed_log",
    ],
)
def test_no_slip_of_a_hand_lets_a_witness_go_back(platform_database: PlatformDatabase, statement: str) -> None:
    witness, log = witness_of(platform_database), ForeignLog(HONEST)
    cosigned(witness, log, 0, 300)
    with pytest.raises(DBAPIError, match="never goes back"), platform_database.database.writer.begin() as connection:
        connection.exec_driver_sql(statement)
    cosigned(witness, log, 300, 301)


def test_two_replicas_never_cosign_two_trees(platform_database: PlatformDatabase) -> None:
    """Both replicas read the same state, then race with the two halves of a fork: exactly one of them wins."""
    first = witness_of(platform_database)
    replicas = (first, first if platform_database.dialect == "sqlite" else witness_of(platform_database, again=True))
    for number in range(8):
        signer = NoteSigner(f"log{number}.example", LOG.signer)
        logs = [ForeignLog(content, signer=signer) for content in (HONEST, FORKED)]
        first.trust_log(logs[0].keys[0], context=CONTEXT)
        first.add_checkpoint(request(logs[0], 0, 90))
        outcomes = race(replicas, [request(log, 90, 91 + number) for log in logs])
        assert sorted(outcomes) == ["cosigned", "witness-size-differs"]


def race(witnesses: tuple[Witness, Witness], bodies: list[bytes]) -> list[str]:
    """Send each request to its witness at the same moment and return what became of them."""
    start, outcomes = threading.Barrier(2), list[str]()

    def ask(witness: Witness, body: bytes) -> None:
        start.wait()
        try:
            witness.add_checkpoint(body)
        except (WitnessAhead, ProofInvalid) as refused:
            outcomes.append(refused.code)
        else:
            outcomes.append("cosigned")

    threads = [threading.Thread(target=ask, args=pair) for pair in zip(witnesses, bodies, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
