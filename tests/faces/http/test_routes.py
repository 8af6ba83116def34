"""The route table: nothing is open by accident, every refusal is a coded problem."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from chainward.access.model import Permission
from chainward.faces.http.routes import Needs, Public, Reach

if TYPE_CHECKING:
    from tests.platforms import Client, TestPlatform

PUBLIC = {
    "GET /healthz",
    "GET /readyz",
    "GET /trusted_root.json",
    "GET /signing_config.v0.2.json",
    "GET /client_trust_config.json",
    "GET /tuf/{path:path}",
    "GET /api/v2/checkpoint",
    "GET /api/v2/tile/{path:path}",
    "GET /api/v2/tile/entries/{path:path}",
    "GET /checkpoint",
    "GET /tile/{path:path}",
    "GET /tile/entries/{path:path}",
    "GET /log/{origin}/checkpoint",
    "GET /log/{origin}/tile/{path:path}",
    "GET /log/{origin}/tile/entries/{path:path}",
    "GET /log/{origin}/api/v2/checkpoint",
    "GET /log/{origin}/api/v2/tile/{path:path}",
    "GET /log/{origin}/api/v2/tile/entries/{path:path}",
    "POST /api/v2/log/entries",
    "POST /log/{origin}/api/v2/log/entries",
    "POST /api/v2/signingCert",
    "GET /api/v2/trustBundle",
    "GET /api/v2/configuration",
    "GET /dev/oidc/.well-known/openid-configuration",
    "GET /dev/oidc/keys",
    "POST /api/v1/timestamp",
    "GET /api/v1/timestamp/certchain",
    "POST /witness/add-checkpoint",
    "GET /witness/key",
    "GET /witness/{hash}/checkpoint",
    "GET /log/{origin}/witnessed-checkpoint",
    "GET /login",
    "POST /login",
    "POST /logout",
    "GET /static/{name}",
    "GET /favicon.ico",
}


def concrete(path: str) -> str:
    """Return a path that matches a template."""
    filled = path.replace("{digest}", f"sha256:{'0' * 64}").replace("{repository:path}", "shop/web")
    filled = filled.replace("{log}", "facts").replace("{index}", "1").replace("{path:path}", "0/000")
    return re.sub(r"\{[^}]+\}", "x", filled)


def test_the_public_routes_are_exactly_these(desk: TestPlatform) -> None:
    public = {f"{route.method} {route.path}" for route in desk.app.routes if isinstance(route.access, Public)}
    assert public == PUBLIC
    assert all(route.access.because for route in desk.app.routes if isinstance(route.access, Public))


def test_every_other_route_names_a_permission(desk: TestPlatform) -> None:
    for route in desk.app.routes:
        if f"{route.method} {route.path}" not in PUBLIC:
            assert isinstance(route.access, Needs)
            assert route.access.permission in set(Permission)


def test_every_route_is_declared_once(desk: TestPlatform) -> None:
    declared = [(route.method, route.path) for route in desk.app.routes]
    assert len(declared) == len(set(declared))
    assert all(route.summary.endswith(".") for route in desk.app.routes)


def test_without_a_token_no_route_but_the_public_ones_answers(desk: TestPlatform, admin: Client) -> None:
    nobody = admin.with_token(None)
    for route in desk.app.routes:
        if isinstance(route.access, Public):
            continue
        headers = {"Content-Type": route.accepts[0]} if route.accepts else {}
        answer = nobody.request(route.method, concrete(route.path), headers=headers, content=b"{}")
        if route.page:
            assert (answer.status_code, answer.headers["location"]) == (303, "/login"), route.path
        else:
            assert answer.status_code == 401, route.path
            assert answer.json()["code"] == "credentials-missing"
            assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_of_another_repository_reaches_nothing_that_it_is_not_for(desk: TestPlatform, admin: Client) -> None:
    stranger = admin.with_token(desk.token("reader:other/**", name="stranger"))
    for route in desk.app.routes:
        if isinstance(route.access, Public) or route.access.reach in {Reach.ANYWHERE, Reach.LISTED}:
            continue
        headers = {"Content-Type": route.accepts[0]} if route.accepts else {}
        body = b'{"image":"shop/web:1","to":"dev","environment":"dev","digest":"sha256:%s","reason":"r"}' % (b"0" * 64)
        answer = stranger.request(route.method, concrete(route.path), headers=headers, content=body)
        assert answer.status_code in {400, 403}, f"{route.method} {route.path} {answer.text}"
        if answer.status_code == 403 and not route.page:
            assert answer.json()["code"] == "access-denied"


def test_a_reader_may_not_do_what_only_an_administrator_may(desk: TestPlatform, admin: Client) -> None:
    reader = admin.with_token(desk.token("reader:**", name="reader"))
    for path in ("/api/v1/tokens", "/api/v1/signers", "/api/v1/services", "/api/v1/environments"):
        answer = reader.post(path, {"name": "x"})
        assert answer.status_code == 403, path
        assert answer.json()["details"] if "details" in answer.json() else answer.json()["permission"] == "administer"


def test_an_unknown_path_is_a_problem_document(admin: Client) -> None:
    answer = admin.get("/api/v1/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["code"] == "route-unknown"
    assert document["type"] == "urn:chainward:problem:route-unknown"
    assert document["status"] == 404
    assert document["request_id"] == answer.headers["x-request-id"]
    assert document["hint"]


def test_a_wrong_method_says_which_ones_are_possible(admin: Client) -> None:
    answer = admin.request("DELETE", "/api/v1/services")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert answer.json()["code"] == "method-not-allowed"


def test_head_is_get_without_the_body(admin: Client) -> None:
    get, head = admin.get("/api/v1/environments"), admin.request("HEAD", "/api/v1/environments")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == str(len(get.content))


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/environments", "/nothing", "/login", "/v2/"])
def test_every_answer_has_the_security_headers(admin: Client, path: str) -> None:
    headers = admin.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "cache-control" in headers
    assert "strict-transport-security" not in headers  # this platform speaks plain HTTP on loopback


def test_a_sane_request_id_is_kept_and_a_strange_one_replaced(admin: Client) -> None:
    kept = admin.get("/healthz", headers={"X-Request-Id": "ci-run.12345678"})
    assert kept.headers["x-request-id"] == "ci-run.12345678"
    for strange in ("short", "a" * 65, 'x" onload="y' * 2, "../../../etc/passwd", "günther-günther".encode("latin-1")):
        answer = admin.get("/healthz", headers={"X-Request-Id": strange})
        assert re.fullmatch(r"[0-9a-f]{24}", answer.headers["x-request-id"])
