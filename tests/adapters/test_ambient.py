"""Where tokens come from in CI systems and clusters, each against a stand-in of the real endpoint, tool or file."""

from __future__ import annotations

import json
import os
import stat
import traceback
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.loopback import served
from tests.tokens import NOW, jwt_of

from chainward.adapters.ambient import ambient_sources, read_token_file
from chainward.trust.ambient import MAX_TOKEN, IdentityToken, ambient_token
from chainward.trust.errors import IdentityTokenMissing, IdentityTokenUnobtainable

if TYPE_CHECKING:
    from collections.abc import Mapping

NOWHERE = Path("/nowhere/token")
SECRET = "request-secret"


def token_in(environment: Mapping[str, str], kubernetes: Path = NOWHERE, audience: str = "sigstore") -> IdentityToken:
    return ambient_token(ambient_sources(environment, kubernetes=kubernetes), audience=audience, now=NOW)


def tool(folder: Path, name: str, script: str) -> dict[str, str]:
    """Put a tool into a folder, and return an environment that finds it."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{folder}:{os.defpath}", "CHAINWARD_TOKEN": "api-token"}


def github(url: str) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": SECRET,
    }


def test_nothing_is_present_in_an_empty_environment() -> None:
    with pytest.raises(IdentityTokenMissing, match="GitHub Actions, Buildkite, CircleCI, Kubernetes, SPIFFE"):
        token_in({})


@pytest.mark.parametrize("name", ["CHAINWARD_IDENTITY_TOKEN", "SIGSTORE_ID_TOKEN"])
def test_a_variable_gives_the_token_that_gitlab_or_a_user_put_there(name: str) -> None:
    assert token_in({name: jwt_of(sub="project_path:shop/web") + "\n"}).subject == "project_path:shop/web"


def test_an_empty_variable_is_not_a_token() -> None:
    with pytest.raises(IdentityTokenMissing):
        token_in({"CHAINWARD_IDENTITY_TOKEN": " ", "SIGSTORE_ID_TOKEN": ""})


def test_our_own_variable_wins_over_the_shared_one_and_both_over_the_ci_system() -> None:
    shared = {"SIGSTORE_ID_TOKEN": jwt_of(sub="shared"), "GITHUB_ACTIONS": "true"}
    assert token_in(shared).subject == "shared"
    assert token_in(shared | {"CHAINWARD_IDENTITY_TOKEN": jwt_of(sub="own")}).subject == "own"


def test_github_actions_is_asked_for_the_audience_with_the_secret_of_the_job() -> None:
    answer = json.dumps({"count": 1, "value": jwt_of(sub="repo:shop/web:ref:refs/heads/main")}).encode()
    with served((200, {"Content-Type": "application/json"}, answer)) as (url, script):
        token = token_in(github(url), audience="chain ward")
    assert token.subject == "repo:shop/web:ref:refs/heads/main"
    [asked] = script.asked
    assert parse_qs(urlsplit(asked.path).query) == {"api-version": ["2.0"], "audience": ["chain ward"]}
    assert asked.headers["authorization"] == f"Bearer {SECRET}"


def test_a_github_job_without_the_permission_is_told_which_one_it_needs() -> None:
    with pytest.raises(IdentityTokenUnobtainable) as caught:
        token_in({"GITHUB_ACTIONS": "true"})
    assert "id-token: write" in caught.value.hint


@pytest.mark.parametrize(
    "reply",
    [
        (403, {}, b'{"message":"request-secret"}'),
        (200, {}, b"request-secret"),
        (200, {}, b'{"value":7}'),
        (200, {}, b"x" * 100_000),
        (302, {"Location": "http://127.0.0.2:1/steal"}, b""),
    ],
    ids=["refused", "no json", "another shape", "oversized", "redirect"],
)
def test_a_github_endpoint_that_gives_no_token_is_named_and_its_answer_never_shown(
    reply: tuple[int, dict[str, str], bytes],
) -> None:
    with served(reply) as (url, script), pytest.raises(IdentityTokenUnobtainable, match="GitHub Actions") as caught:
        token_in(github(url))
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert len(script.asked) == 1


def test_the_secret_of_a_github_job_is_not_sent_over_the_network_unencrypted() -> None:
    with pytest.raises(IdentityTokenUnobtainable, match="service-address-invalid"):
        token_in(github("http://actions.example"))


def test_the_buildkite_agent_is_asked_for_the_audience_and_gets_no_secret_of_ours(tmp_path: Path) -> None:
    script = (
        f'echo "$@" >{tmp_path}/args; env >{tmp_path}/env; echo warning >&2; echo {jwt_of(sub="organization:shop")}'
    )
    environment = tool(tmp_path, "buildkite-agent", script) | {"BUILDKITE": "true", "BUILDKITE_JOB_ID": "1"}
    assert token_in(environment, audience="shop").subject == "organization:shop"
    assert (tmp_path / "args").read_text() == "oidc request-token --audience shop\n"
    passed = (tmp_path / "env").read_text()
    assert "BUILDKITE_JOB_ID=1" in passed
    assert "api-token" not in passed


def test_circleci_is_asked_for_the_audience_as_a_claim(tmp_path: Path) -> None:
    environment = tool(tmp_path, "circleci", f'echo "$@" >{tmp_path}/args; echo {jwt_of(sub="org/1/project/2")}')
    assert token_in(environment | {"CIRCLECI": "true"}).subject == "org/1/project/2"
    assert (tmp_path / "args").read_text() == 'run oidc get --claims {"aud": "sigstore"}\n'


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo secret; exit 3", "status 3"),
        ("true", "no token"),
        ("head -c 200000 /dev/zero | tr '\\0' x", "more than"),
        ("printf '\\377'", "no text"),
    ],
    ids=["fails", "silent", "endless", "binary"],
)
def test_a_tool_that_gives_no_token_is_named_and_its_output_never_shown(tmp_path: Path, script: str, why: str) -> None:
    environment = tool(tmp_path, "buildkite-agent", script) | {"BUILDKITE": "true"}
    with pytest.raises(IdentityTokenUnobtainable, match=why) as caught:
        token_in(environment)
    assert "Buildkite" in caught.value.message
    assert "secret" not in caught.value.message


def test_a_tool_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(IdentityTokenUnobtainable, match="buildkite-agent"):
        token_in({"BUILDKITE": "true", "PATH": str(tmp_path)})


def test_a_projected_token_of_kubernetes_is_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(jwt_of(sub="system:serviceaccount:shop:builder"))
    assert token_in({}, kubernetes=path).subject == "system:serviceaccount:shop:builder"
    path.write_text(jwt_of(sub="rotated"))
    assert token_in({}, kubernetes=path).subject == "rotated"
    other = tmp_path / "other"
    other.write_text(jwt_of(sub="named"))
    assert token_in({"CHAINWARD_KUBERNETES_TOKEN_FILE": str(other)}, kubernetes=path).subject == "named"


def test_a_jwt_svid_of_spiffe_is_read_from_the_file_of_its_helper(tmp_path: Path) -> None:
    path = tmp_path / "svid.jwt"
    path.write_text(jwt_of(sub="spiffe://shop.example/builder") + "\n")
    assert token_in({"CHAINWARD_SPIFFE_TOKEN_FILE": str(path)}).subject == "spiffe://shop.example/builder"


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * (MAX_TOKEN + 1)])
def test_a_file_that_holds_no_token_is_refused_without_being_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(IdentityTokenUnobtainable) as caught:
        read_token_file(path)
    assert len(caught.value.message) < 300


def test_a_file_that_is_named_and_missing_is_an_error_and_not_another_identity(tmp_path: Path) -> None:
    environment = {"CHAINWARD_KUBERNETES_TOKEN_FILE": str(tmp_path / "gone")}
    with pytest.raises(IdentityTokenUnobtainable, match="No such file"):
        token_in(environment | {"CHAINWARD_SPIFFE_TOKEN_FILE": str(tmp_path / "other")})


def test_no_source_shows_the_environment_that_it_holds() -> None:
    sources = ambient_sources(
        {"CHAINWARD_IDENTITY_TOKEN": "top-secret", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "top-secret"}
    )
    assert "top-secret" not in repr(sources)
