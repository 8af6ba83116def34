"""The pages: who gets in, what they show, and that text from outside stays text."""

from __future__ import annotations

import hashlib
import html
import re
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from tests.databases import ManualClock
from tests.goods import push_image, sign_image, trusted_key
from tests.platforms import in_process, open_test_platform

from chainward.adapters.system import SystemEntropy
from chainward.faces.http import sessions as sessions_module
from chainward.faces.http.errors import CredentialsMissing, TooManyLogins
from chainward.faces.http.sessions import COOKIE, Sessions, cookie_in
from chainward.faces.web.assets import MEDIA_TYPES, Assets
from chainward.registry.errors import ManifestUnknown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from tests.platforms import Client, TestPlatform

ATTACK = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


def log_in(client: Client, token: str, **headers: str) -> httpx.Response:
    return client.with_token(None).request("POST", "/login", data={"token": token}, headers=headers)


def cookie_of(answer: httpx.Response) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@pytest.fixture(scope="module")
def session(desk: TestPlatform, admin: Client) -> dict[str, str]:
    """The cookie of somebody who is logged in."""
    return cookie_of(log_in(admin, desk.admin))


def test_who_is_not_logged_in_is_sent_to_the_login_page(admin: Client) -> None:
    nobody = admin.with_token(None)
    for path in ("/", f"/artifacts/a@sha256:{'0' * 64}", f"/timeline/a@sha256:{'0' * 64}", "/proof/1"):
        answer = nobody.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    page = nobody.get("/login")
    assert page.status_code == 200
    assert '<label for="token">' in page.text


def test_a_login_gives_a_cookie_that_scripts_and_other_sites_do_not_get(desk: TestPlatform, admin: Client) -> None:
    answer = log_in(admin, desk.admin)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert re.match(rf"{COOKIE}=[A-Za-z0-9_-]{{43}}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Strict\Z", cookie)
    assert desk.admin not in cookie
    assert admin.with_token(None).get("/", headers=cookie_of(answer)).status_code == 200


def test_a_wrong_token_shows_the_form_again_and_sets_no_cookie(admin: Client) -> None:
    for token in ("", "wrong", ATTACK, "cwt_" + "a" * 22 + "_" + "b" * 43):
        answer = log_in(admin, token)
        assert answer.status_code == 401, token
        assert "set-cookie" not in answer.headers
        assert "<form" in answer.text
        assert "<script>alert" not in answer.text


def test_a_login_form_from_another_site_is_refused(desk: TestPlatform, admin: Client) -> None:
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
    ):
        answer = log_in(admin, desk.admin, **headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert log_in(admin, desk.admin, **{"Sec-Fetch-Site": "same-origin"}).status_code == 303
    assert log_in(admin, desk.admin, Origin="http://127.0.0.1:8420").status_code == 303


def test_an_oversized_or_broken_login_form_is_refused(admin: Client) -> None:
    nobody = admin.with_token(None)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert nobody.request("POST", "/login", content=b"token=" + b"x" * 5000, headers=form).status_code == 413
    assert nobody.request("POST", "/login", content=b"\xff\xff", headers=form).status_code == 400
    assert nobody.request("POST", "/login", content=b"&" * 20, headers=form).status_code == 400
    assert (
        nobody.request("POST", "/login", content=b"{}", headers={"Content-Type": "application/json"}).status_code == 415
    )


def test_logging_out_ends_the_session(desk: TestPlatform, admin: Client) -> None:
    cookie = cookie_of(log_in(admin, desk.admin))
    nobody = admin.with_token(None)
    answer = nobody.request("POST", "/logout", headers=cookie)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert nobody.get("/", headers=cookie).status_code == 303


def test_a_session_cookie_opens_no_api_route(session: dict[str, str], admin: Client) -> None:
    nobody = admin.with_token(None)
    assert nobody.get("/api/v1/facts", headers=session).status_code == 401
    assert nobody.post("/api/v1/services", {"name": "x"}, headers=session).status_code == 401
    assert nobody.get("/v2/", headers=session).status_code == 401


def test_a_session_ends_with_its_time_and_with_its_token(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_test_platform(tmp_path / "p", clock=clock) as desk, in_process(desk) as client:
        nobody = client.with_token(None)
        cookie = cookie_of(log_in(client, desk.admin))
        assert nobody.get("/", headers=cookie).status_code == 200
        clock.advance(timedelta(hours=9))
        assert nobody.get("/", headers=cookie).status_code == 303
        reader = desk.token("reader:**", name="short")
        other = cookie_of(log_in(client, reader))
        assert nobody.get("/", headers=other).status_code == 200
        client.request("DELETE", f"/api/v1/tokens/{reader.split('_')[1]}?reason=gone")
        assert nobody.get("/", headers=other).status_code == 303


def test_sessions_are_bounded(desk: TestPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "_CAPACITY", 3)
    clock = desk.platform.clock
    sessions = Sessions(clock, SystemEntropy(), timedelta(minutes=5), secure=True)
    for _ in range(3):
        assert sessions.open(desk.admin, desk.platform.authenticator).endswith("; Secure")
    with pytest.raises(TooManyLogins):
        sessions.open(desk.admin, desk.platform.authenticator)


def test_an_invented_session_is_nobody(desk: TestPlatform) -> None:
    sessions = Sessions(desk.platform.clock, SystemEntropy(), timedelta(minutes=5), secure=False)
    for cookie in (b"", b"x=y", f"{COOKIE}=".encode(), f"{COOKIE}=\xff".encode("latin-1"), b";" * 9000):
        with pytest.raises(CredentialsMissing):
            sessions.principal([(b"cookie", cookie)], desk.platform.authenticator)
    assert cookie_in([(b"cookie", f"a=b; {COOKIE}=abc; c=d".encode())]) == "abc"


def test_the_artifacts_page_lists_what_one_may_pull(desk: TestPlatform, admin: Client) -> None:
    digest = push_image(desk.platform, "web/listed", "1.0")
    push_image(desk.platform, "hidden/app", "1.0")
    reader = admin.with_token(desk.token("reader:web/**", name="web"))
    page = reader.get("/").text
    assert f"/artifacts/web/listed@{digest}" in page
    assert "hidden/app" not in page


def test_the_artifact_page_shows_evidence_tags_and_the_pull_command(desk: TestPlatform, admin: Client) -> None:
    digest = push_image(desk.platform, "web/shown", "2.0")
    sign_image(desk.platform, "web/shown", digest, trusted_key(desk.platform, "page-signer", "web/**"))
    page = admin.get(f"/artifacts/web/shown@{digest}").text
    for shown in ("2.0", "page-signer", f"skopeo copy docker://127.0.0.1:8420/web/shown@{digest}", "yes"):
        assert shown in page
    assert f'href="/timeline/web/shown@{digest}"' in page


def test_a_revoked_artifact_says_so_at_the_top(desk: TestPlatform, admin: Client) -> None:
    digest = push_image(desk.platform, "web/revoked", "1.0", b"revoked")
    admin.post("/api/v1/revocations", {"digest": str(digest), "reason": "miner inside", "repository": "web/revoked"})
    page = admin.get(f"/artifacts/web/revoked@{digest}").text
    assert 'role="alert"' in page
    assert "miner inside" in page
    assert '<span class="no">revoked</span>' in admin.get("/").text


def test_the_timeline_page_shows_every_fact_with_a_way_to_its_proof(desk: TestPlatform, admin: Client) -> None:
    digest = push_image(desk.platform, "web/storied", "1.0", b"storied")
    page = admin.get(f"/timeline/web/storied@{digest}").text
    assert "registry.pushed/1" in page
    assert "registry.tagged/1" in page
    links = re.findall(r'<a href="(/proof/\d+)">', page)
    assert len(links) >= 2
    assert f'hx-get="{links[0]}"' in page
    whole = admin.get(links[0])
    part = admin.get(links[0], headers={"HX-Request": "true"})
    assert "<html" in whole.text
    assert "<html" not in part.text
    for shown in ("facts.chainward.local", "— facts.chainward.local"):
        assert shown in whole.text
        assert shown in part.text


def test_html_in_names_and_reasons_is_shown_escaped(desk: TestPlatform, admin: Client) -> None:
    digest = push_image(desk.platform, "web/attacked", "1.0", b"attacked", annotation=ATTACK)
    admin.post("/api/v1/revocations", {"digest": str(digest), "reason": ATTACK, "repository": "web/attacked"})
    for path in (f"/artifacts/web/attacked@{digest}", f"/timeline/web/attacked@{digest}", "/"):
        page = admin.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        if path != "/":
            assert html.escape(ATTACK, quote=False).split("&lt;img")[0][:20] in page


def test_html_in_a_path_is_shown_escaped(admin: Client) -> None:
    for path in ("/artifacts/%3Cscript%3Ealert(1)%3C/script%3E@x", "/proof/%3Cscript%3E", "/timeline/%22%3E%3Cimg@x"):
        answer = admin.get(path)
        assert answer.status_code == 400
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text.replace('<img src="/static/', "")


def test_a_page_of_something_unknown_tells_the_problem_as_a_page(admin: Client) -> None:
    answer = admin.get(f"/artifacts/web/none@sha256:{'0' * 64}")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert ManifestUnknown.code in answer.text
    assert answer.headers["x-request-id"] in answer.text


def test_pages_allow_nothing_but_their_own_files(desk: TestPlatform, admin: Client) -> None:
    digest = push_image(desk.platform, "web/strict", "1.0", b"strict")
    for path in ("/", "/login", f"/artifacts/web/strict@{digest}", f"/timeline/web/strict@{digest}", "/proof/1"):
        answer = admin.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:", answer.text)
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)


def test_static_files_are_named_after_their_content_and_kept_for_ever(admin: Client) -> None:
    nobody = admin.with_token(None)
    found = set(re.findall(r'"(/static/[^"]+)"', nobody.get("/login").text))
    assert {path.rpartition("/")[2].partition(".")[2] for path in found} == set(MEDIA_TYPES)
    for path in found:
        answer = nobody.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert path.rpartition("/")[2].startswith(hashlib.sha256(answer.content).hexdigest()[:16])
    for path in ("/static/htmx.min.js", "/static/../../config.py", "/static/x.chainward.css", "/static/"):
        assert nobody.get(path).status_code == 404
    assert nobody.get("/favicon.ico").status_code == 303


def test_the_vendored_script_is_the_one_that_was_recorded() -> None:
    folder = resources.files("chainward.faces.web") / "static"
    recorded = re.search(r"`htmx\.min\.js` \|.*`([0-9a-f]{64})`", (folder / "README.md").read_text())
    assert recorded is not None
    assert hashlib.sha256((folder / "htmx.min.js").read_bytes()).hexdigest() == recorded[1]
    assert (folder / "htmx.LICENSE.txt").read_text().startswith("Zero-Clause BSD")


def test_a_template_that_lacks_a_value_fails_instead_of_showing_nothing() -> None:
    with pytest.raises(Exception, match="undefined"):
        Assets().page("login.html", {})


@pytest.fixture(autouse=True)
def no_failure_behind_a_page(desk: TestPlatform) -> Iterator[None]:
    """No page of this module may fail inside."""
    begin = len(desk.log.getvalue())
    yield
    assert "request failed" not in desk.log.getvalue()[begin:]
