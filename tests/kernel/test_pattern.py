"""Patterns: matching, covering, overlapping; held against a second implementation over regular expressions."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.kernel.pattern import covers, matches, overlap

PATTERNS = (
    st.lists(st.sampled_from(["a", "b", "/", "*", "**"]), max_size=7)
    .map("".join)
    .filter(lambda text: "***" not in text)
)
TEXTS = st.text("ab/", max_size=9)


def oracle(pattern: str, text: str) -> bool:
    parts = re.split(r"(\*\*|\*)", pattern)
    known = {"**": ".*", "*": "[^/]*"}
    return re.fullmatch("".join(known.get(part, re.escape(part)) for part in parts), text, re.DOTALL) is not None


@given(PATTERNS, TEXTS)
def test_matching_agrees_with_regular_expressions(pattern: str, text: str) -> None:
    assert matches(pattern, text) == oracle(pattern, text)


@given(PATTERNS, PATTERNS, TEXTS)
def test_a_pattern_that_covers_another_matches_all_that_the_other_matches(wide: str, narrow: str, text: str) -> None:
    if covers(wide, narrow) and oracle(narrow, text):
        assert oracle(wide, text)


@given(PATTERNS, PATTERNS, TEXTS)
def test_two_patterns_that_match_one_text_overlap(one: str, other: str, text: str) -> None:
    if oracle(one, text) and oracle(other, text):
        assert overlap(one, other)
        assert overlap(other, one)


@given(PATTERNS, PATTERNS)
def test_patterns_that_overlap_are_overlapped_by_everything(one: str, other: str) -> None:
    assert overlap(one, one)
    assert covers("**", one)
    assert overlap(one, other) == overlap(other, one)


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("**", "shop/*", True),
        ("shop/**", "shop/web", True),
        ("shop/**", "shop/*/api", True),
        ("shop/*", "shop/web-*", True),
        ("shop/*", "shop/**", False),
        ("shop/*", "shop/web/api", False),
        ("shop/**", "shop", False),
        ("shop/**", "shopping/web", False),
        ("shop/web", "shop/*", False),
    ],
)
def test_covering_is_told_for_the_patterns_people_write(wide: str, narrow: str, expected: bool) -> None:  # noqa: FBT001
    assert covers(wide, narrow) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("shop/*-web", "shop/front-*", True),
        ("shop/*", "*/web", True),
        ("shop/**", "shop", False),
        ("shop/*", "shop/web/api", False),
        ("prod", "prod-*", False),
    ],
)
def test_overlapping_is_told_for_the_patterns_people_write(one: str, other: str, expected: bool) -> None:  # noqa: FBT001
    assert overlap(one, other) is expected


def test_a_hostile_text_cannot_make_a_match_slow() -> None:
    started = time.process_time()
    assert not matches("**a**a**a**a**a**a**a**b", "a" * 4000)
    assert time.process_time() - started < 0.5
