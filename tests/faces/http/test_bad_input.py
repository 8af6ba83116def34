"""Bad input at the REST face: a clear coded error, and nothing half-written."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.databases import ManualClock
from tests.platforms import CONTEXT, Client, TestPlatform, in_process, open_test_platform

from chainward.access.model import EVERYWHERE, PLATFORM_PRINCIPAL, Binding, Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

WRITES = [
    ("/api/v1/tokens", {"name": "ci", "bindings": ["reader:**"]}),
    ("/api/v1/signers", {"name": "s", "public_key": "x", "repositories": ["**"]}),
    ("/api/v1/services", {"name": "shop", "owner": "o", "tier": "1", "repositories": ["shop/**"]}),
    ("/api/v1/environments", {"name": "qa", "order": 15, "namespaces": ["qa"]}),
    ("/api/v1/promotions", {"image": "shop/web:1", "to": "dev"}),
    ("/api/v1/verdicts", {"image": "shop/web:1", "environment": "dev"}),
    ("/api/v1/revocations", {"digest": f"sha256:{'0' * 64}", "reason": "r"}),
]
PATHS = [path for path, _ in WRITES]


@pytest.fixture(autouse=True)
def nothing_written(desk: TestPlatform) -> Iterator[None]:
    """No test of this module may leave a fact behind, except for the tokens that it issues."""
    before = {fact.index for fact in desk.platform.ledger.facts(limit=500)}
    yield
    new = [fact for fact in desk.platform.ledger.facts(limit=500) if fact.index not in before]
    assert {fact.schema for fact in new} <= {"access.token-issued/1"}


def code_of(answer: Any) -> str:
    document = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert document["status"] == answer.status_code
    assert document["hint"]
    return str(document["code"])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b'{"name": ',
        b"\xff\xfe{}",
        b"{}",
        b'{"name": 7, "bindings": 7, "image": 7}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ],
)
def test_a_body_that_is_not_what_the_route_takes_is_malformed(admin: Client, path: str, body: bytes) -> None:
    answer = admin.request("POST", path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert code_of(answer) == "input-malformed"


@pytest.mark.parametrize(("path", "body"), WRITES)
def test_a_misspelt_member_is_refused_and_named(admin: Client, path: str, body: dict[str, object]) -> None:
    answer = admin.post(path, {**body, "enviroment": "prod"})
    assert answer.status_code == 400
    assert code_of(answer) == "input-malformed"
    assert "enviroment" in answer.json()["detail"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_another_media_type_is_refused(admin: Client, path: str, media_type: str) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = admin.request("POST", path, content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert code_of(answer) == "media-type-unsupported"


@pytest.mark.parametrize("path", PATHS)
def test_an_oversized_body_is_refused_before_it_is_read(admin: Client, path: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": str(1 << 40)}
    answer = admin.request("POST", path, content=b"{}", headers=headers)
    assert answer.status_code == 413
    assert code_of(answer) == "body-too-large"


def _scope(path: str, token: str, *more: tuple[bytes, bytes]) -> dict[str, Any]:
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json"), *more]
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "http_version": "1.1",
    }


def test_a_chunked_body_is_cut_off_where_it_exceeds_the_limit(desk: TestPlatform, admin: Client) -> None:
    chunk = {"type": "http.request", "body": b" " * 300_000, "more_body": True}
    sent = admin.raw(_scope("/api/v1/tokens", desk.admin), [chunk] * 100)
    assert sent[0]["status"] == 413


def test_a_truncated_body_does_nothing(desk: TestPlatform, admin: Client) -> None:
    begun = {"type": "http.request", "body": b'{"name":"half","bindings":["reader:**"]', "more_body": True}
    sent = admin.raw(_scope("/api/v1/tokens", desk.admin), [begun, {"type": "http.disconnect"}])
    assert sent[0]["status"] == 400
    assert b"request-truncated" in sent[1]["body"]
    assert "half" not in {token.name for token in desk.platform.tokens.issued()}


def test_contradicting_content_lengths_are_refused(desk: TestPlatform, admin: Client) -> None:
    scope = _scope("/api/v1/tokens", desk.admin, (b"content-length", b"2"), (b"content-length", b"200"))
    sent = admin.raw(scope, [{"type": "http.request", "body": b"{}", "more_body": False}])
    assert sent[0]["status"] == 400


def test_a_body_that_never_ends_runs_into_the_time_limit(tmp_path: Path) -> None:
    with (
        open_test_platform(tmp_path / "p", settings={("server", "body_seconds"): 1}) as desk,
        in_process(desk) as client,
    ):
        begun = {"type": "http.request", "body": b"{", "more_body": True}
        sent = client.raw(_scope("/api/v1/tokens", desk.admin), [begun])
        assert sent[0]["status"] == 408
        assert b"body-too-slow" in sent[1]["body"]


@pytest.mark.parametrize(
    "credentials",
    [
        "Digest abc",
        "Bearer",
        "Bearer ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"user:").decode(),
        "Bearer " + "x" * 5000,
        b"Bearer \xff\xfe",
    ],
)
def test_malformed_credentials_are_refused(admin: Client, credentials: str | bytes) -> None:
    answer = admin.get("/api/v1/facts", headers={"Authorization": credentials})
    assert answer.status_code == 401
    assert code_of(answer) == "credentials-malformed"


@pytest.mark.parametrize("token", ["cwt_short", "cwt_" + "a" * 22 + "_" + "b" * 43, "x", "null"])
def test_an_invented_token_is_refused(admin: Client, token: str) -> None:
    answer = admin.with_token(token).get("/api/v1/facts")
    assert answer.status_code == 401
    assert code_of(answer) == "token-invalid"
    assert token not in answer.text


def test_basic_takes_the_token_as_password_whatever_the_user(desk: TestPlatform, admin: Client) -> None:
    for user in ("", "ci", "a" * 100):
        credentials = base64.b64encode(f"{user}:{desk.admin}".encode()).decode()
        assert admin.get("/api/v1/facts", headers={"Authorization": f"Basic {credentials}"}).status_code == 200


def test_a_token_in_the_query_counts_for_nothing(desk: TestPlatform, admin: Client) -> None:
    answer = admin.with_token(None).get(f"/api/v1/facts?token={desk.admin}&access_token={desk.admin}")
    assert answer.status_code == 401


def test_two_authorization_headers_are_refused(desk: TestPlatform, admin: Client) -> None:
    scope = _scope("/api/v1/facts", desk.admin, (b"authorization", f"Bearer {desk.admin}".encode()))
    sent = admin.raw({**scope, "method": "GET"}, [])
    assert sent[0]["status"] == 401


def test_an_expired_token_is_refused(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_test_platform(tmp_path / "p", clock=clock) as desk, in_process(desk) as client:
        assert client.get("/api/v1/facts").status_code == 200
        clock.advance(timedelta(days=91))
        answer = client.get("/api/v1/facts")
        assert answer.status_code == 401
        assert code_of(answer) == "token-expired"


def test_a_revoked_token_is_refused_at_once(tmp_path: Path) -> None:
    with open_test_platform(tmp_path / "p") as other, in_process(other) as client:
        grant = [Binding(Role.READER, EVERYWHERE)]
        issued = other.platform.tokens.issue(PLATFORM_PRINCIPAL, "leaked", grant, context=CONTEXT)
        leaked = client.with_token(issued.text.reveal())
        assert leaked.get("/api/v1/facts").status_code == 200
        assert client.request("DELETE", f"/api/v1/tokens/{issued.token.id}?reason=leaked").status_code == 204
        answer = leaked.get("/api/v1/facts")
        assert answer.status_code == 401
        assert code_of(answer) == "token-revoked"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("limit=1e3", "limit"),
        ("limit=-1", "limit"),
        ("after=99999999999999999999", "after"),
        ("after=%E2%91%A0", "after"),
        ("schema=" + "x" * 300, "schema"),
    ],
)
def test_a_parameter_out_of_bounds_is_refused_and_named(admin: Client, query: str, parameter: str) -> None:
    answer = admin.get(f"/api/v1/facts?{query}")
    assert answer.status_code == 400
    assert code_of(answer) == "parameter-invalid"
    assert answer.json()["parameter"] == parameter


@pytest.mark.parametrize(
    "query", ["limit=1&limit=2", "a=%ff", "&".join(f"p{n}=1" for n in range(40)), "x=" + "y" * 9000]
)
def test_a_query_that_cannot_be_meant_is_refused(admin: Client, query: str) -> None:
    answer = admin.get(f"/api/v1/facts?{query}")
    assert answer.status_code == 400
    assert code_of(answer) == "parameter-invalid"


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ("UPPER/case:1", "name-invalid"),
        ("shop/web@sha256:zz", "digest-invalid"),
        ("evil.example/shop/web:1", "image-host-unknown"),
        ("shop/web:" + "t" * 200, "name-invalid"),
        ("../../etc:1", "name-invalid"),
    ],
)
def test_an_image_name_that_is_none_of_ours_is_refused(admin: Client, image: str, code: str) -> None:
    answer = admin.post("/api/v1/verdicts", {"image": image, "environment": "dev"})
    assert answer.status_code == 400
    assert code_of(answer) == code


def test_what_is_not_there_is_not_found(admin: Client) -> None:
    verdict = admin.post("/api/v1/verdicts", {"image": "shop/none:1", "environment": "dev"})
    assert verdict.status_code == 404
    environment = admin.post("/api/v1/verdicts", {"image": "shop/none:1", "environment": "moon"})
    assert (environment.status_code, code_of(environment)) == (404, "environment-unknown")
    assert admin.get(f"/api/v1/artifacts/shop/none@sha256:{'0' * 64}").status_code == 404
    assert code_of(admin.get("/api/v1/facts/99999999")) == "fact-unknown"
    assert code_of(admin.get("/api/v1/logs/nolog/checkpoint")) == "log-unknown"


JSON: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(path=st.sampled_from([path for path in PATHS if path != "/api/v1/tokens"]), body=JSON)
def test_no_json_at_all_makes_the_platform_fail(admin: Client, path: str, body: Any) -> None:
    answer = admin.post(path, body if body is not None else {})
    assert 400 <= answer.status_code < 500


@settings(max_examples=60, deadline=None)
@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
def test_no_path_at_all_makes_the_platform_fail(admin: Client, path: str) -> None:
    answer = admin.get("/" + path.replace("?", "").replace("#", ""))
    assert answer.status_code < 500
