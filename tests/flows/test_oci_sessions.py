"""How registry clients log in: the challenge, the token service, sessions that allow no more than they say."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx
import jwt
import pytest
from tests.flows.server import serve_platform
from tests.goods import push_image

from chainward.access.session import MAX_SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.platforms import TestPlatform

MANIFEST: Final = "/v2/shop/web/manifests/v1"
PUBLIC: Final = "/v2/public/base/manifests/v1"
_PART: Final = re.compile(r'(\w+)="([^"]*)"')


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestPlatform, str]]:
    settings: dict[tuple[str, str], object] = {("registry", "anonymous"): ("reader:public/**",)}
    with serve_platform(tmp_path_factory.mktemp("sessions"), settings) as (made, url):
        push_image(made.platform, "shop/web", "v1", b"shop")
        push_image(made.platform, "public/base", "v1", b"base")
        yield made, url


@pytest.fixture
def platform(served: tuple[TestPlatform, str]) -> TestPlatform:
    return served[0]


@pytest.fixture
def client(served: tuple[TestPlatform, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[1]) as client:
        yield client


def challenge_in(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 401, answer.text
    scheme, _, rest = answer.headers["www-authenticate"].partition(" ")
    assert scheme == "Bearer"
    return dict(_PART.findall(rest))


def session(client: httpx.Client, token: str | None, *scopes: str) -> dict[str, Any]:
    auth = None if token is None else ("anybody", token)
    answer = client.get("/v2/token", params={"scope": list(scopes), "service": "chainward.local"}, auth=auth)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


def bearer(given: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {given['token']}"}


def test_a_client_finds_the_token_service_by_asking_and_then_pulls(
    client: httpx.Client, platform: TestPlatform
) -> None:
    found = challenge_in(client.get(MANIFEST))
    assert found == {
        "realm": f"{client.base_url}/v2/token".replace("//v2", "/v2"),
        "service": "chainward.local",
        "scope": "repository:shop/web:pull",
        "error": "insufficient_scope",
    }
    token = platform.token("reader:shop/**")
    given = session(client, token, found["scope"])
    assert given["access_token"] == given["token"]
    assert 0 < given["expires_in"] <= 300
    assert client.get(MANIFEST, headers=bearer(given)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v2/", None),
        ("PUT", MANIFEST, "repository:shop/web:pull,push"),
        ("DELETE", MANIFEST, "repository:shop/web:delete"),
        ("POST", "/v2/shop/web/blobs/uploads/", "repository:shop/web:pull,push"),
        (
            "POST",
            "/v2/shop/web/blobs/uploads/?mount=sha256:0&from=shop%2Fbase",
            "repository:shop/web:pull,push repository:shop/base:pull",
        ),
        ("PATCH", "/v2/shop/web/blobs/uploads/x", "repository:shop/web:pull,push"),
        ("GET", "/v2/shop/web/tags/list", "repository:shop/web:pull"),
    ],
)
def test_the_challenge_names_what_the_request_needs(
    client: httpx.Client, method: str, path: str, scope: str | None
) -> None:
    assert challenge_in(client.request(method, path)).get("scope") == scope


def test_a_header_cannot_be_smuggled_into_the_challenge(client: httpx.Client) -> None:
    answer = client.get('/v2/shop",error="x/web/manifests/v1')
    assert answer.status_code == 400
    assert "www-authenticate" not in answer.headers
    answer = client.get(MANIFEST, headers={"Host": 'evil.test"/,realm="http://evil.test'})
    assert "evil" not in answer.headers.get("www-authenticate", "")


def test_a_session_allows_no_more_than_was_asked_for(client: httpx.Client, platform: TestPlatform) -> None:
    token = platform.token("admin:**")
    given = session(client, token, "repository:shop/web:pull")
    assert client.get(MANIFEST, headers=bearer(given)).status_code == 200
    refused = client.delete(MANIFEST, headers=bearer(given))
    assert challenge_in(refused)["error"] == "insufficient_scope"
    assert challenge_in(client.get(PUBLIC, headers=bearer(given)))["scope"] == "repository:public/base:pull"
    assert challenge_in(client.post("/v2/shop/web/blobs/uploads/", headers=bearer(given)))["error"]


def test_a_session_allows_no_more_than_its_token(client: httpx.Client, platform: TestPlatform) -> None:
    token = platform.token("reader:shop/**")
    given = session(client, token, "repository:shop/web:pull,push,delete repository:other/x:pull", "registry:catalog:*")
    assert given["scope"] == "repository:shop/web:pull registry:catalog:*"
    assert challenge_in(client.put(MANIFEST, headers=bearer(given), content=b"{}"))["error"] == "insufficient_scope"
    assert client.get("/v2/_catalog", headers=bearer(given)).json() == {"repositories": ["shop/web"]}


def test_a_session_is_no_token_of_the_api(client: httpx.Client, platform: TestPlatform) -> None:
    given = session(client, platform.admin, "repository:shop/web:pull,push,delete")
    for path in ("/api/v1/tokens", "/api/v1/signers", "/api/v1/facts"):
        assert client.get(path, headers=bearer(given)).status_code == 401


def test_a_session_buys_no_other_session(client: httpx.Client, platform: TestPlatform) -> None:
    given = session(client, platform.admin, "repository:shop/web:pull")
    answer = client.get("/v2/token", params={"scope": "repository:shop/web:push"}, headers=bearer(given))
    assert answer.status_code == 401
    assert client.get("/v2/token", auth=("x", given["token"])).status_code == 401


def test_a_session_ends_when_its_token_is_revoked(client: httpx.Client, platform: TestPlatform) -> None:
    token = platform.token("reader:shop/**", name="leaver")
    given = session(client, token, "repository:shop/web:pull")
    assert client.get(MANIFEST, headers=bearer(given)).status_code == 200
    token_id = token.split("_")[1]
    answer = client.delete(f"/api/v1/tokens/{token_id}", headers={"Authorization": f"Bearer {platform.admin}"})
    assert answer.status_code == 204, answer.text
    assert challenge_in(client.get(MANIFEST, headers=bearer(given)))["error"] == "invalid_token"


@pytest.mark.parametrize("change", ["payload", "key", "none", "audience", "issuer", "expired", "junk"])
def test_a_forged_session_is_refused(client: httpx.Client, platform: TestPlatform, change: str) -> None:
    given = session(client, platform.token("reader:shop/**"), "repository:shop/web:pull")
    head, payload, signature = given["token"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    key = platform.platform.keys.sealing.derived("registry sessions")
    wider = {**claims, "access": [{"type": "repository", "name": "shop/web", "actions": ["pull", "push", "delete"]}]}
    forged = {
        "payload": f"{head}.{base64.urlsafe_b64encode(json.dumps(wider).encode()).decode().rstrip('=')}.{signature}",
        "key": jwt.encode(wider, "another key that is long enough for HS256", "HS256"),
        "none": jwt.encode(wider, "", "none"),
        "audience": jwt.encode({**claims, "aud": "something-else"}, key, "HS256"),
        "issuer": jwt.encode({**claims, "iss": "another.platform"}, key, "HS256"),
        "expired": jwt.encode({**claims, "exp": claims["iat"] - 1}, key, "HS256"),
        "junk": "ey.not.a.session",
    }
    answer = client.get(MANIFEST, headers={"Authorization": f"Bearer {forged[change]}"})
    assert challenge_in(answer)["error"] == "invalid_token"


def test_nobody_may_pull_what_is_public_with_a_session_or_without(client: httpx.Client) -> None:
    assert client.get(PUBLIC).status_code == 200
    given = session(client, None, "repository:public/base:pull,push")
    assert given["scope"] == "repository:public/base:pull"
    assert client.get(PUBLIC, headers=bearer(given)).status_code == 200
    assert client.get("/v2/", headers=bearer(given)).status_code == 200
    assert challenge_in(client.get("/v2/"))
    assert challenge_in(client.put(PUBLIC, content=b"{}"))["scope"] == "repository:public/base:pull,push"
    assert challenge_in(client.get(MANIFEST))["scope"] == "repository:shop/web:pull"
    assert client.get("/api/v1/facts").status_code == 401


def test_containerd_logs_in_with_a_form(client: httpx.Client, platform: TestPlatform) -> None:
    form = {
        "grant_type": "password",
        "service": "chainward.local",
        "client_id": "containerd",
        "username": "anybody",
        "password": platform.token("reader:shop/**"),
        "scope": "repository:shop/web:pull",
    }
    answer = client.post("/v2/token", data=form)
    assert answer.status_code == 200, answer.text
    assert client.get(MANIFEST, headers=bearer(answer.json())).status_code == 200
    assert client.post("/v2/token", data={**form, "grant_type": "refresh_token"}).status_code == 400
    assert client.post("/v2/token", data={**form, "password": "wrong"}).status_code == 401
    assert client.post("/v2/token", data={**form, "service": "another"}).status_code == 400
    assert client.post("/v2/token", content=b"\xff=1", headers={"Content-Type": "text/plain"}).status_code == 415


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed (Debian: apt install skopeo)")
def test_skopeo_logs_in_through_the_token_service_and_needs_no_login_for_what_is_public(
    served: tuple[TestPlatform, str], tmp_path: Path
) -> None:
    made, url = served
    host = url.removeprefix("http://")

    def inspect(image: str, *flags: str) -> int:
        command = ["skopeo", "--insecure-policy", "inspect", "--raw", "--tls-verify=false", *flags]
        environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)}
        done = subprocess.run([*command, f"docker://{host}/{image}"], capture_output=True, check=False, env=environment)
        return done.returncode

    assert inspect("shop/web:v1", "--creds", f"ci:{made.token('reader:shop/**')}") == 0
    assert inspect("public/base:v1") == 0
    assert inspect("shop/web:v1") != 0
    assert inspect("shop/web:v1", "--creds", "ci:wrong") != 0


def test_a_wrong_password_is_told_at_the_token_service(client: httpx.Client) -> None:
    answer = client.get("/v2/token", auth=("anybody", "wrong"))
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"


def test_no_more_scopes_are_read_than_a_session_may_have(client: httpx.Client, platform: TestPlatform) -> None:
    scopes = " ".join(["repository:shop/web:pull"] * (MAX_SCOPES + 1))
    answer = client.get("/v2/token", params={"scope": scopes}, auth=("x", platform.admin))
    assert (answer.status_code, answer.json()["errors"][0]["detail"]["code"]) == (400, "scope-invalid")
    assert session(client, platform.admin, "weird:thing:*", "nonsense")["scope"] == ""
    assert (
        client.get("/v2/token", params={"scope": "repository:NO:pull"}, auth=("x", platform.admin)).status_code == 400
    )


def test_a_session_never_outlives_five_minutes_or_its_token(platform: TestPlatform) -> None:
    made = platform.platform
    holder = made.authenticator.authenticate(platform.admin)
    _, opened = made.registry_sessions.open(holder, ())
    left = opened.expires_at - made.clock.now()
    assert timedelta() < left <= timedelta(minutes=5)
