"""Logs and witnesses of others: whatever they answer, it is bounded, uncompressed in bounds, and from that host."""

from __future__ import annotations

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from tests.ledger.published import LOG, ForeignLog, key, leaves

from chainward.adapters.published import HttpTileLog, Outside, PublishedUnavailable
from chainward.adapters.witness import HttpWitnesses
from chainward.formats.tile import EntriesPath, TilePath, decode_entries
from chainward.kernel.problem import Problem
from chainward.ledger.cosign import Cosigner
from chainward.ledger.monitor import Monitor
from chainward.ledger.witness import NamedWitness, WitnessAhead, WitnessRefused, WitnessUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = tuple[int, dict[str, str], bytes]

WITNESS = Cosigner("w.example", key(b"w"))


@contextmanager
def served(answer: Callable[[str], Answer]) -> Iterator[tuple[str, list[str]]]:
    """Serve what ``answer`` says to each path; gives the base URL and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            assert self.headers.get("Authorization") is None
            asked.append(self.path)
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - the names of http.server

        def log_message(self, *_: object) -> None:
            """Keep the output of tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def publishing(log: ForeignLog, *, packed: bool = False, partial: bool = True) -> Callable[[str], Answer]:
    """Answer as a static file server would that holds the files of a log, perhaps packed, or without partial tiles."""

    def answer(path: str) -> Answer:
        name = path.removeprefix("/log/")
        if ".p/" in name and not partial:
            return 404, {}, b"gone"
        try:
            content = _file(log, name)
        except Problem:
            return 404, {}, b"there is none"
        return (200, {"Content-Encoding": "gzip"}, gzip.compress(content)) if packed else (200, {}, content)

    return answer


def _file(log: ForeignLog, name: str) -> bytes:
    from chainward.formats.tile import parse_entries_path, parse_tile_path

    if name == "checkpoint":
        return log.checkpoint()
    if name.startswith("tile/entries/"):
        return log.entries(parse_entries_path(name.removeprefix("tile/entries/")))
    return log.tile(parse_tile_path(name.removeprefix("tile/")))


@pytest.mark.parametrize("packed", [False, True])
def test_a_log_of_static_files_is_monitored_packed_or_not(packed: bool) -> None:  # noqa: FBT001 - a parameter
    log = ForeignLog(leaves(600))
    with served(publishing(log, packed=packed)) as (url, asked), Outside() as outside:
        monitor = Monitor(HttpTileLog(outside, f"{url}/log/"), LOG.origin, log.keys)
        (look,) = monitor.looks(None, start=0)
    assert look.remembered.examined == 600
    assert asked[0] == "/log/checkpoint"


def test_where_a_partial_tile_is_gone_the_beginning_of_the_complete_one_does() -> None:
    content = leaves(600)
    with served(publishing(ForeignLog(content), partial=False)) as (url, asked), Outside() as outside:
        published = HttpTileLog(outside, f"{url}/log")
        honest = ForeignLog(content)
        assert published.tile(TilePath(0, 1, 7)) == honest.tile(TilePath(0, 1, 7))
        assert decode_entries(published.entries(EntriesPath(1, 7)), 7) == tuple(content[256:263])
        assert asked == ["/log/tile/0/001.p/7", "/log/tile/0/001", "/log/tile/entries/001.p/7", "/log/tile/entries/001"]
        with pytest.raises(PublishedUnavailable, match="does not exist"):
            published.tile(TilePath(0, 9))
        with pytest.raises(PublishedUnavailable, match="does not exist"):
            published.entries(EntriesPath(9, 3))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((302, {"Location": "http://127.0.0.1:9/checkpoint"}, b""), "redirects"),
        ((307, {"Location": "checkpoint"}, b""), "redirects"),
        ((500, {}, b"x"), "status 500"),
        ((204, {}, b""), "status 204"),
        ((200, {}, b"x" * (1 << 20) + b"y"), "more than"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(50 << 20))), "more than"),
        ((200, {"Content-Encoding": "gzip"}, b"not gzip"), "not gzip"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b"x")[:-3]), "half of something"),
        ((200, {"Content-Encoding": "gzip"}, gzip.compress(b"x") + b"more"), "half of something"),
        ((200, {"Content-Encoding": "br"}, b"x"), "encoding"),
    ],
)
def test_an_answer_that_is_not_bounded_and_plain_is_not_taken(answer: Answer, why: str) -> None:
    with served(lambda _: answer) as (url, asked), Outside() as outside:
        with pytest.raises(PublishedUnavailable, match=why):
            HttpTileLog(outside, url).checkpoint()
        assert asked == ["/checkpoint"]


def test_an_answer_that_takes_too_long_is_not_waited_for() -> None:
    with (
        served(lambda _: (200, {}, b"x" * 100)) as (url, _),
        Outside(seconds=-1) as outside,
        pytest.raises(PublishedUnavailable, match="to the end within"),
    ):
        HttpTileLog(outside, url).checkpoint()


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "log.example",
        "ftp://log.example",
        "http://",
        "http://user:secret@log.example",
        "http://log.example/?x=1",
        "http://log.example/#x",
        "http://log.example:0",
        "http://log.example:x",
    ],
)
def test_a_prefix_that_is_no_plain_url_is_refused(prefix: str) -> None:
    with Outside() as outside, pytest.raises(PublishedUnavailable):
        HttpTileLog(outside, prefix)


def test_nobody_at_an_address_is_told_as_such(tmp_path: Path) -> None:
    with Outside() as outside, pytest.raises(PublishedUnavailable, match="does not answer"):
        HttpTileLog(outside, "http://127.0.0.1:9").checkpoint()
    (tmp_path / "ca.pem").write_text("no certificate")
    with Outside(tmp_path / "ca.pem") as outside, pytest.raises(PublishedUnavailable, match="cannot be used"):
        HttpTileLog(outside, "http://127.0.0.1:9").checkpoint()


def witness(url: str) -> NamedWitness:
    return NamedWitness("w", f"{url}/", WITNESS.key)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((409, {"Content-Type": "text/x.tlog.size"}, b"17\n"), WitnessAhead),
        ((409, {"Content-Type": "text/x.tlog.size"}, b"17"), WitnessUnreachable),
        ((409, {"Content-Type": "text/plain"}, b"17\n"), WitnessUnreachable),
        ((403, {}, b""), WitnessRefused),
        ((404, {}, b""), WitnessRefused),
        ((422, {}, b""), WitnessRefused),
        ((400, {}, b""), WitnessUnreachable),
        ((500, {}, b""), WitnessUnreachable),
        ((302, {"Location": "/"}, b""), WitnessUnreachable),
        ((200, {}, b"x" * 100_000), WitnessUnreachable),
    ],
)
def test_what_a_witness_answers_has_its_meaning(answer: Answer, problem: type[Problem]) -> None:
    with served(lambda _: answer) as (url, asked), Outside() as outside:
        with pytest.raises(problem) as raised:
            HttpWitnesses(outside).submit(witness(url), b"old 0\n\n")
        assert asked == ["/add-checkpoint"]
    if isinstance(raised.value, WitnessAhead):
        assert raised.value.size == 17
