"""The client of a platform: problems come back as they were told, and a token goes nowhere else."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from chainward.adapters.remote import AnswerUnexpected, PlatformUnreachable, Remote, RemoteRegistry
from chainward.kernel.digest import Digest, DigestMismatch
from chainward.kernel.name import RepositoryName
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = RepositoryName("shop/web")
CONTENT = b"content"


class _Script:
    """What the server answers next, and what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.asked: list[tuple[str, str, str | None]] = []


@contextmanager
def served(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[str, _Script]]:
    script = _Script()
    script.answers = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script.asked.append((self.command, self.path, self.headers.get("Authorization")))
            status, headers, body = script.answers.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = do_DELETE = _answer  # noqa: N815 - the names of http.server

        def log_message(self, *_: object) -> None:
            """Keep the output of tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_problem_comes_back_with_code_kind_hint_and_details() -> None:
    body = b'{"title":"no","status":403,"detail":"not you","code":"access-denied","hint":"ask","permission":"push"}'
    with (
        served((403, {"Content-Type": "application/problem+json"}, body)) as (url, _),
        Remote(url, "t") as remote,
        pytest.raises(Problem, match="not you") as caught,
    ):
        remote.get("/x", dict)
    assert (caught.value.code, caught.value.kind, caught.value.hint) == ("access-denied", Kind.FORBIDDEN, "ask")
    assert caught.value.details == {"permission": "push"}


def test_an_error_of_the_registry_comes_back_with_our_code() -> None:
    body = (
        b'{"errors":[{"code":"DENIED","message":"revoked","detail":{"code":"artifact-revoked","hint":"use another"}}]}'
    )
    with (
        served((403, {}, body)) as (url, _),
        Remote(url, "t") as remote,
        pytest.raises(Problem, match="revoked") as caught,
    ):
        remote.get("/v2/shop/web/manifests/1", dict)
    assert (caught.value.code, caught.value.hint) == ("artifact-revoked", "use another")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errors":[]}', b'{"errors":"x"}', b'{"code":7}'])
def test_an_unreadable_error_is_still_an_error(body: bytes) -> None:
    with served((502, {}, body)) as (url, _), Remote(url, "t") as remote, pytest.raises(Problem):
        remote.get("/x", dict)


def test_a_redirect_is_not_followed_so_the_token_stays_here() -> None:
    with (
        served((302, {"Location": "http://127.0.0.2:1/"}, b"")) as (url, script),
        Remote(url, "secret") as remote,
        pytest.raises(Problem),
    ):
        remote.get("/x", dict)
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "location", ["http://127.0.0.2:1/v2/x/uploads/1", "//127.0.0.2/v2/", "/elsewhere", "", "http://user@127.0.0.1/v2/"]
)
def test_an_upload_that_is_sent_to_another_place_is_refused(location: str) -> None:
    digest = Digest.of(CONTENT)
    with (
        served((202, {"Location": location}, b"")) as (url, script),
        Remote(url, "secret") as remote,
        pytest.raises(AnswerUnexpected),
    ):
        RemoteRegistry(remote).put_blob(REPOSITORY, digest, len(CONTENT), [CONTENT])
    assert len(script.asked) == 1


REFERRERS = f"/v2/shop/web/referrers/{Digest.of(CONTENT)}"


def page(number: int, link: str | None = None) -> tuple[int, dict[str, str], bytes]:
    """Return a page of a list of referrers, and where it says that the next one is."""
    body = b'{"schemaVersion": 2, "manifests": [{"n": %d}]}' % number
    return 200, {"Link": link} if link is not None else {}, body


def test_the_pages_of_a_list_of_referrers_are_read_to_the_last_one() -> None:
    with (
        served(page(1, f'<{REFERRERS}?last=1>; rel="next"'), page(2, "<?x>; rel=prev"), page(3)) as (url, script),
        Remote(url, "t") as remote,
    ):
        assert RemoteRegistry(remote).referrers(REPOSITORY, Digest.of(CONTENT)) == [{"n": 1}, {"n": 2}]
    assert [path for _, path, _ in script.asked] == [REFERRERS, f"{REFERRERS}?last=1"]


@pytest.mark.parametrize(
    "target",
    [
        f"http://127.0.0.2:1{REFERRERS}?last=1",
        f"//127.0.0.2{REFERRERS}",
        f"http://user@127.0.0.1{REFERRERS}",
        "/api/v1/tokens",
        "/v2/shop/other/tags/list",
        "?last=1",
        "",
    ],
)
def test_a_list_of_referrers_that_goes_on_elsewhere_gets_no_token_there(target: str) -> None:
    with (
        served(page(1, f'<{target}>; rel="next"'), page(2)) as (url, script),
        Remote(url, "secret") as remote,
        pytest.raises(AnswerUnexpected),
    ):
        RemoteRegistry(remote).referrers(REPOSITORY, Digest.of(CONTENT))
    assert len(script.asked) == 1


def test_a_list_of_referrers_without_end_is_given_up() -> None:
    endless = [page(number, f'<{REFERRERS}?last=same>; rel="next"') for number in range(100)]
    with served(*endless) as (url, script), Remote(url, "t") as remote, pytest.raises(AnswerUnexpected, match="long"):
        RemoteRegistry(remote).referrers(REPOSITORY, Digest.of(CONTENT))
    assert len(script.asked) == 64


def test_a_blob_is_uploaded_in_three_requests() -> None:
    place = {"Location": "/v2/shop/web/blobs/uploads/1?state=a"}
    with served((202, place, b""), (202, place, b""), (201, {}, b"")) as (url, script), Remote(url, "t") as remote:
        RemoteRegistry(remote).put_blob(REPOSITORY, Digest.of(CONTENT), len(CONTENT), [CONTENT])
    assert [method for method, _, _ in script.asked] == ["POST", "PATCH", "PUT"]
    assert script.asked[-1][1].startswith("/v2/shop/web/blobs/uploads/1?state=a&digest=sha256%3A")


def test_a_registry_that_stores_something_else_is_found_out() -> None:
    other = str(Digest.of(b"other"))
    with (
        served((201, {"Docker-Content-Digest": other}, b"")) as (url, _),
        Remote(url, "t") as remote,
        pytest.raises(DigestMismatch),
    ):
        RemoteRegistry(remote).put_manifest(REPOSITORY, "1", "application/json", CONTENT)


def test_a_blob_that_is_not_what_its_digest_says_is_refused() -> None:
    with served((200, {}, b"tampered")) as (url, _), Remote(url, "t") as remote, pytest.raises(DigestMismatch):
        RemoteRegistry(remote).get_blob(REPOSITORY, Digest.of(CONTENT))


def test_an_answer_that_is_not_json_is_not_taken_for_one() -> None:
    with served((200, {}, b"hello")) as (url, _), Remote(url, "t") as remote, pytest.raises(AnswerUnexpected):
        remote.get("/x", dict)


def test_nobody_at_the_address_is_unreachable() -> None:
    with Remote("http://127.0.0.1:9", "t") as remote, pytest.raises(PlatformUnreachable):
        remote.get("/x", dict)


def test_the_environment_does_not_reroute_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy variable would hand the token to whoever set it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with served((200, {}, b"{}")) as (url, script), Remote(url, "t") as remote:
        assert remote.get("/x", dict) == {}
    assert script.asked[0][2] == "Bearer t"


def test_who_may_not_look_for_a_blob_hears_from_the_upload_why() -> None:
    body = b'{"errors":[{"code":"DENIED","message":"no","detail":{"code":"access-denied"}}]}'
    with served((403, {}, b""), (403, {}, body)) as (url, _), Remote(url, "t") as remote:
        registry = RemoteRegistry(remote)
        assert registry.has_blob(REPOSITORY, Digest.of(CONTENT)) is False
        with pytest.raises(Problem, match="no") as caught:
            registry.put_blob(REPOSITORY, Digest.of(CONTENT), len(CONTENT), [CONTENT])
    assert caught.value.code == "access-denied"


@pytest.mark.parametrize("sent", [b"conten", b"content!", b""])
def test_a_blob_of_another_size_is_not_sent(sent: bytes) -> None:
    place = {"Location": "/v2/shop/web/blobs/uploads/1"}
    with (
        served((202, place, b""), (202, place, b"")) as (url, script),
        Remote(url, "t") as remote,
        pytest.raises(DigestMismatch),
    ):
        RemoteRegistry(remote).put_blob(REPOSITORY, Digest.of(CONTENT), len(CONTENT), [sent])
    assert "PUT" not in [method for method, _, _ in script.asked]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.INVALID),
        (401, Kind.UNAUTHENTICATED),
        (404, Kind.NOT_FOUND),
        (418, Kind.INVALID),
        (429, Kind.TOO_MANY),
        (500, Kind.INTERNAL),
        (502, Kind.UNAVAILABLE),
        (503, Kind.UNAVAILABLE),
    ],
)
def test_a_status_without_words_keeps_its_meaning_and_has_a_next_step(status: int, kind: Kind) -> None:
    with served((status, {}, b"")) as (url, _), Remote(url, "t") as remote, pytest.raises(Problem) as caught:
        remote.raw("/x")
    assert (caught.value.kind, caught.value.code) == (kind, f"http-{status}")
    assert caught.value.hint != Problem.hint


def test_what_a_registry_refuses_is_a_refusal_and_not_a_lack_of_rights() -> None:
    body = b'{"errors":[{"code":"DENIED","message":"gone","detail":{"code":"artifact-revoked"}}]}'
    with (
        served((403, {}, body)) as (url, _),
        Remote(url, "t") as remote,
        pytest.raises(Problem, match="gone") as caught,
    ):
        remote.raw("/v2/shop/web/manifests/1")
    assert caught.value.kind is Kind.REFUSED
