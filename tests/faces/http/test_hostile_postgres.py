"""Text that one store holds and another one cannot: a NUL, half a surrogate, a number beyond 64 bits, on PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import inspect
from tests.databases import cluster
from tests.delivery.rig import review_of
from tests.goods import push_image
from tests.hostile import Door, doors, hold, sample
from tests.platforms import Client, TestPlatform, in_process, open_test_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Server

__all__ = ["cluster"]

DOORS = doors()
JSON = {"Content-Type": "application/json"}
WEB = "127.0.0.1:8420/shop/web:1"
TEXTS = ("\x00", "a\x00b", "\x00" * 60, "\u202e\x1b[2J", "\U0001f4a9" * 60, "'; DROP TABLE fact; --", "%", "\\", "\r\n")
QUOTED = (
    "%00",
    "a%00b",
    "%1b%5b2J",
    "%F0%9F%92%A9",
    "'%3B",
    "%25",
    "%5c",
    "%0d%0a",
    str(2**31),
    str(2**53),
    str(2**63),
)


@pytest.fixture(scope="module")
def desk(cluster: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPlatform]:
    name = cluster.create_database()
    stored = {("storage", "database"): cluster.url(name)}
    with open_test_platform(tmp_path_factory.mktemp("postgres") / "platform", settings=stored) as made:
        yield made
    cluster.drop_database(name)


@pytest.fixture(scope="module")
def admin(desk: TestPlatform) -> Iterator[Client]:
    with in_process(desk) as client:
        yield client


def spoilt(door: Door) -> Iterator[dict[str, Any]]:
    """Give bodies with a strange text in one member each."""
    shape, right = inspect.type_info(door.takes), sample(door.takes)
    assert isinstance(shape, inspect.StructType)
    for field in shape.fields:
        for text in TEXTS:
            value = right[field.encode_name]
            yield {**right, field.encode_name: [text] if isinstance(value, list) else text}


@pytest.mark.parametrize("door", [door for door in DOORS if door.takes is not None], ids=str)
def test_no_text_in_a_body_is_more_than_the_database_can_hold(door: Door, admin: Client) -> None:
    for body in spoilt(door):
        answer = admin.request(door.method, door.path(), content=json.dumps(body).encode(), headers=door.headers())
        hold(answer, door)


@pytest.mark.parametrize("door", [door for door in DOORS if door.parameters or door.holes], ids=str)
def test_no_text_in_a_path_or_a_query_is_more_than_the_database_can_hold(door: Door, admin: Client) -> None:
    paths = [f"{door.path()}?{name}={text}" for name in door.parameters for text in QUOTED]
    paths += [door.path(**{hole: text}) for hole in door.holes for text in QUOTED]
    for path in paths:
        hold(admin.request(door.method, path, content=door.body(), headers=door.headers()), door)


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_of_a_review_is_more_than_the_database_can_hold(text: str, admin: Client) -> None:
    for door in (door for door in DOORS if door.template.startswith("/admission/")):
        for changes in ({"namespace": text}, {"name": text}, {"userInfo": {"username": text}}, {"uid": text}):
            hold(admin.request(door.method, door.path(), content=review_of(WEB, **changes), headers=JSON), door)
        for image in (text, WEB + text, text + WEB):
            hold(admin.request(door.method, door.path(), content=review_of(image), headers=JSON), door)


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_of_a_manifest_or_a_policy_is_more_than_the_database_can_hold(
    text: str, desk: TestPlatform, admin: Client
) -> None:
    base = json.loads(admin.get(f"/v2/shop/web/manifests/{push_image(desk.platform, 'shop/web', '1')}").content)
    door = next(door for door in DOORS if door.oci and door.method == "PUT" and "{reference}" in door.template)
    for changes in (
        {"artifactType": text},
        {"annotations": {"note": text}},
        {"annotations": {text: "note"}},
        {"subject": {**base["config"], "annotations": {"x": text}}, "artifactType": "application/x"},
        {"layers": [{**base["layers"][0], "mediaType": text}]},
    ):
        body = json.dumps({**base, **changes}).encode()
        reference = f"sha256:{hashlib.sha256(body).hexdigest()}"
        hold(admin.request("PUT", door.path(reference=reference), content=body, headers=door.headers()), door)
        listed = admin.get(f"/v2/shop/web/referrers/{base['config']['digest']}")
        assert listed.status_code == 200
    policy = next(door for door in DOORS if door.template == "/api/v1/policy" and door.method == "PUT")
    document = {"apiVersion": "chainward.dev/v1", "kind": "Policy", "name": text, "rules": []}
    hold(admin.request("PUT", policy.path(), content=json.dumps(document).encode(), headers=policy.headers()), policy)


def test_the_log_is_in_order_after_all_that(admin: Client) -> None:
    assert admin.post("/api/v1/logs/audit", {}).json()["count"] == 0
