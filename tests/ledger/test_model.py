"""Envelopes and commitments: one form of bytes, and nothing that a leaf gives away."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from chainward.formats.errors import Unwritable
from chainward.kernel.identity import Actor, Context
from chainward.ledger.errors import FactTooLarge, LogTampered
from chainward.ledger.facts import (
    FACTS,
    CheckpointAnchored,
    LogWitnessed,
    Opened,
    WitnessDisagreed,
    WitnessEstablished,
)
from chainward.ledger.model import (
    FACT_LIMIT,
    Draft,
    FactBody,
    StoredFact,
    commitment,
    envelope_of,
    open_envelope,
    recorded,
)

NOW = datetime(2026, 11, 23, 9, 30, 0, 123_456, tzinfo=UTC)
CONTEXT = Context(Actor("token:ci"), "request-7", "shop")


class Happened(FactBody, frozen=True, kw_only=True):
    schema: ClassVar[str] = "test.happened/1"

    text: str
    number: int = 0
    flag: bool | None = None
    many: tuple[str, ...] = ()
    more: dict[str, int] | None = None

    def subjects(self) -> tuple[str, ...]:
        return (self.text, "other")


class Weighed(FactBody, frozen=True, kw_only=True):
    schema: ClassVar[str] = "test.weighed/1"
    weight: float


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
BODIES = st.builds(
    Happened,
    text=TEXT,
    number=st.integers(-(2**53) + 1, 2**53 - 1),
    flag=st.none() | st.booleans(),
    many=st.lists(TEXT, max_size=4).map(tuple),
    more=st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), st.integers(0, 9), max_size=4),
)


def stored(envelope: bytes | None, salt: bytes | None = bytes(32)) -> StoredFact:
    return StoredFact(5, "test.happened/1", NOW, envelope, salt)


def test_the_envelope_is_the_documented_one() -> None:
    envelope = envelope_of(Draft(Happened(text="a", many=("x",)), CONTEXT, None, bytes(32)), NOW)
    assert envelope == (
        b'{"actor":"token:ci","body":{"flag":null,"many":["x"],"more":null,"number":0,"text":"a"},'
        b'"correlation":"request-7","occurred_at":"2026-11-23T09:30:00.123456Z",'
        b'"recorded_at":"2026-11-23T09:30:00.123456Z","schema":"test.happened/1","subjects":["a","other"],"tenant":"shop"}'
    )


def test_the_commitment_is_the_documented_one() -> None:
    entry = commitment(b"s" * 32, b"{}")
    assert entry == b"chainward.fact/1\n" + hashlib.sha256(b"s" * 32 + b"{}").digest()


@given(BODIES)
def test_an_envelope_is_canonical_json_and_can_be_read_back(body: Happened) -> None:
    earlier = NOW - timedelta(hours=1)
    envelope = envelope_of(Draft(body, CONTEXT, earlier.astimezone(timezone(timedelta(hours=5))), bytes(32)), NOW)
    fact = recorded(stored(envelope))
    assert fact.body == {
        "text": body.text,
        "number": body.number,
        "flag": body.flag,
        "many": list(body.many),
        "more": body.more,
    }
    assert (fact.subjects, fact.tenant, fact.actor) == ((body.text, "other"), "shop", "token:ci")
    assert fact.occurred_at == earlier
    assert open_envelope(envelope).recorded_at == "2026-11-23T09:30:00.123456Z"
    members: dict[str, Any] = {
        "actor": "token:ci",
        "body": fact.body,
        "correlation": "request-7",
        "occurred_at": "2026-11-23T08:30:00.123456Z",
        "recorded_at": "2026-11-23T09:30:00.123456Z",
        "schema": "test.happened/1",
        "subjects": [body.text, "other"],
        "tenant": "shop",
    }
    assert envelope == rfc8785.dumps(members)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.binary(max_size=50))
def test_equal_facts_have_unlike_leaves(salt: bytes, other: bytes, envelope: bytes) -> None:
    assert (commitment(salt, envelope) == commitment(other, envelope)) == (salt == other)


def test_a_fact_with_a_float_cannot_be_written() -> None:
    with pytest.raises(Unwritable):
        envelope_of(Draft(Weighed(weight=0.1), CONTEXT, None, bytes(32)), NOW)


def test_a_fact_may_be_sixteen_kibibytes_and_no_more() -> None:
    def draft(length: int) -> Draft:
        return Draft(Happened(text="x", many=("y" * length,)), CONTEXT, None, bytes(32))

    overhead = len(envelope_of(draft(0), NOW))
    assert len(envelope_of(draft(FACT_LIMIT - overhead), NOW)) == FACT_LIMIT
    with pytest.raises(FactTooLarge):
        envelope_of(draft(FACT_LIMIT - overhead + 1), NOW)


def test_a_pruned_fact_has_no_body_but_its_columns() -> None:
    fact = recorded(stored(None, None))
    assert (fact.index, fact.schema, fact.recorded_at, fact.body, fact.subjects) == (
        5,
        "test.happened/1",
        NOW,
        None,
        (),
    )


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"{",
        b"[]",
        b'{"actor":"a"}',
        b"\xff" * 10,
        b"[" * 5000,
        b"x" * (FACT_LIMIT + 1),
        b'{"actor":1,"body":{},"correlation":"","occurred_at":"","recorded_at":"","schema":"","subjects":[],"tenant":""}',
        b'{"actor":"","body":{},"correlation":"","occurred_at":"?","recorded_at":"","schema":"","subjects":[],"tenant":""}',
    ],
)
def test_an_envelope_that_no_ledger_wrote_is_called_tampered(envelope: bytes) -> None:
    with pytest.raises(LogTampered, match="fact 5"):
        recorded(stored(envelope))


def test_the_facts_of_the_ledger_say_what_they_are_about() -> None:
    assert FACTS[:2] == (Opened, CheckpointAnchored)
    assert Opened(origin="facts.test", format="chainward.fact/1").subjects() == ("log:facts.test",)
    assert CheckpointAnchored(origin="log.test", size=3, root="00").subjects() == ("log:log.test",)
    assert LogWitnessed(origin="log.test", keys=()).subjects() == ("log:log.test",)
    assert WitnessEstablished(key="witness.test+00000000+BA==").subjects() == ("witness:witness.test",)
    disagreed = WitnessDisagreed(witness="w", origin="log.test", size=3, code="witness-refused", message="no")
    assert disagreed.subjects() == ("log:log.test", "witness:w")
    assert len({fact.schema for fact in FACTS}) == len(FACTS)
