"""``/api/v1/facts``: the ledger, in order, for those who may read all of it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from chainward.access.model import Permission
from chainward.faces.http.answers import json_answer
from chainward.faces.http.errors import ParameterInvalid
from chainward.faces.http.routes import Needs, Reach, Route
from chainward.kernel.instant import rfc3339

if TYPE_CHECKING:
    from chainward.faces.http.answers import Answer
    from chainward.faces.http.requests import Call
    from chainward.ledger.model import Recorded

__all__ = ["ROUTES", "FactView", "index_of", "view_of"]

_PAGE: Final = 100
_DIGITS: Final = 15  # below 2**53


class FactView(Struct, frozen=True, kw_only=True):
    """A fact. ``body`` is null once retention has pruned it.

    ``envelope`` and ``salt`` are base64: the leaf of the facts log is the commitment to them, so that whoever holds
    them can check the proof of the fact.
    """

    index: int
    schema: str
    tenant: str
    actor: str
    correlation: str
    occurred_at: str | None
    recorded_at: str
    subjects: tuple[str, ...]
    body: dict[str, Any] | None
    envelope: str | None
    salt: str | None


class FactList(Struct, frozen=True, kw_only=True):
    """Facts in order; ask for the next page with ``after=next``."""

    facts: tuple[FactView, ...]
    next: int | None


def view_of(fact: Recorded) -> FactView:
    """Return the wire form of a fact."""
    return FactView(
        index=fact.index,
        schema=fact.schema,
        tenant=fact.tenant,
        actor=fact.actor,
        correlation=fact.correlation,
        occurred_at=rfc3339(fact.occurred_at) if fact.occurred_at else None,
        recorded_at=rfc3339(fact.recorded_at),
        subjects=fact.subjects,
        body=fact.body,
        envelope=base64.b64encode(fact.envelope).decode() if fact.envelope is not None else None,
        salt=base64.b64encode(fact.salt).decode() if fact.salt is not None else None,
    )


def _list(call: Call) -> Answer:
    limit = call.number("limit", _PAGE, 1, 1000)
    schema = call.text("schema", 200)
    found = call.platform.ledger.facts(
        call.number("after", -1, -1), limit, frozenset({schema}) if schema is not None else None
    )
    following = found[-1].index if len(found) == limit else None
    return json_answer(FactList(facts=tuple(map(view_of, found)), next=following))


def index_of(text: str) -> int:
    """Read the index of a fact from a path; raises ParameterInvalid."""
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS:
        raise ParameterInvalid(f"{text[:40]!r} is not the index of a fact", details={"parameter": "index"})
    return int(text)


def _one(call: Call) -> Answer:
    return json_answer(view_of(call.platform.ledger.fact(index_of(call.path["index"]))))


_READ = Needs(Permission.READ_LEDGER, Reach.PLATFORM)

ROUTES = (
    Route(
        "GET",
        "/api/v1/facts",
        _READ,
        _list,
        "List facts in order.",
        gives=FactList,
        parameters=(
            ("after", "Begin after this index; -1, or nothing, begins at fact 0."),
            ("limit", "1 to 1000, 100 if not given."),
            ("schema", "Only facts of this schema."),
        ),
    ),
    Route("GET", "/api/v1/facts/{index}", _READ, _one, "Show one fact.", gives=FactView),
)
