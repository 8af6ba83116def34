"""Two platforms that witness each other over loopback, and a monitor beside them."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.flows.server import serve, serve_platform
from tests.platforms import CONTEXT
from tests.trust.entries import CI, ISSUER, certificate, certified

from chainward.adapters.published import HttpTileLog, Outside
from chainward.formats.checkpoint import parse_checkpoint
from chainward.formats.note import VerifierKey, parse_note
from chainward.formats.witness import AddCheckpoint, format_add_checkpoint, parse_size
from chainward.ledger.checkpoint import verifier_key_of
from chainward.ledger.cosign import open_signed
from chainward.ledger.facts import WitnessDisagreed
from chainward.ledger.monitor import Monitor
from chainward.ledger.tiles import PublishedTree
from chainward.ledger.witness import NotWitnessed, WitnessPolicy, verify_cosigned
from chainward.trust.identity import IdentityMatch
from chainward.trust.watch import Watch, Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send
    from tests.platforms import TestPlatform

    from chainward.ledger.gather import Submission


@dataclass(slots=True)
class House:
    """A served platform and what others know of it."""

    desk: TestPlatform
    url: str

    @property
    def origin(self) -> str:
        return self.desk.platform.signatures_origin

    @property
    def log_key(self) -> VerifierKey:
        return verifier_key_of(self.origin, self.desk.platform.logs["signatures"].public_key)

    @property
    def witness_key(self) -> VerifierKey:
        return self.desk.platform.witnessing.witness.key

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.desk.admin}"}

    def grow(self, *entries: bytes) -> None:
        """Append entries to the signature log."""
        self.desk.platform.ledger.append_entries(self.origin, entries or (b"one more",))

    def size(self) -> int:
        return self.desk.platform.log_sizes()[self.origin]

    def ask_for(self, other: House) -> None:
        """Have the own logs witnessed by another house, and let that know them; all over HTTP."""
        for log in self.desk.platform.logs.values():
            if log.origin != self.desk.platform.facts_origin:
                body = {"key": str(verifier_key_of(log.origin, log.public_key))}
                answer = httpx.post(f"{other.url}/api/v1/witness/logs", json=body, headers=other.headers)
                assert answer.status_code == 201, answer.text
        key = httpx.get(f"{other.url}/witness/key").text.strip()
        assert key == str(other.witness_key)
        body = {"name": "other", "url": f"{other.url}/witness", "key": key}
        answer = httpx.post(f"{self.url}/api/v1/witnesses", json=body, headers=self.headers)
        assert answer.status_code == 201, answer.text

    def submit(self) -> dict[str, Submission]:
        """Ask all witnesses now; returns what they said by log."""
        return {each.origin: each for each in self.desk.platform.witnessing.witnesses.submit()}


@contextmanager
def house(folder: Path, name: str) -> Iterator[House]:
    with serve_platform(folder, {("instance", "name"): name}) as (desk, url):
        yield House(desk, url)


@pytest.fixture
def houses(tmp_path: Path) -> Iterator[tuple[House, House]]:
    """Two platforms, each a witness of the other."""
    with house(tmp_path / "one", "one.example") as one, house(tmp_path / "two", "two.example") as two:
        one.ask_for(two)
        two.ask_for(one)
        yield one, two


def test_two_platforms_witness_each_other(houses: tuple[House, House]) -> None:
    for mine, other in (houses, houses[::-1]):
        mine.grow(b"a", b"b")
        told = mine.submit()
        assert all(each.problem is None for each in told.values())
        assert set(told) == {log.origin for log in mine.desk.platform.logs.values()} - {mine.desk.platform.facts_origin}
        assert mine.submit() == {}
        note = httpx.get(f"{mine.url}/log/{mine.origin}/witnessed-checkpoint").content
        checkpoint, _ = open_signed(note, mine.origin, (mine.log_key,))
        cosigned = verify_cosigned(note, WitnessPolicy((other.witness_key,), 1))
        assert cosigned.checkpoint == checkpoint
        assert checkpoint.size == mine.size()
        assert cosigned.since <= datetime.now(UTC)
        for path in ("api/v2/checkpoint", f"log/{mine.origin}/checkpoint"):
            assert httpx.get(f"{mine.url}/{path}").content == note
        name = hashlib.sha256(mine.origin.encode()).hexdigest()
        seen = httpx.get(f"{other.url}/witness/{name}/checkpoint").content
        assert parse_note(seen).text == parse_note(note).text


def test_a_checkpoint_that_is_not_cosigned_yet_is_served_without_and_the_older_one_with_cosignatures(
    houses: tuple[House, House],
) -> None:
    one, two = houses
    one.submit()
    older = one.size()
    one.grow()
    newest = httpx.get(f"{one.url}/log/{one.origin}/checkpoint").content
    witnessed = httpx.get(f"{one.url}/log/{one.origin}/witnessed-checkpoint").content
    policy = WitnessPolicy((two.witness_key,), 1)
    with pytest.raises(NotWitnessed):
        verify_cosigned(newest, policy)
    assert (
        verify_cosigned(witnessed, policy).checkpoint.size
        == older
        == parse_checkpoint(parse_note(newest).text).size - 1
    )


def test_the_answers_of_a_witness_are_those_of_the_protocol(houses: tuple[House, House]) -> None:
    one, two = houses
    one.grow(*(f"entry {number}".encode() for number in range(20)))
    with Outside() as outside:
        tree = PublishedTree(HttpTileLog(outside, f"{one.url}/log/{one.origin}"), one.size())
        proof = tree.consistency(one.size() - 5, one.size())
    note = one.desk.platform.ledger.checkpoint(one.origin)
    url = f"{two.url}/witness/add-checkpoint"

    def asked(old: int, proof: tuple[bytes, ...] = (), checkpoint: bytes = note) -> httpx.Response:
        return httpx.post(url, content=format_add_checkpoint(AddCheckpoint(old, proof, checkpoint)))

    assert asked(0, (bytes(32),)).status_code == 422
    assert asked(one.size() + 1).status_code == 400
    assert httpx.post(url, content=b"old 0\n").status_code == 400
    assert httpx.post(url, content=b"old 0\n\n" + b"x" * 400_000).status_code == 413
    assert asked(0, checkpoint=note.replace(b"log.one.example", b"log.six.example")).status_code == 404
    assert asked(0, checkpoint=note.replace(b"\n21\n", b"\n22\n")).status_code == 403
    behind = asked(one.size() - 5, proof)
    assert (behind.status_code, behind.headers["content-type"]) == (409, "text/x.tlog.size")
    assert parse_size(behind.content) == 0
    first = asked(0)
    assert first.status_code == 200
    assert verify_cosigned(note + first.content, WitnessPolicy((two.witness_key,), 1)).checkpoint.size == one.size()
    assert asked(0).content == f"{one.size()}\n".encode()
    assert httpx.get(url).status_code == 405
    assert httpx.get(f"{two.url}/witness/{'0' * 64}/checkpoint").status_code == 404
    nobody = httpx.post(f"{two.url}/api/v1/witness/logs", json={"key": str(one.log_key)})
    assert nobody.status_code == 401


def test_a_witness_that_lost_its_place_is_caught_up(houses: tuple[House, House]) -> None:
    one, two = houses
    one.submit()
    one.grow(b"a", b"b", b"c")
    one.desk.platform.witnessing.witnesses.remove("other", context=CONTEXT)
    one.ask_for(two)  # what this witness cosigned before is forgotten here, and remembered there
    assert all(each.problem is None for each in one.submit().values())
    assert one.desk.platform.witnessing.witnesses.cosigned(one.origin).size == one.size()


def test_a_witness_that_does_not_answer_is_asked_once_a_round_and_states_nothing(tmp_path: Path) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        assert scope["type"] == "http"
        asked.append(scope["path"])
        headers = [(b"location", b"http://127.0.0.1:9/"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 302, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    asked: list[str] = []
    with house(tmp_path / "one", "one.example") as one, serve(broken) as url:
        body = {"name": "broken", "url": url, "key": str(one.witness_key)}
        assert httpx.post(f"{one.url}/api/v1/witnesses", json=body, headers=one.headers).status_code == 201
        (told,) = one.submit().values()
        assert told.problem is not None
        assert told.problem.code == "witness-unreachable"
        assert asked == ["/add-checkpoint"]
        assert httpx.get(f"{one.url}/log/{one.origin}/witnessed-checkpoint").status_code == 404
        assert one.desk.platform.ledger.facts(schemas=frozenset({WitnessDisagreed.schema})) == []


def test_a_cosignature_of_another_witness_is_not_taken_for_the_one_that_was_asked(tmp_path: Path) -> None:
    with ExitStack() as ending:
        one, two, six = (
            ending.enter_context(house(tmp_path / name, f"{name}.example")) for name in ("one", "two", "six")
        )
        one.ask_for(two)
        witnesses = one.desk.platform.witnessing.witnesses
        witnesses.remove("other", context=CONTEXT)
        body = {"name": "other", "url": f"{two.url}/witness", "key": str(six.witness_key)}
        assert httpx.post(f"{one.url}/api/v1/witnesses", json=body, headers=one.headers).status_code == 201
        (told,) = one.submit().values()
        assert told.problem is not None
        assert told.problem.code == "witness-unreachable"


def test_a_monitor_finds_a_log_in_order_and_sees_what_its_witness_saw(houses: tuple[House, House]) -> None:
    one, two = houses
    one.submit()
    with Outside() as outside:
        log = HttpTileLog(outside, f"{one.url}/log/{one.origin}")
        name = hashlib.sha256(one.origin.encode()).hexdigest()
        seen = outside.ask("GET", f"{two.url}/witness/{name}/checkpoint", limit=1 << 20).content
        monitor = Monitor(log, one.origin, (one.log_key,))
        (first,) = monitor.looks(None, start=0, others=[("two", seen)])
        one.grow(*(f"entry {number}".encode() for number in range(300)))
        (second,) = monitor.looks(first.remembered, others=[("two", seen)])
        assert second.checkpoint.size == first.checkpoint.size + 300
        assert second.is_complete


def test_a_certificate_of_a_watched_identity_is_seen_in_the_certificate_log(tmp_path: Path) -> None:
    with house(tmp_path / "one", "one.example") as one, Outside() as outside:
        log = one.desk.platform.logs["certificates"]
        key = verifier_key_of(log.origin, log.public_key)
        watcher = Watcher([Watch("ci", IdentityMatch(subject=CI, issuer=ISSUER))])
        monitor = Monitor(HttpTileLog(outside, f"{one.url}/log/{log.origin}"), log.origin, (key,), watcher.examine)
        (first,) = monitor.looks(None, start=0)
        assert first.sightings == ()
        others = [certified(certificate(f"https://ci.example/other/{number}")) for number in range(300)]
        one.desk.platform.ledger.append_entries(log.origin, [*others, certified(certificate(CI)), others[0][:40]])
        (second,) = monitor.looks(first.remembered)
        assert [(each.index, each.watch) for each in second.sightings] == [(301, "ci"), (302, "unreadable")]
        (third,) = monitor.looks(second.remembered)
        assert third.sightings == ()
