"""Having the own logs witnessed, on every store: what is kept, what is served, and what becomes a fact."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.databases import CONTEXT, SIGNATURES, SIGNATURES_ORIGIN, PlatformDatabase
from tests.ledger.published import key

from chainward.adapters.sql.witness import WRITES, SqlWitnessStore
from chainward.formats.checkpoint import parse_checkpoint
from chainward.formats.note import VerifierKey, format_signatures, parse_note
from chainward.formats.witness import parse_add_checkpoint
from chainward.ledger.cosign import Cosigner, open_signed
from chainward.ledger.facts import WitnessAdded, WitnessDisagreed, WitnessRemoved
from chainward.ledger.gather import Witnesses
from chainward.ledger.proofs import verify_consistency
from chainward.ledger.witness import (
    NamedWitness,
    Unwitnessed,
    WitnessAhead,
    WitnessExists,
    WitnessPolicy,
    WitnessRefused,
    WitnessUnknown,
    WitnessUnreachable,
    verify_cosigned,
)

if TYPE_CHECKING:
    from chainward.kernel.problem import Problem
    from chainward.ledger.commit import Ledger

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES = ("ant", "bee", "cat")


@dataclass
class Guard:
    """A witness in memory: it remembers one state, checks every proof, and may be told to fail."""

    cosigner: Cosigner
    size: int = 0
    root: bytes = bytes(32)
    fails: Problem | None = None
    asked: int = 0
    answer: bytes | None = None


@dataclass
class Guards:
    """Implements WitnessClient over guards in memory."""

    guards: dict[str, Guard] = field(
        default_factory=lambda: {name: Guard(Cosigner(f"{name}.example", key(name[:1].encode()))) for name in NAMES}
    )

    def submit(self, witness: NamedWitness, request: bytes) -> bytes:
        guard = self.guards[witness.name]
        guard.asked += 1
        if guard.fails is not None:
            raise guard.fails
        asked = parse_add_checkpoint(request)
        note = parse_note(asked.note)
        checkpoint = parse_checkpoint(note.text)
        if asked.old_size != guard.size:
            raise WitnessAhead(guard.size)
        if guard.size:
            verify_consistency(guard.size, checkpoint.size, asked.proof, guard.root, checkpoint.root)
        guard.size, guard.root = checkpoint.size, checkpoint.root
        line = guard.cosigner.cosign(note.text, NOON + timedelta(seconds=checkpoint.size))
        return format_signatures([line]) if guard.answer is None else guard.answer

    def named(self, name: str) -> NamedWitness:
        return NamedWitness(name, f"http://{name}.example/witness", self.guards[name].cosigner.key)


@dataclass
class Desk:
    """A ledger whose signature log is witnessed by whoever was added."""

    ledger: Ledger
    guards: Guards
    witnesses: Witnesses

    def grow(self, count: int = 1) -> int:
        """Append entries and return the size of the log."""
        size = self.size()
        self.ledger.append_entries(SIGNATURES_ORIGIN, [f"{size} {number}".encode() for number in range(count)])
        return self.size()

    def size(self) -> int:
        return next(head.size for head in self.ledger.logs() if head.origin == SIGNATURES_ORIGIN)

    def add(self, *names: str) -> None:
        for name in names:
            self.witnesses.add(self.guards.named(name), context=CONTEXT)

    def submit(self) -> dict[str, str]:
        """Ask all witnesses; returns the code of what each said."""
        told = self.witnesses.submit()
        assert {each.origin for each in told} <= {SIGNATURES_ORIGIN}
        return {each.witness: each.problem.code if each.problem else "" for each in told}

    def cosigned(self, *names: str) -> int:
        """Return the size of the checkpoint that is served as witnessed, which these witnesses cosigned."""
        found = self.witnesses.cosigned(SIGNATURES_ORIGIN)
        assert found.witnesses == names
        checkpoint, _ = open_signed(found.note, SIGNATURES_ORIGIN, (own_key(),))
        keys = tuple(self.guards.guards[name].cosigner.key for name in names)
        assert verify_cosigned(found.note, WitnessPolicy(keys, len(keys))).checkpoint == checkpoint
        assert (checkpoint.size, checkpoint.root) == (found.size, found.root)
        return found.size

    def facts(self, schema: str) -> list[dict[str, object] | None]:
        return [fact.body for fact in self.ledger.facts(schemas=frozenset({schema}))]


def own_key() -> VerifierKey:
    from chainward.ledger.cosign import verifier_of

    return verifier_of(SIGNATURES_ORIGIN, SIGNATURES.signer.public_key)


def desk(platform: PlatformDatabase, threshold: int = 1) -> Desk:
    ledger, guards = platform.open_ledger(WRITES), Guards()
    store = SqlWitnessStore(platform.database)
    return Desk(ledger, guards, Witnesses(ledger, store, guards, threshold=threshold))


def test_every_checkpoint_goes_to_every_witness_once(platform_database: PlatformDatabase) -> None:
    at = desk(platform_database)
    at.add("ant", "bee")
    for count in (1, 3, 300):
        size = at.grow(count)
        assert at.submit() == {"ant": "", "bee": ""}
        assert at.submit() == {}
        assert at.cosigned("ant", "bee") == size
    note = at.ledger.checkpoint(SIGNATURES_ORIGIN)
    served = at.witnesses.decorated(SIGNATURES_ORIGIN, note)
    assert [line.name for line in parse_note(served).signatures] == [SIGNATURES_ORIGIN, "ant.example", "bee.example"]
    at.grow()
    newest = at.ledger.checkpoint(SIGNATURES_ORIGIN)
    assert at.witnesses.decorated(SIGNATURES_ORIGIN, newest) == newest


def test_what_too_few_cosigned_is_not_served_as_witnessed(platform_database: PlatformDatabase) -> None:
    at = desk(platform_database, threshold=2)
    at.add("ant", "bee", "cat")
    with pytest.raises(Unwitnessed):
        at.witnesses.cosigned(SIGNATURES_ORIGIN)
    at.guards.guards["bee"].fails = at.guards.guards["cat"].fails = WitnessUnreachable("asleep")
    at.grow()
    assert at.submit() == {"ant": "", "bee": "witness-unreachable", "cat": "witness-unreachable"}
    with pytest.raises(Unwitnessed):
        at.witnesses.cosigned(SIGNATURES_ORIGIN)
    at.guards.guards["bee"].fails = None
    assert at.submit() == {"bee": "", "cat": "witness-unreachable"}
    agreed = at.cosigned("ant", "bee")
    at.guards.guards["bee"].fails = WitnessUnreachable("asleep")
    newer = at.grow(5)
    assert at.submit()["ant"] == ""
    assert at.cosigned("ant", "bee") == agreed  # the newer one has one cosignature, and waits
    at.guards.guards["bee"].fails = None
    at.guards.guards["cat"].fails = None
    assert at.submit() == {"bee": "", "cat": ""}
    assert at.cosigned("ant", "bee", "cat") == newer
    assert at.facts(WitnessDisagreed.schema) == []


def test_a_witness_that_lags_or_was_asked_by_another_replica_is_caught_up(platform_database: PlatformDatabase) -> None:
    at = desk(platform_database)
    at.add("ant")
    at.grow(10)
    at.submit()
    guard = at.guards.guards["ant"]
    root = at.ledger.consistency(SIGNATURES_ORIGIN, 5).root1
    guard.size, guard.root = 5, root  # it lost what it knew
    size = at.grow(10)
    assert at.submit() == {"ant": ""}
    assert guard.asked == 3
    assert at.cosigned("ant") == guard.size == size


def test_a_witness_that_saw_more_than_there_is_is_an_alarm_that_sounds_once(
    platform_database: PlatformDatabase,
) -> None:
    at = desk(platform_database)
    at.add("ant")
    guard = at.guards.guards["ant"]
    guard.size = 1000
    size = at.grow()
    for _ in range(3):
        assert at.submit() == {"ant": "witness-size-differs"}
    (fact,) = at.facts(WitnessDisagreed.schema)
    assert fact is not None
    assert (fact["witness"], fact["origin"], fact["size"]) == ("ant", SIGNATURES_ORIGIN, size)
    guard.fails = WitnessRefused("the checkpoint does not extend what it cosigned before")
    assert at.submit() == at.submit() == {"ant": "witness-refused"}
    guard.fails, guard.size = None, 0
    assert at.submit() == {"ant": ""}
    guard.size = 1000
    at.grow()
    at.submit()
    codes = [body["code"] for body in at.facts(WitnessDisagreed.schema) if body]
    assert codes == ["witness-size-differs", "witness-refused", "witness-size-differs"]


@pytest.mark.parametrize("kind", ["nothing", "stranger", "old text", "false"])
def test_an_answer_that_is_no_cosignature_of_this_checkpoint_is_not_kept(
    platform_database: PlatformDatabase, kind: str
) -> None:
    at = desk(platform_database)
    at.add("ant")
    at.grow()
    guard = at.guards.guards["ant"]
    text = parse_note(at.ledger.checkpoint(SIGNATURES_ORIGIN)).text
    stranger = Cosigner("ant.example", key(b"x")).cosign(text, NOON)
    old = guard.cosigner.cosign("other.example\n1\n" + text.split("\n")[2] + "\n", NOON)
    guard.answer = {
        "nothing": b"",
        "stranger": format_signatures([stranger]),
        "old text": format_signatures([old]),
        "false": format_signatures([old])[:-3] + b"=\n",
    }[kind]
    (code,) = at.submit().values()
    assert code in {"witness-unreachable", "cosignature-invalid", "input-malformed"}
    with pytest.raises(Unwitnessed):
        at.witnesses.cosigned(SIGNATURES_ORIGIN)
    assert at.facts(WitnessDisagreed.schema) == []
    guard.answer, guard.size = None, 0
    assert at.submit() == {"ant": ""}


def test_lines_of_others_in_an_answer_are_left_out(platform_database: PlatformDatabase) -> None:
    at = desk(platform_database)
    at.add("ant")
    at.grow()
    text = parse_note(at.ledger.checkpoint(SIGNATURES_ORIGIN)).text
    guards = at.guards.guards
    lines = [guards[name].cosigner.cosign(text, NOON) for name in ("bee", "ant", "cat")]
    guards["ant"].answer = format_signatures(lines)
    assert at.submit() == {"ant": ""}
    names = [line.name for line in parse_note(at.witnesses.cosigned(SIGNATURES_ORIGIN).note).signatures]
    assert names == [SIGNATURES_ORIGIN, "ant.example"]


def test_a_witness_has_one_name_and_one_key_and_what_it_cosigned_goes_with_it(
    platform_database: PlatformDatabase,
) -> None:
    at = desk(platform_database)
    at.add("ant", "bee")
    at.grow()
    at.submit()
    for name, other in (("ant", "cat"), ("dog", "ant")):
        again = NamedWitness(name, "http://other.example", at.guards.named(other).key)
        with pytest.raises(WitnessExists):
            at.witnesses.add(again, context=CONTEXT)
    at.witnesses.remove("ant", context=CONTEXT)
    with pytest.raises(WitnessUnknown):
        at.witnesses.remove("ant", context=CONTEXT)
    assert [witness.name for witness in at.witnesses.listed()] == ["bee"]
    at.cosigned("bee")
    told = [body["name"] for body in at.facts(WitnessAdded.schema) if body]
    assert told == ["ant", "bee"]
    assert len(at.facts(WitnessRemoved.schema)) == 1
