"""Well-shaped requests with random values, in random order, with every right: no failure, and a log in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect
from tests.goods import push_image, sign_image, trusted_key
from tests.hostile import GARBAGE, NOTHING, Door, doors, hold
from tests.platforms import Client, TestPlatform, in_process, open_test_platform

from chainward.keys.local import generate
from chainward.keys.model import Scheme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

WEB = "shop/web"
KEY = generate(Scheme.ECDSA_P256_SHA256).public_key.pem.decode()
WORDS = {
    "image": ["shop/web:1", "shop/web", "shop/api:2", f"shop/web@{NOTHING}", "127.0.0.1:8420/shop/web:1"],
    "repository": [WEB, "shop/api", "other/thing"],
    "name": [WEB, "shop/api", "release", "dev", "x", "web"],
    "repositories": ["**", "shop/**", "shop/*", WEB],
    "namespaces": ["dev", "qa-*", "*"],
    "bindings": ["reader:**", "publisher:shop/**", "admin:other/**", "nobody:**"],
    "environment": ["dev", "staging", "prod", "moon"],
    "to": ["dev", "staging", "prod", "moon"],
    "tier": ["gold", "1", "Not A Name"],
    "public_key": [KEY, "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"],
    "log": ["facts", "signatures", "none"],
    "path": ["0/000", "0/000.p/1", "1/000", "000", "000.p/3", "x001/000", "0/x999/x999/999"],
    "reference": ["1", "2", "latest", NOTHING],
    "reason": ["because", "\x00", "\u202e", "\n\n", "x" * 400],
    "mount": [NOTHING],
    "from": [WEB, "shop/api", "UPPER"],
    "timeout": ["10s", "1ms", "-1s", "0s"],
}
NUMBERS = st.integers(-2, 30) | st.sampled_from([2**31, 2**53, 2**63, -(2**63), 10**15])
TEXTS = st.text(max_size=30)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPlatform]:
    with open_test_platform(tmp_path_factory.mktemp("fuzz") / "platform") as made:
        digest = push_image(made.platform, WEB, "1")
        sign_image(made.platform, WEB, digest, trusted_key(made.platform, "release"))
        yield made


@pytest.fixture(scope="module")
def admin(desk: TestPlatform) -> Iterator[Client]:
    with in_process(desk) as client:
        yield client


@pytest.fixture(scope="module")
def digest(desk: TestPlatform) -> str:
    """The digest of the signed image."""
    return str(push_image(desk.platform, WEB, "1"))


def value(name: str, digest: str) -> SearchStrategy[str]:
    """A value for something of this name: mostly one that means something."""
    if name == "digest":
        return st.sampled_from([digest, NOTHING, "sha256:zz"])
    known = WORDS.get(name)
    return (st.sampled_from(known) | TEXTS) if known else (NUMBERS.map(str) | TEXTS)


def shaped(  # noqa: C901, PLR0911 - one case for each kind of type
    info: inspect.Type, name: str, digest: str
) -> SearchStrategy[Any]:
    """Values of a type that a body may hold."""
    match info:
        case inspect.StructType():
            members = {
                field.encode_name: (field, shaped(field.type, field.encode_name, digest)) for field in info.fields
            }
            return st.fixed_dictionaries(
                {key: drawn for key, (field, drawn) in members.items() if field.required},
                optional={key: drawn for key, (field, drawn) in members.items() if not field.required},
            )
        case inspect.StrType():
            return value(name, digest)
        case inspect.IntType():
            return st.integers(info.ge, info.le)
        case inspect.BoolType():
            return st.booleans()
        case inspect.LiteralType():
            return st.sampled_from(info.values)
        case inspect.VarTupleType() | inspect.ListType():
            return st.lists(shaped(info.item_type, name, digest), min_size=info.min_length or 0, max_size=3)
        case inspect.DictType():
            return st.dictionaries(TEXTS, shaped(info.value_type, name, digest), max_size=3)
        case inspect.UnionType():
            return st.one_of(*(shaped(kind, name, digest) for kind in info.types))
        case inspect.NoneType():
            return st.none()
        case _:
            raise TypeError(info)


@st.composite
def requests(draw: st.DrawFn, digest: str) -> tuple[Door, str, bytes]:
    """A door, a path with a query for it, and a body."""
    door = draw(st.sampled_from(doors()))
    holes = {name: quote(draw(value(name, digest)), safe="/:") for name in door.holes}
    names = draw(st.lists(st.sampled_from(door.parameters), unique=True, max_size=3)) if door.parameters else []
    query = urlencode({name: draw(value(name, digest)) for name in names})
    body = draw(st.sampled_from(list(GARBAGE.values())) | st.binary(max_size=60))
    if door.takes is not None:
        body = json.dumps(draw(shaped(inspect.type_info(door.takes), "", digest))).encode()
    return door, f"{door.path(**holes)}?{query}" if query else door.path(**holes), body


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_no_sequence_of_well_shaped_requests_makes_the_platform_fail_or_spoils_its_log(
    data: st.DataObject, admin: Client, desk: TestPlatform, digest: str
) -> None:
    for door, path, body in data.draw(st.lists(requests(digest), min_size=1, max_size=10)):
        answer = admin.request(door.method, path, content=body, headers=door.headers())
        hold(answer, door, desk.admin)
    audit = admin.post("/api/v1/logs/audit", {})
    assert audit.status_code == 200
    assert (audit.json()["count"], audit.json()["findings"]) == (0, [])
    assert desk.failures == []
