"""Hostile requests at every door of the platform: coded refusals that tell nothing and leave nothing behind."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.databases import ManualClock
from tests.goods import push_image
from tests.hostile import GARBAGE, METHODS, SEGMENTS, VALUES, Door, doors, footprint, hold, wrongs
from tests.platforms import CONTEXT, Client, TestPlatform, in_process, open_test_platform

from chainward.access.model import EVERYWHERE, PLATFORM_PRINCIPAL, Binding, Role
from chainward.faces.http.routes import Reach

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOORS = doors()
GUARDED = [door for door in DOORS if not door.is_public]
TAKING = [door for door in DOORS if door.takes is not None]
WITH_BODY = [door for door in DOORS if door.accepts or (door.oci and door.method in {"PUT", "PATCH", "POST"})]
ASKING = [door for door in DOORS if door.parameters]
OPEN = [door for door in DOORS if door.holes]
TOLERANT = frozenset(
    {"/api/v2/signingCert"}
)  # reads what newer clients of Sigstore may add, and asks for a token first
CREDENTIALS = ("garbage", "", "Bearer", "Bearer \x7f", "Basic !!!", "Bearer cwt_aaaaaaaaaaaaaaaaaaaaaa_" + "b" * 43)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "platform"


@pytest.fixture(scope="module")
def desk(folder: Path) -> Iterator[TestPlatform]:
    """A platform with one image, whose time the tests set."""
    settings: dict[tuple[str, str], object] = {("trust", "development_issuer"): True}
    with open_test_platform(folder, clock=ManualClock(), settings=settings) as made:
        push_image(made.platform, "shop/web", "1")
        assert str(made.platform.witnessing.witness.key)  # made once, when it is first asked for
        yield made


@pytest.fixture(scope="module")
def admin(desk: TestPlatform) -> Iterator[Client]:
    with in_process(desk) as client:
        yield client


@pytest.fixture(scope="module")
def dead(desk: TestPlatform) -> dict[str, str]:
    """Tokens that were good once, by the code of their refusal."""
    grant, tokens = [Binding(Role.ADMIN, EVERYWHERE)], desk.platform.tokens
    short = tokens.issue(PLATFORM_PRINCIPAL, "short", grant, context=CONTEXT, lifetime=timedelta(days=1))
    leaked = tokens.issue(PLATFORM_PRINCIPAL, "leaked", grant, context=CONTEXT)
    tokens.revoke(PLATFORM_PRINCIPAL, leaked.token.id, "leaked", context=CONTEXT)
    clock = desk.platform.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(days=2))
    return {"token-expired": short.text.reveal(), "token-revoked": leaked.text.reveal()}


@pytest.fixture(scope="module")
def weak(desk: TestPlatform) -> dict[str, str]:
    """One token for each role over everything, and over another repository only."""
    patterns = ("**", "other/**")
    return {f"{role}:{over}": desk.token(f"{role}:{over}", name=f"{role}-token") for role in Role for over in patterns}


def parametrize(name: str, found: list[Door] | tuple[Door, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(name, found, ids=str)


def send(client: Client, door: Door, path: str = "", **more: Any) -> Any:
    headers = {**door.headers(), **more.pop("headers", {})}
    return client.request(door.method, path or door.path(), **{"headers": headers, "content": door.body(), **more})


def check_refused(answer: Any, door: Door, *secrets: str) -> str:
    """Check a refusal by a page or a door; returns its code, or an empty text for a page."""
    code = hold(answer, door, *secrets)
    assert 400 <= answer.status_code < 500, f"{door}: {answer.request.url} -> {answer.status_code} {answer.text[:200]}"
    return code


def forget_upload(client: Client, answer: Any) -> None:
    """Cancel the upload that an answer began, if it did."""
    if "docker-upload-uuid" in answer.headers:
        client.request("DELETE", answer.headers["location"])


def test_both_tables_are_attacked(desk: TestPlatform) -> None:
    assert {str(door) for door in DOORS if not door.oci} == {f"{one.method} {one.path}" for one in desk.app.routes}
    assert sum(door.oci for door in DOORS) >= 16


@parametrize("door", GUARDED)
def test_who_has_no_good_token_learns_nothing(door: Door, admin: Client, dead: dict[str, str], folder: Path) -> None:
    before = footprint(folder)
    attempts = [(None, "credentials-missing"), *((f"Bearer {token}", code) for code, token in dead.items())]
    attempts += [(text, "") for text in CREDENTIALS]
    for credentials, expected in attempts:
        headers = {} if credentials is None else {"Authorization": credentials}
        answer = send(admin.with_token(None), door, headers=headers)
        code = hold(answer, door, *dead.values())
        if door.page:
            assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        else:
            assert answer.status_code == 401, f"{door} {credentials}"
            assert answer.headers["www-authenticate"]
            assert door.method == "HEAD" or code in {
                expected or "credentials-malformed",
                expected or "token-invalid",
            }, f"{door} {credentials} {code}"
    assert footprint(folder) == before


@parametrize("door", [door for door in GUARDED if door.needs is not None])
def test_a_role_that_is_too_weak_is_refused_and_does_nothing(
    door: Door, admin: Client, weak: dict[str, str], folder: Path
) -> None:
    assert door.needs is not None
    before = footprint(folder)
    for right, token in weak.items():
        role, _, pattern = right.partition(":")
        lacks = door.needs not in Role(role).permissions
        far = pattern != "**" and door.reach in {Reach.PLATFORM, Reach.REPOSITORY}
        if not lacks and not far:
            continue
        answer = send(admin.with_token(token), door)
        code = check_refused(answer, door, token)
        certain = lacks or door.reach is Reach.PLATFORM or door.oci
        assert answer.status_code == 403 or not certain, f"{door} {right} {answer.text}"
        assert answer.status_code in {400, 403}, f"{door} {right} {answer.text}"
        assert code in {"", "access-denied"} or answer.status_code == 400, code
    assert footprint(folder) == before


@parametrize("door", DOORS)
def test_a_method_that_a_path_does_not_have_is_refused(door: Door, admin: Client, folder: Path) -> None:
    before = footprint(folder)
    path = door.path()
    allowed = {other.method for other in DOORS if other.template == door.template}
    allowed |= {"HEAD"} if "GET" in allowed and not door.oci else set()
    for method in set(METHODS) - allowed:
        answer = admin.request(method, path, content=door.body(), headers=door.headers())
        assert answer.status_code == 405, f"{method} {path}"
        assert hold(answer, door) == ("" if method == "HEAD" else "method-not-allowed")
        assert {word.strip() for word in answer.headers["allow"].split(",")} >= {door.method}
    assert footprint(folder) == before


@parametrize("door", [door for door in DOORS if door.accepts and "*/*" not in door.accepts])
def test_a_body_of_another_media_type_is_not_looked_at(door: Door, admin: Client, folder: Path) -> None:
    before = footprint(folder)
    for media_type in ("text/plain", f"{door.accepts[0]}x", "multipart/form-data; boundary=x", "x" * 5000, ";", "\x7f"):
        answer = send(admin, door, headers={"Content-Type": media_type})
        assert answer.status_code == 415
        assert check_refused(answer, door) in {"", "media-type-unsupported"}
    assert footprint(folder) == before


@parametrize("door", WITH_BODY)
def test_a_body_that_is_garbage_is_refused(door: Door, admin: Client, folder: Path) -> None:
    before = footprint(folder)
    for body in GARBAGE.values():
        answer = send(admin, door, content=body)
        if door.template == "/v2/{name}/blobs/uploads/":
            assert answer.status_code == 202  # an upload begins without a look at the body
            forget_upload(admin, answer)
        else:
            check_refused(answer, door)
    assert footprint(folder) == before


@parametrize("door", [door for door in DOORS if door not in WITH_BODY])
def test_a_body_where_none_belongs_changes_nothing(door: Door, admin: Client) -> None:
    plain = send(admin, door)
    for what in ("deep-lists", "zeros", "truncated"):
        answer = send(admin, door, content=GARBAGE[what])
        hold(answer, door)
        assert answer.status_code == plain.status_code, what


@parametrize("door", [door for door in TAKING if door.template not in TOLERANT])
def test_a_body_with_one_thing_wrong_is_refused_as_malformed(door: Door, admin: Client, folder: Path) -> None:
    before = footprint(folder)
    for what, body in wrongs(door.takes):
        answer = send(admin, door, content=json.dumps(body).encode())
        assert (answer.status_code, hold(answer, door)) == (400, "input-malformed"), f"{door}: {what}"
    assert footprint(folder) == before


@parametrize("door", [door for door in DOORS if door.limit is not None])
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_cut_off(
    door: Door, *, declared: bool, desk: TestPlatform, admin: Client, folder: Path
) -> None:
    assert door.limit is not None
    before = footprint(folder)
    size = door.limit + 1
    headers = {"authorization": f"Bearer {desk.admin}", **{k.lower(): v for k, v in door.headers().items()}}
    headers |= {"content-length": str(size)} if declared else {}
    scope = {
        "type": "http",
        "method": door.method,
        "path": door.path(),
        "raw_path": door.path().encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "scheme": "http",
        "http_version": "1.1",
    }
    start, *bodies = admin.raw(scope, [{"type": "http.request", "body": b" " * size, "more_body": True}])
    assert start["status"] == 413
    assert desk.admin.encode() not in b"".join(part["body"] for part in bodies)
    assert footprint(folder) == before


@parametrize("door", ASKING)
def test_no_value_of_a_parameter_makes_the_platform_fail(door: Door, admin: Client, folder: Path) -> None:
    before = footprint(folder)
    for name, value in ((name, value) for name in (*door.parameters, "unknown") for value in VALUES):
        answer = send(admin, door, f"{door.path()}?{name}={value}")
        hold(answer, door)
        forget_upload(admin, answer)
    assert footprint(folder) == before


@parametrize("door", [door for door in DOORS if not door.oci and not door.is_public])
def test_a_parameter_given_twice_is_refused(door: Door, admin: Client, folder: Path) -> None:
    before = footprint(folder)
    for name in (*door.parameters, "unknown"):
        for values in (("1", "2"), ("1", "1"), ("", "")):
            answer = send(admin, door, f"{door.path()}?{name}={values[0]}&{name}={values[1]}")
            assert check_refused(answer, door) in {"", "parameter-invalid"}
    assert footprint(folder) == before


@parametrize("door", DOORS)
@pytest.mark.parametrize("query", ["x=" + "y" * 9000, "&".join(f"p{number}=1" for number in range(40)), "a=%ff"])
def test_a_query_that_cannot_be_meant_is_refused_everywhere(door: Door, query: str, admin: Client) -> None:
    answer = send(admin, door, f"{door.path()}?{query}")
    hold(answer, door)
    if not door.oci:
        assert answer.status_code == 400


@parametrize("door", OPEN)
def test_no_traversal_and_no_unknown_name_in_a_path_leads_anywhere(door: Door, admin: Client, folder: Path) -> None:
    before = footprint(folder)
    for hole, segment in ((hole, segment) for hole in door.holes for segment in SEGMENTS):
        if hole in {"name", "repository"} and (segment.isdigit() or segment.startswith("sha")):
            continue  # a repository may be called that, with a tag behind it on the pages
        answer = send(admin, door, door.path(**{hole: segment}), headers={"Range": "bytes=0-1"})
        check_refused(answer, door)
        assert "root:" not in answer.text
    assert footprint(folder) == before


@pytest.mark.parametrize("name", ["Range", "Content-Range", "If-None-Match", "If-Range", "Cookie", "X-Request-Id"])
@parametrize("door", [door for door in DOORS if door.oci])
def test_no_header_makes_the_registry_fail(door: Door, name: str, admin: Client, folder: Path) -> None:
    before = footprint(folder)
    for value in (
        "",
        "%00",
        "9" * 400,
        "x" * 5000,
        "bytes=" + "9" * 400 + "-",
        "bytes=5-1",
        "0-" + "9" * 19,
        b"\xff\xfe",
    ):
        answer = send(admin, door, headers={name: value})
        hold(answer, door)
        forget_upload(admin, answer)
    assert footprint(folder) == before
