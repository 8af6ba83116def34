"""The whole HTTP surface as an attacker sees it: every door of it, hostile values to try there, and what must hold.

``doors()`` walks the route table and the paths of the registry protocol, so a new route is attacked without being named
here. ``hold`` judges an answer; ``footprint`` says what a platform has stored, so that a refusal can be seen to have
written nothing.
"""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from msgspec import inspect
from tools.docs_api import routes
from tools.docs_problems import problems

from chainward.access.model import Permission
from chainward.faces.http.oci.app import _TRANSLATORS
from chainward.faces.http.oci.call import Place
from chainward.faces.http.oci.token import _FORM, _FORM_LIMIT
from chainward.faces.http.problems import documented_status
from chainward.faces.http.routes import Needs, Public, Reach
from chainward.formats.oci import MAX_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import httpx

__all__ = [
    "GARBAGE",
    "HINTS",
    "METHODS",
    "SEGMENTS",
    "VALUES",
    "Door",
    "doors",
    "footprint",
    "hold",
    "sample",
    "wrongs",
]

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
NOTHING: Final = f"sha256:{'0' * 64}"

GARBAGE: Final[Mapping[str, bytes]] = {
    "empty": b"",
    "truncated": b'{"name": "x", "bindings": ["rea',
    "half-an-escape": b'{"name": "\\u00',
    "no-json": b"nonsense \x01",
    "list": b"[]",
    "null": b"null",
    "text": b'"text"',
    "number": b"7",
    "invalid-utf-8": b'{"name": "\xff\xfe"}',
    "overlong-utf-8": b'{"name": "\xc0\x80"}',
    "lone-surrogate": b'{"name": "\\ud800"}',
    "zeros": b"\x00" * 64,
    "byte-order-mark": b"\xef\xbb\xbf{}",
    "nul-in-a-key": b'{"\\u0000": 1}',
    "infinite": b'{"days": 1e999, "order": -1e999}',
    "not-a-number": b'{"order": NaN}',
    "many-digits": b'{"order": ' + b"9" * 5000 + b"}",
    "deep-lists": b"[" * 100_000,
    "deep-objects": b'{"a":' * 100_000,
    "deep-and-closed": b'{"request":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "trailing": b"{}{}",
    "yaml-bomb": b"a: &a [x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c]\n",
    "yaml-tag": b"!!python/object/apply:os.system ['true']\n",
}
VALUES: Final = (
    "",
    "-1",
    "1e3",
    "NaN",
    "0x10",
    "%EF%BC%91",  # a digit, but none of ASCII
    "9" * 400,
    str(2**63),
    str(2**64),
    str(-(2**63)),
    "%00",
    "a%00b",
    "%0d%0aX-Injected:%20yes",
    "%ff",
    "%",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%F0%9F%92%A9",
    "x" * 600,
    NOTHING,
)
SEGMENTS: Final = (
    "%2e%2e",
    "%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cboot.ini",
    "%252e%252e%252f",
    "%00",
    "x%00.css",
    "%0a",
    "%0d%0aX-Injected:%20yes",
    "%ff%fe",
    "%F0%9F%92%A9",
    "%C2%B2",
    "x" * 3000,
    "9" * 30,
    "-1",
    "sha256:zz",
    "sha512:00",
    "@@",
    "a@b",
    ":",
    "%20",
    "'%20OR%20'1'='1",
    "%3Cscript%3E",
)
HINTS: Final[Mapping[str, Any]] = {
    "image": "shop/web:1",
    "repository": "shop/web",
    "repositories": ["shop/**"],
    "namespaces": ["qa"],
    "bindings": ["reader:other/**"],
    "digest": NOTHING,
    "environment": "dev",
    "to": "dev",
    "tier": "1",
}
_TEMPLATE: Final = re.compile(r"\{([a-z]+)(?::path)?\}")
_LISTED: Final = ("n", "last")
_UPLOADED: Final = ("digest", "mount", "from")
_QUERY: Final[Mapping[Place, tuple[str, ...]]] = {  # a place that does not stand here is tried with all of them
    Place.BASE: (),
    Place.SESSION: ("service", "scope"),
    Place.CATALOG: _LISTED,
    Place.TAGS: _LISTED,
    Place.REFERRERS: (*_LISTED, "artifactType"),
    Place.MANIFEST: (),
    Place.UPLOADS: _UPLOADED,
    Place.UPLOAD: _UPLOADED,
    Place.BLOB: (),
}
_UPLOADS: Final = frozenset({Place.UPLOAD, Place.UPLOADS})
_BY_METHOD: Final = {"GET": Permission.PULL, "HEAD": Permission.PULL, "DELETE": Permission.ADMINISTER}
_TOLD: Final = re.compile(r"Traceback \(most recent|File \"/|\.py\"?, line \d|sqlite3\.|sqlalchemy", re.IGNORECASE)
_HTML: Final = "text/html"
_PROBLEM: Final = "application/problem+json"
_RANGE_STATUS: Final = 416
_VOLATILE: Final = ("log_", "follower_", "sqlite_", "access_token")


@dataclass(frozen=True, slots=True)
class Door:
    """One method of one path, whichever table it stands in; ``needs`` is None where anybody may enter."""

    method: str
    template: str
    needs: Permission | None
    reach: Reach | None
    is_public: bool
    takes: type | None = None
    accepts: tuple[str, ...] = ()
    limit: int | None = None
    parameters: tuple[str, ...] = ()
    page: bool = False
    oci: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def holes(self) -> tuple[str, ...]:
        """The names of what the path template leaves open."""
        return tuple(_TEMPLATE.findall(self.template))

    def path(self, **values: str) -> str:
        """Return a path of this door; what is not given is something harmless that need not be there."""
        known = {"name": "shop/web" if self.oci else "x", "repository": "shop/web", "digest": NOTHING}
        known["reference"] = "none" if self.method == "DELETE" else "1"
        known |= {"log": "facts", "index": "1", "path": "0/000", "upload": "none", **values}
        return _TEMPLATE.sub(lambda hole: known.get(hole[1], "x"), self.template)

    def headers(self) -> dict[str, str]:
        """Return the headers that a well-meant request has."""
        if self.accepts:
            return {"Content-Type": self.accepts[0]}
        return {"Content-Type": "application/vnd.oci.image.manifest.v1+json"} if self.method == "PUT" else {}

    def body(self) -> bytes:
        """Return a body of the shape that this door takes, as far as its type says."""
        return json.dumps(sample(self.takes)).encode() if self.takes is not None else b"{}" if self.accepts else b""


@cache
def doors() -> tuple[Door, ...]:
    """Return every door of the platform."""
    return (*_table(), *_registry())


def _table() -> Iterator[Door]:
    for route in routes():
        needs = route.access if isinstance(route.access, Needs) else None
        yield Door(
            route.method,
            route.path,
            needs.permission if needs else None,
            needs.reach if needs else None,
            isinstance(route.access, Public),
            route.takes,
            route.accepts,
            route.limit if route.accepts else None,
            tuple(name for name, _ in route.parameters),
            route.page,
        )


def _registry() -> Iterator[Door]:
    for place, translators in _TRANSLATORS.items():
        for method in translators:
            needs = _permission(place, method)
            limit = MAX_MANIFEST if (place, method) == (Place.MANIFEST, "PUT") else None
            reach = Reach.REPOSITORY if needs else None
            is_form = (place, method) == (Place.SESSION, "POST")
            yield Door(
                method,
                place.value,
                needs,
                reach,
                is_public=place is Place.SESSION,  # it asks who calls by itself, and gives nothing to nobody
                accepts=(_FORM,) if is_form else (),
                limit=_FORM_LIMIT if is_form else limit,
                parameters=_QUERY.get(place, (*_LISTED, *_UPLOADED, "artifactType")),
                oci=True,
            )


def _permission(place: Place, method: str) -> Permission | None:
    if place in {Place.BASE, Place.CATALOG, Place.SESSION}:
        return None
    return Permission.PUSH if place in _UPLOADS else _BY_METHOD.get(method, Permission.PUSH)


def hold(answer: httpx.Response, door: Door, *secrets: str) -> str:
    """Check what every answer must be, and return the code of the problem that it tells, or an empty text."""
    where = f"{door}: {answer.request.url} -> {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, where
    told = answer.text + "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
    assert "x-injected" not in answer.headers, where
    assert not any(secret in told for secret in secrets if secret), where
    assert not _TOLD.search(told), where
    if answer.status_code < HTTPStatus.BAD_REQUEST or answer.request.method == "HEAD":
        return ""
    if door.page and answer.headers["content-type"].startswith(_HTML):
        return ""
    if answer.headers["content-type"].startswith("text/plain"):
        assert door.template == "/witness/add-checkpoint", where  # C2SP tlog-witness: in a line of text
        return ""
    document = answer.json()
    if answer.request.url.path.startswith("/v2"):
        (error,) = document["errors"]
        assert re.fullmatch(r"[A-Z_]+", error["code"]), where
        assert error["message"], where
        document = error["detail"]
    elif isinstance(document.get("code"), int):
        return _hold_as_sigstore_does(answer, document, where)
    else:
        assert answer.headers["content-type"] == _PROBLEM, where
        assert document["status"] == answer.status_code, where
        assert document["detail"], where
    assert document["hint"], where
    assert document["request_id"] == answer.headers["x-request-id"], where
    assert document["code"] in _documented(), where
    assert answer.status_code in {_documented()[document["code"]], _RANGE_STATUS}, where
    return str(document["code"])


def _hold_as_sigstore_does(answer: httpx.Response, document: dict[str, Any], where: str) -> str:
    """Check a problem in the words of grpc-gateway, as clients of Sigstore read it."""
    assert set(document) == {"code", "message", "details"}, where
    assert answer.headers["content-type"] == "application/json", where
    assert document["message"], where
    (info,) = document["details"]
    assert info["metadata"]["hint"], where
    assert info["metadata"]["request_id"] == answer.headers["x-request-id"], where
    untrusted = answer.status_code == HTTPStatus.BAD_REQUEST  # upstream has no other word for it
    assert _documented()[info["reason"]] in {answer.status_code, HTTPStatus.UNPROCESSABLE_ENTITY * untrusted}, where
    return str(info["reason"])


@cache
def _documented() -> dict[str, int]:
    """Return the status that the documentation gives each code."""
    return {kind.code: documented_status(kind) for kind in problems()}


def footprint(folder: Path) -> dict[str, int]:
    """Return how much of everything a platform has stored below ``folder``: rows of each table, files, bytes."""
    found = sqlite3.connect(f"file:{folder / 'chainward.db'}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in found.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [name for name in tables if not name.startswith(_VOLATILE)]
        counted = {name: found.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in kept}  # noqa: S608 - its own tables
    finally:
        found.close()
    files = [path for name in ("blobs", "uploads") for path in (folder / name).rglob("*") if path.is_file()]
    return {**counted, "files": len(files)}


def sample(shape: Any) -> Any:
    """Return a value of a type, as plain objects; members of a well-known name get a value that means something."""
    return _sample(inspect.type_info(shape))


def _sample(info: inspect.Type) -> Any:  # noqa: C901, PLR0911 - one case for each kind of type
    match info:
        case inspect.StructType():
            return {
                field.encode_name: HINTS[field.encode_name] if field.encode_name in HINTS else _sample(field.type)
                for field in info.fields
            }
        case inspect.StrType():
            return "x" * max(1, info.min_length or 0)
        case inspect.IntType():
            return max(1, info.ge or 0)
        case inspect.BoolType():
            return True
        case inspect.LiteralType():
            return info.values[0]
        case inspect.VarTupleType() | inspect.ListType():
            return [_sample(info.item_type)] * max(1, info.min_length or 0)
        case inspect.DictType():
            return {"x": _sample(info.value_type)}
        case inspect.UnionType():
            return _sample(next(kind for kind in info.types if not isinstance(kind, inspect.NoneType)))
        case inspect.EnumType():
            return next(iter(info.cls)).value
        case _:
            raise TypeError(info)


def wrongs(shape: Any) -> Iterator[tuple[str, Any]]:
    """Give bodies with one thing wrong each, and what that is: a member missing, unknown, of another type or size."""
    info = inspect.type_info(shape)
    assert isinstance(info, inspect.StructType)
    right = sample(shape)
    yield "an unknown member", {**right, "enviroment": "prod"}
    for field in info.fields:
        name = field.encode_name
        if field.required:
            yield f"{name} missing", {key: value for key, value in right.items() if key != name}
        for value in _wrong(field.type):
            yield f"{name} = {str(value)[:30]!r}", {**right, name: value}


def _wrong(info: inspect.Type) -> Iterator[Any]:  # noqa: C901, PLR0915 - one case for each kind of type
    match info:
        case inspect.StrType():
            yield from (None, 7, True, 1.5, [], {}, ["x"])
            assert info.max_length is not None, "a text without a limit"
            yield "x" * (info.max_length + 1)
            if info.min_length:
                yield ""
        case inspect.IntType():
            yield from (None, "7", 1.5, True, [], {}, 1 << 70, -(1 << 70))
            yield from (limit + step for limit, step in ((info.ge, -1), (info.le, 1)) if limit is not None)
        case inspect.BoolType():
            yield from (None, 1, "true", [])
        case inspect.LiteralType() | inspect.EnumType():
            yield from (None, 7, "", "none of them", [])
        case inspect.VarTupleType() | inspect.ListType():
            yield from (None, "x", 7, {})
            yield from ([value] for value in _wrong(info.item_type))
            assert info.max_length is not None, "a list without a limit"
            yield [_sample(info.item_type)] * (info.max_length + 1)
            if info.min_length:
                yield []
        case inspect.StructType():
            yield from (None, "x", 7, [])
            yield from (body for _, body in wrongs(info.cls))
        case inspect.DictType():
            yield from (None, "x", 7, [])
            yield from ({"x": value} for value in _wrong(info.value_type))
            assert info.max_length is not None, "a mapping without a limit"
            yield {str(number): _sample(info.value_type) for number in range(info.max_length + 1)}
        case inspect.UnionType():
            kinds = [kind for kind in info.types if not isinstance(kind, inspect.NoneType)]
            assert len(kinds) == 1, info
            yield from (value for value in _wrong(kinds[0]) if value is not None)
        case _:
            raise TypeError(info)
