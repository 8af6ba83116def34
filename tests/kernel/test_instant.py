"""Instants: one text for each, and RFC 3339 alone is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.kernel.instant import InvalidInstant, parse_instant, rfc3339

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001 - zones are drawn


@given(INSTANTS)
def test_every_instant_reads_back_as_itself(instant: datetime) -> None:
    assert parse_instant(rfc3339(instant)) == instant


@given(INSTANTS, INSTANTS)
def test_the_text_sorts_as_the_instants_do(one: datetime, other: datetime) -> None:
    assert (rfc3339(one) < rfc3339(other)) == (one < other)


@given(INSTANTS)
def test_the_text_has_one_shape(instant: datetime) -> None:
    text = rfc3339(instant)
    assert len(text) == len("2026-11-23T12:00:00.000000Z")
    assert text.endswith("Z")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23t12:00:00z",
        "2026-11-23 12:00:00Z",
        "2026-11-23T12:00:00.000Z",
        "2026-11-23T12:00:00.000000000Z",
        "2026-11-23T13:30:00+01:30",
        "2026-11-23T12:00:00-00:00",
    ],
)
def test_every_spelling_of_rfc_3339_is_read(text: str) -> None:
    assert parse_instant(text) == NOON
    assert parse_instant(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T12:00:00",
        "2026-11-23T12Z",
        "2026-11-23T12:00Z",
        "20261123T120000Z",
        "2026-W48-1T12:00:00Z",
        "2026-11-23T12:00:00,5Z",
        "2026-11-23T12:00:00+01",
        "2026-11-23T12:00:00+0100",
        "2026-11-23T12:00:00+01:00:30",
        "2026-11-23T12:00:00 Z",
        "2026-11-23T12:00:00Z\n",
        "2026-11-23T25:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-11-23T12:00:61Z",
        "٢٠٢٦-11-23T12:00:00Z",
        "1764000000",
        "now",
    ],
)
def test_what_is_no_instant_of_rfc_3339_is_refused(text: str) -> None:
    with pytest.raises(InvalidInstant):
        parse_instant(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-00:01"])
def test_a_zone_that_moves_an_instant_out_of_the_calendar_ends_no_run(text: str) -> None:
    with pytest.raises(InvalidInstant, match="years 1 to 9999"):
        parse_instant(text)


def test_an_instant_that_cannot_be_said_in_utc_is_not_written() -> None:
    with pytest.raises(InvalidInstant):
        rfc3339(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))))
    with pytest.raises(InvalidInstant, match="without a zone"):
        rfc3339(datetime(2026, 11, 23))  # noqa: DTZ001 - that is the point


def test_the_first_centuries_keep_four_digits() -> None:
    assert rfc3339(datetime(7, 1, 2, tzinfo=UTC)) == "0007-01-02T00:00:00.000000Z"


@given(st.text(max_size=40))
def test_arbitrary_text_is_an_instant_or_refused(text: str) -> None:
    try:
        assert parse_instant(text).tzinfo is UTC
    except InvalidInstant as problem:
        assert problem.code == "instant-invalid"  # noqa: PT017 - both ways out are right
