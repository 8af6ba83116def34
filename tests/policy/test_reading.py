"""The parts beneath: trees with places, fields with expectations, ages, and the choice among statements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.kernel.name import RepositoryPattern
from chainward.policy.errors import PolicyInvalid
from chainward.policy.fields import Fields
from chainward.policy.model import Outcome
from chainward.policy.rules.declaration import Code, Judgement, failed, passed
from chainward.policy.rules.statements import listed, nearest
from chainward.policy.rules.times import SKEW, age_of, days
from chainward.policy.tree import Branch, Leaf, Many, Node, read_tree

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANTS = st.datetimes(timezones=st.just(UTC))
LIMITS = st.timedeltas(timedelta(hours=1), timedelta(days=4000))
CODES = (
    Code("x-good", Outcome.PASS, ""),
    Code("x-near", Outcome.FAIL, ""),
    Code("x-far", Outcome.FAIL, ""),
)


def tree(text: str) -> Node:
    return read_tree(text.encode())


def fields(text: str) -> Fields:
    return Fields(tree(text), "a thing", ("a", "b", "signers"))


def plain(node: Node) -> object:
    match node:
        case Leaf():
            return node.text
        case Many():
            return [plain(each) for each in node.items]
        case Branch():
            return {key: plain(value) for key, (_, value) in node.members.items()}


# Trees


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", "a"),
        ("'a'", "a"),
        ("[a, [b], {c: d}]", ["a", ["b"], {"c": "d"}]),
        ("a: 1\nb:\n  - x\n  - 'y: z'\n", {"a": "1", "b": ["x", "y: z"]}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("a: 'it''s' # comment", {"a": "it's"}),
        ('"\\u00e9": é', {"é": "é"}),
        ("%YAML 1.2\n---\na: b\n...\n", {"a": "b"}),
        ("\ufeffa: b", {"a": "b"}),
    ],
)
def test_yaml_is_read_without_guessing_types(text: str, value: object) -> None:
    assert plain(tree(text)) == value


def test_every_node_knows_its_place() -> None:
    node = tree("a: b\nlist:\n  - one\n  - {two: three}\n")
    assert isinstance(node, Branch)
    key, value = node.members["list"]
    assert (key.line, key.column) == (2, 1)
    assert isinstance(value, Many)
    assert [(each.line, each.column) for each in value.items] == [(3, 5), (4, 5)]


@pytest.mark.parametrize(("text", "plainly"), [("a", True), ("'a'", False), ('"a"', False), ("|\n  a", False)])
def test_quotes_are_remembered(text: str, plainly: bool) -> None:  # noqa: FBT001
    node = tree(text)
    assert isinstance(node, Leaf)
    assert node.plain is plainly


@pytest.mark.parametrize("depth", [16, 17])
def test_sixteen_levels_are_allowed_and_seventeen_are_not(depth: int) -> None:
    text = "[" * depth + "]" * depth
    if depth == 16:
        assert isinstance(tree(text), Many)
    else:
        with pytest.raises(PolicyInvalid, match="line 1, column 17: nested more than 16"):
            tree(text)


# Fields


@pytest.mark.parametrize(
    "word", ["null", "Null", "~", "true", "FALSE", "0", "-1", "1.5", "1e3", ".5", ".inf", "-.INF", ".nan", "1_000"]
)
def test_plain_words_that_yaml_takes_for_something_else_are_no_text(word: str) -> None:
    with pytest.raises(PolicyInvalid, match="put quotes around it"):
        fields(f"a: {word}").text("a")
    assert fields(f"a: '{word}'").text("a") == word


@pytest.mark.parametrize(
    "word", ["on", "yes", "no", "off", "y", "1.2.3", "v1", "nullable", "12h", "2026-11-23", "0x", "a b"]
)
def test_words_that_only_old_yaml_takes_for_something_else_are_text(word: str) -> None:
    assert fields(f"a: {word}").text("a") == word


@pytest.mark.parametrize("text", ["''", "' '", "'" + "x" * 1001 + "'"])
def test_text_has_one_to_a_thousand_characters(text: str) -> None:
    with pytest.raises(PolicyInvalid, match="1 to 1000 characters"):
        fields(f"a: {text}").text("a")


@pytest.mark.parametrize(
    ("text", "duration"), [("30d", timedelta(days=30)), ("'1h'", timedelta(hours=1)), ("9999d", timedelta(days=9999))]
)
def test_a_duration_is_days_or_hours(text: str, duration: timedelta) -> None:
    assert fields(f"a: {text}").duration("a") == duration
    assert fields("b: c").duration("a") is None


@pytest.mark.parametrize("text", ["30", "d", "0d", "-1d", "1.5d", "1w", "10000d", "1d1h", "[1d]", "1 d", "1D", "''"])
def test_another_duration_is_refused(text: str) -> None:
    with pytest.raises(PolicyInvalid, match="expected a duration"):
        fields(f"a: {text}").duration("a")


@pytest.mark.parametrize("text", ["007", "+7", "7.0", "7_0", "seven", "[7]", "0x7", "1e1", "'7'", "", "1234567890"])
def test_a_whole_number_has_one_spelling(text: str) -> None:
    with pytest.raises(PolicyInvalid, match="expected a whole number from 1 to 100"):
        fields(f"a: {text}").whole("a", 1, 100)


def test_whole_numbers_have_bounds_that_belong_to_them() -> None:
    assert [fields(f"a: {number}").whole("a", 1, 100) for number in (1, 100)] == [1, 100]
    for number in (0, 101):
        with pytest.raises(PolicyInvalid, match=f"found {number}"):
            fields(f"a: {number}").whole("a", 1, 100)


@pytest.mark.parametrize("signer", ["release", "ci-*", "'*'", "a.b_c-1", f"key:{'0' * 64}"])
def test_who_signs_is_a_name_a_pattern_or_a_key(signer: str) -> None:
    assert fields(f"signers: [{signer}]").signers() == (signer.strip("'"),)


@pytest.mark.parametrize(
    "signer", ["'**'", "A", "'a b'", "key:12", f"key:{'F' * 64}", f"key:{'0' * 65}", "é", "a/b", "x" * 65]
)
def test_what_cannot_be_a_signer_is_refused(signer: str) -> None:
    with pytest.raises(PolicyInvalid, match="expected the name of a signer"):
        fields(f"signers: [{signer}]").signers()


def test_a_value_that_another_reader_refuses_is_refused_at_its_place() -> None:
    with pytest.raises(PolicyInvalid, match="line 3, column 5: 'Upper' is not a repository pattern"):
        fields("a:\n  - lower\n  - Upper\n").parsed("a", RepositoryPattern)


def test_a_list_has_at_most_256_items() -> None:
    assert len(fields(f"a: [{', '.join(f'x{n}' for n in range(256))}]").texts("a")) == 256
    with pytest.raises(PolicyInvalid, match="found a list of 257"):
        fields(f"a: [{', '.join(f'x{n}' for n in range(257))}]").texts("a")


def test_a_key_that_was_not_declared_cannot_be_asked_for() -> None:
    with pytest.raises(KeyError):
        fields("a: b").text("c")


# Ages


@given(INSTANTS, INSTANTS, LIMITS)
def test_an_age_is_judged_at_every_time_and_says_when_that_changes(
    instant: datetime, now: datetime, limit: timedelta
) -> None:
    age = age_of(instant, now, limit)
    assert age.too_old == (now - instant >= limit)
    assert age.ahead == (instant - now > SKEW)
    if age.flips_at is not None:
        assert age.flips_at > now
        after = age_of(instant, age.flips_at, limit)
        assert (after.too_old, after.ahead) != (age.too_old, age.ahead)


@given(INSTANTS, INSTANTS, LIMITS)
def test_what_is_too_old_stays_so(instant: datetime, now: datetime, limit: timedelta) -> None:
    age = age_of(instant, now, limit)
    assert (age.flips_at is None) == (
        age.too_old or (not age.ahead and datetime.max.replace(tzinfo=UTC) - limit < instant)
    )


@pytest.mark.parametrize(
    ("duration", "words"),
    [(DAY, "1 day"), (2 * DAY, "2 days"), (90 * DAY, "90 days"), (DAY / 2, "12 hours"), (DAY * 1.5, "36 hours")],
)
def test_durations_are_told_in_days_or_hours(duration: timedelta, words: str) -> None:
    assert days(duration) == words


# The choice among statements


def test_the_nearest_of_several_refusals_is_told() -> None:
    far, near = failed("x-far", "far", "step"), failed("x-near", "near", "step")
    assert nearest([far, near, far], CODES) == near


def test_whatever_passes_is_chosen_and_what_lasts_longest_at_that() -> None:
    short, long, ever = (passed("x-good", "good", until) for until in (NOW + DAY, NOW + 2 * DAY, None))
    assert nearest([failed("x-near", "near", "step"), short], CODES) == short
    assert nearest([short, long], CODES) == long
    assert nearest([short, ever, long], CODES) == ever


def test_a_refusal_flips_as_soon_as_any_statement_does() -> None:
    soon, later = failed("x-far", "far", "s", NOW + DAY), failed("x-near", "near", "s", NOW + 2 * DAY)
    assert nearest([later, soon], CODES).flips_at == NOW + DAY
    assert nearest([later, soon], CODES).code == "x-near"


def test_an_ending_that_no_declaration_knows_is_told_last() -> None:
    odd = Judgement(Outcome.ERROR, "check-error", "odd")
    far = failed("x-far", "far", "step")
    assert nearest([odd, far], CODES) == far
    assert nearest([odd], CODES) == odd


@given(st.permutations([failed("x-far", "b", "s"), failed("x-far", "a", "s"), failed("x-far", "c", "s", NOW)]))
def test_the_choice_depends_on_no_order(judgements: list[Judgement]) -> None:
    assert nearest(judgements, CODES).message == "a" or nearest(judgements, CODES).message == "c"
    assert nearest(judgements, CODES) == nearest(sorted(judgements, key=lambda each: each.message), CODES)


@pytest.mark.parametrize(("words", "sentence"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_words_are_listed_as_in_a_sentence(words: list[str], sentence: str) -> None:
    assert listed(words) == sentence
