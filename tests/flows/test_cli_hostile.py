"""A platform that lies, or that does not end: the command measures every answer, and says so in one coded error."""

from __future__ import annotations

import base64
import json
import threading
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.flows.command_line import Done, bare
from tests.flows.server import serve
from tests.platforms import open_test_platform

from chainward.adapters.remote import AddressInvalid, AnswerUnexpected, PlatformUnreachable, Remote, RemoteRegistry
from chainward.kernel.digest import Digest, DigestMismatch
from chainward.kernel.name import RepositoryName
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REPOSITORY: Final = RepositoryName("shop/web")
MANIFEST: Final = b'{"schemaVersion":2}'
CHUNK: Final = b"x" * 65536


class Liar(BaseHTTPRequestHandler):
    """Answers each request as the test says; without a rule, with an empty object."""

    protocol_version = "HTTP/1.1"
    rules: dict[str, Callable[[Liar], None]]
    asked: list[str]

    def _any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked.append(f"{self.command} {self.path}")
        path = self.path.partition("?")[0]
        try:
            self.rules.get(path, _empty)(self)
        except OSError:
            self.close_connection = True  # the client had enough

    do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = do_DELETE = _any  # noqa: N815 - the names of http.server

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer with a body of a known length."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def endless(self, status: int = 200) -> None:
        """Answer with a body that never ends."""
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))

    def log_message(self, *_: object) -> None:
        """Keep the output of tests clean."""


def _empty(handler: Liar) -> None:
    handler.answer(b"{}")


@contextmanager
def lying(**rules: Callable[[Liar], None]) -> Iterator[tuple[str, list[str]]]:
    """Serve a liar; gives its URL and what it was asked. Rules are given by path."""
    asked: list[str] = []
    handler = type("Handler", (Liar,), {"rules": rules, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(document: Any) -> Callable[[Liar], None]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return lambda handler: handler.answer(body)


def told(url: str, *words: str, cwd: Path) -> Done:
    return bare(*words, "--json", cwd=cwd, CHAINWARD_URL=url, CHAINWARD_TOKEN="cwt_secret")


def test_an_answer_without_end_is_read_no_further_than_its_limit() -> None:
    with lying(**{"/x": Liar.endless}) as (url, _), Remote(url, "t", answer_limit=1 << 20) as remote:
        with pytest.raises(AnswerUnexpected, match="more than 1048576 bytes"):
            remote.raw("/x")
        with pytest.raises(AnswerUnexpected, match="more than 1000 bytes"):
            remote.raw("/x", limit=1000)


def test_an_error_without_end_is_an_error_all_the_same() -> None:
    rules = {"/x": lambda handler: handler.endless(503)}
    with (
        lying(**rules) as (url, _),
        Remote(url, "t", answer_limit=1 << 20) as remote,
        pytest.raises(Problem, match="answered 503") as caught,
    ):
        remote.raw("/x")
    assert caught.value.kind is Kind.UNAVAILABLE


def test_an_answer_that_comes_drop_by_drop_is_given_up() -> None:
    release = threading.Event()

    def drip(handler: Liar) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b".")
            handler.wfile.flush()
            if release.wait(0.02):
                break

    with lying(**{"/x": drip}) as (url, _), Remote(url, "t", answer_seconds=0.2) as remote:
        with pytest.raises(AnswerUnexpected, match=r"within 0\.2 seconds"):
            remote.raw("/x")
        release.set()


def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one() -> None:
    def half(handler: Liar) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"logs": []}')
        handler.close_connection = True

    with lying(**{"/x": half}) as (url, _), Remote(url, "t") as remote, pytest.raises(PlatformUnreachable):
        remote.raw("/x")


def test_a_compressed_answer_is_not_unpacked() -> None:
    """A megabyte of it would be a gigabyte in memory."""
    bomb = zlib.compress(bytes(1 << 20))
    rules = {"/x": lambda handler: handler.answer(bomb, Content_Encoding="deflate")}
    with lying(**rules) as (url, _), Remote(url, "t") as remote, pytest.raises(AnswerUnexpected, match="compressed"):
        remote.raw("/x")


SHAPES: Final = {
    "nothing": b"",
    "a page": b"<html>",
    "a list": b"[]",
    "null": b"null",
    "half of it": b"{",
    "no UTF-8": b"\xff",
    "a number for a list": b'{"logs": 7}',
    "a number for a log": b'{"logs": [7]}',
    "a number for a name": b'{"logs": [{"name": 1}]}',
    "too deep": b'{"logs": ' + b"[" * 200_000,
    "a little too deep": b'{"logs": ' + b"[" * 200 + b"]" * 200 + b"}",
    "a number without end": b'{"logs": 1' + b"0" * 5000 + b"}",
}


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES)
def test_an_answer_of_another_shape_is_one_coded_error(body: bytes, tmp_path: Path) -> None:
    with lying(**{"/api/v1/logs": says(body)}) as (url, _):
        done = told(url, "log", "list", cwd=tmp_path)
    assert (done.status, done.code) == (6, "platform-answer-unexpected")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("service", "list"), ("token", "list"), ("trust", "list"), ("policy", "show"), ("log", "verify"),
        ("log", "prove", "facts", "1"), ("timeline", "shop/web:1"), ("promote", "shop/web:1", "--to", "dev"),
        ("revoke", f"sha256:{'0' * 64}", "--reason", "x"), ("verify", f"shop/web@sha256:{'0' * 64}"),
        ("token", "issue", "x", "--role", "reader:**"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_empty_answer_ends_every_verb_with_the_same_code(words: tuple[str, ...], tmp_path: Path) -> None:
    with lying() as (url, asked):
        done = told(url, *words, cwd=tmp_path)
    assert asked
    assert (done.status, done.code) == (6, "platform-answer-unexpected")


def test_a_gate_that_does_not_say_allowed_said_no(tmp_path: Path) -> None:
    (tmp_path / "review.json").write_text("{}", encoding="utf-8")
    for response in ({}, {"status": {"message": "?"}}):
        with lying(**{"/admission/v1/validate": says({"response": response})}) as (url, _):
            done = told(url, "admit", "review.json", cwd=tmp_path)
        assert done.status == 1
    with lying(**{"/admission/v1/validate": says({"response": {"allowed": "true"}})}) as (url, _):
        assert told(url, "admit", "review.json", cwd=tmp_path).status == 6


def test_a_redirect_takes_the_token_nowhere(tmp_path: Path) -> None:
    with lying() as (elsewhere, asked_elsewhere):
        rules = {"/api/v1/logs": lambda handler: handler.answer(b"", 307, Location=f"{elsewhere}/api/v1/logs")}
        with lying(**rules) as (url, _):
            done = told(url, "log", "list", cwd=tmp_path)
    assert (done.status, done.code) == (6, "platform-answer-unexpected")
    assert asked_elsewhere == []


def test_a_tag_with_a_wrong_digest_is_found_out(tmp_path: Path) -> None:
    """Whoever could choose the digest behind a name could have another image verified."""
    for told_digest in (str(Digest.of(b"other")), "sha256:short", ""):
        path = "/v2/shop/web/manifests/1"
        with lying(**{path: lambda h, d=told_digest: h.answer(MANIFEST, Docker_Content_Digest=d)}) as (url, _):
            done = told(url, "verify", "shop/web:1", cwd=tmp_path)
        assert (done.status, done.code) == (6, "platform-answer-unexpected")


def test_a_manifest_and_a_blob_of_other_bytes_are_found_out() -> None:
    digest = Digest.of(b"right")
    rules = {f"/v2/shop/web/blobs/{digest}": says(b"wrong")}
    with lying(**rules) as (url, _), Remote(url, "t") as remote, pytest.raises(DigestMismatch):
        RemoteRegistry(remote).get_blob(REPOSITORY, digest)
    put = {"/v2/shop/web/manifests/1": lambda h: h.answer(b"", 201, Docker_Content_Digest=str(Digest.of(b"other")))}
    with lying(**put) as (url, _), Remote(url, "t") as remote, pytest.raises(DigestMismatch):
        RemoteRegistry(remote).put_manifest(REPOSITORY, "1", "application/json", MANIFEST)


def test_a_blob_longer_than_anybody_would_sign_is_not_read() -> None:
    digest = Digest.of(b"")
    with (
        lying(**{f"/v2/shop/web/blobs/{digest}": Liar.endless}) as (url, _),
        Remote(url, "t") as remote,
        pytest.raises(AnswerUnexpected, match="more than 4096 bytes"),
    ):
        RemoteRegistry(remote).get_blob(REPOSITORY, digest, 4096)


def test_a_proof_that_leads_elsewhere_is_not_believed(tmp_path: Path) -> None:
    """The platform shows a proof, and a checkpoint that it did not sign."""
    note = "facts.x\n2\n" + base64.b64encode(bytes(32)).decode() + "\n\n— facts.x " + "A" * 92 + "\n"
    log = {"name": "facts", "origin": "facts.x", "size": 2, "root": "", "moved_at": "2026-01-01T00:00:00Z"}
    logs = {"logs": [{**log, "frozen_at": None, "verifier_key": "facts.x+00000000+AA==", "key_id": "00" * 32}]}
    empty = base64.b64encode(bytes(32)).decode()
    proof = {"origin": "facts.x", "index": 1, "size": 2, "leaf_hash": empty, "root": empty, "hashes": []}
    proof["checkpoint"] = note
    with lying(**{"/api/v1/logs": says(logs), "/api/v1/logs/facts.x/proof": says(proof)}) as (url, _):
        done = told(url, "log", "prove", "facts", "1", cwd=tmp_path)
    assert done.status in {1, 2}
    assert "verified" not in done.json


def test_the_text_of_a_stranger_moves_no_cursor(tmp_path: Path) -> None:
    """A refusal that erases itself, and writes that all is well, would be believed."""
    evil = "denied\x1b[2K\rverified\u202e"
    body = json.dumps({"detail": evil, "code": "x\x1b[2K", "hint": evil, "kind": "refused"}).encode()
    rules = {"/api/v1/logs": lambda handler: handler.answer(body, 403)}
    with lying(**rules) as (url, _):
        done = bare("log", "list", cwd=tmp_path, CHAINWARD_URL=url, CHAINWARD_TOKEN="cwt_secret")
    assert done.status == 1
    assert not {"\x1b", "\r", "\u202e"} & set(done.out + done.err)
    assert "denied\\x1b[2K\\rverified\\u202e" in done.err


def test_a_name_of_a_stranger_is_no_markup(tmp_path: Path) -> None:
    token = {"id": "[/]", "name": "[bold]x\x1b[1m", "bindings": ["[red]"], "expires_at": "", "revoked_at": None}
    with lying(**{"/api/v1/tokens": says({"tokens": [token]})}) as (url, _):
        done = bare("token", "list", cwd=tmp_path, CHAINWARD_URL=url, CHAINWARD_TOKEN="cwt_secret")
    assert done.status == 0
    assert "[bold]x\\x1b[1m" in done.out


@pytest.mark.parametrize(
    "url",
    ["", "localhost", "ftp://x", "http://", "http://a b", "http://[::1", "http://x:99999", "http://x/path", "http://x?q",
     "http://user@x", "http://x:0", "http://x\r\nEvil: 1", "file:///etc/passwd"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(AddressInvalid) as caught:
        Remote(url, "t")
    assert not url or url not in caught.value.message


def test_a_ca_bundle_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate", encoding="utf-8")
    with pytest.raises(AddressInvalid, match="CA bundle"):
        Remote("https://127.0.0.1:1", "t", certificate_authority=str(tmp_path / "ca.pem"))


def test_a_token_in_the_clear_is_warned_about(tmp_path: Path) -> None:
    done = bare("log", "list", cwd=tmp_path, CHAINWARD_URL="http://0.0.0.0:9", CHAINWARD_TOKEN="cwt_secret")
    assert done.status == 6
    assert "warning: the token travels unencrypted to 0.0.0.0" in done.err
    assert "unencrypted" not in told("http://127.0.0.1:9", "log", "list", cwd=tmp_path).err


class _Moving:
    """A clock that a test moves; implements Clock."""

    def __init__(self) -> None:
        self.moved = timedelta()

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC) + self.moved


def test_an_expired_token_is_refused_and_told_so(tmp_path: Path) -> None:
    clock = _Moving()
    with open_test_platform(tmp_path / "platform", clock=clock) as platform, serve(platform.app) as url:
        token = platform.token("reader:**")
        good = bare("service", "list", "--json", cwd=tmp_path, CHAINWARD_URL=url, CHAINWARD_TOKEN=token)
        clock.moved = timedelta(days=400)
        late = bare("service", "list", "--json", cwd=tmp_path, CHAINWARD_URL=url, CHAINWARD_TOKEN=token)
    assert good.status == 0
    assert (late.status, late.code) == (4, "token-expired")
    assert token not in late.out + late.err
