"""Names of repositories, tags and images: the grammar of OCI distribution-spec 1.1.1, and nothing near it."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import digests, repository_names, tags

from chainward.kernel.digest import Digest, InvalidDigest
from chainward.kernel.name import ImageName, InvalidName, RepositoryName, RepositoryPattern, Tag
from chainward.kernel.problem import Problem

# As the specification prints them ("Pulling manifests").
NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
REFERENCE = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
NEAR = st.text("ab0._-/:@A \n", max_size=12)
DIGEST = Digest.of(b"")


@given(NEAR)
def test_a_repository_is_what_the_specifications_own_expression_says(text: str) -> None:
    expected = NAME.fullmatch(text) is not None
    try:
        RepositoryName(text)
    except InvalidName:
        assert not expected
    else:
        assert expected


@given(NEAR)
def test_a_tag_is_what_the_specifications_own_expression_says(text: str) -> None:
    expected = REFERENCE.fullmatch(text) is not None
    try:
        Tag(text)
    except InvalidName:
        assert not expected
    else:
        assert expected


@pytest.mark.parametrize(
    "text", ["", "a" * 256, "a//b", "/a", "a/", "A", "a__", "a___b", "a..b", "a_-b", "../etc", "a/../b", "a\n", "ä"]
)
def test_a_name_that_could_lead_elsewhere_is_no_repository(text: str) -> None:
    with pytest.raises(InvalidName):
        RepositoryName(text)


@pytest.mark.parametrize("text", ["a---b", "a__b", "a.b_c-d/0", "a" * 255])
def test_all_separators_of_the_grammar_are_allowed(text: str) -> None:
    assert str(RepositoryName(text)) == text


@pytest.mark.parametrize("text", ["", ".a", "-a", "a" * 129, "a/b", "a:b", "a@b", "a\n", "ä"])
def test_what_is_no_tag_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        Tag(text)


HOSTS = st.sampled_from(["", "reg.example", "localhost", "reg.example:5000", "10.0.0.1:80", "[::1]:5000", "x:1"])


@given(HOSTS, repository_names(), st.none() | tags(), st.none() | digests())
def test_an_image_name_reads_back_as_itself(
    host: str, repository: RepositoryName, tag: Tag | None, digest: Digest | None
) -> None:
    tag = tag or (None if digest else Tag("latest"))
    name = ImageName(host, repository, tag, digest)
    text = str(name)
    first = text.partition("/")[0]
    if not host and "/" in text and "." in first:
        return  # a first component with a full stop is a host to everybody
    assert ImageName.parse(text) == name


def test_a_name_with_neither_tag_nor_digest_is_latest_and_one_with_a_digest_is_not() -> None:
    assert ImageName.parse("web").tag == Tag("latest")
    assert ImageName.parse(f"web@{DIGEST}").tag is None
    assert ImageName.parse(f"web:1@{DIGEST}").tag == Tag("1")


@pytest.mark.parametrize(
    ("text", "host", "repository"),
    [
        ("shop/web", "", "shop/web"),
        ("localhost/web", "localhost", "web"),
        ("reg.example/web", "reg.example", "web"),
        ("reg:5000/web", "reg", "web"),
        ("[::1]/web", "[::1]", "web"),
        ("reg/web:5000", "", "reg/web"),
    ],
)
def test_host_and_repository_are_told_apart_as_runtimes_do(text: str, host: str, repository: str) -> None:
    name = ImageName.parse(text)
    assert (name.host.partition(":")[0] if not host.startswith("[") else name.host, str(name.repository)) == (
        host,
        repository,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        ":",
        "/",
        "web:",
        "web@",
        "web@sha256:00",
        f"web@{DIGEST}@{DIGEST}",
        f"@{DIGEST}",
        "web:a:b",
        "Web",
        "Shop/web",
        "reg.example/",
        "reg.example//web",
        "https://reg.example/web",
        "user:pass@reg.example/web",
        "reg.example:port/web",
        "reg.example:123456/web",
        "web:1 ",
        " web",
        "web\n",
        "reg.exämple/web",
        "../web",
        "-.example/web",
        "a..b/web",
        ".a/web",
        "web:../../x",
    ],
)
def test_what_is_no_image_name_is_refused_with_a_code(text: str) -> None:
    with pytest.raises((InvalidName, InvalidDigest)):
        ImageName.parse(text)


@given(st.text("ab0._-/:@[]sha256 ", max_size=40))
def test_arbitrary_text_is_an_image_name_or_a_coded_problem(text: str) -> None:
    try:
        name = ImageName.parse(text)
    except Problem:
        return
    assert ImageName.parse(str(name)) == name


def test_pinning_drops_the_tag_so_that_nobody_resolves_it_again() -> None:
    pinned = ImageName.parse("reg.example/web:1").pinned(DIGEST)
    assert str(pinned) == f"reg.example/web@{DIGEST}"


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("shop/*", "shop/web", "shop/web/api"),
        ("shop/**", "shop/web/api", "shop"),
        ("**", "a/b/c", None),
        ("*", "web", "shop/web"),
        ("**/web", "a/b/web", "web"),
        ("shop/web", "shop/web", "shop/webs"),
        ("shop-*/web", "shop-eu/web", "shop/web"),
    ],
)
def test_a_pattern_covers_what_it_says_and_no_neighbour(pattern: str, matching: str, other: str | None) -> None:
    found = RepositoryPattern(pattern)
    assert str(found) == pattern
    assert found.matches(RepositoryName(matching))
    assert other is None or not found.matches(RepositoryName(other))


@pytest.mark.parametrize("text", ["", "***", "a***", "*a*b*c*d*", "A", "a b", "a" * 256, "a\n", "a?", "[a]"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        RepositoryPattern(text)


def test_a_hostile_name_is_refused_in_no_time() -> None:
    start = time.process_time()
    for text in ("a-" * 100_000, "a" * 1_000_000 + "!", "a/" * 100_000, ("a" + "-" * 60) * 4):
        with pytest.raises(InvalidName):
            RepositoryName(text)
    assert time.process_time() - start < 1
