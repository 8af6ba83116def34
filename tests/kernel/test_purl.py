"""Package URLs: the examples of the standard, its traps, and agreement with an independent implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from chainward.kernel.problem import Kind
from chainward.kernel.purl import InvalidPurl, Purl

CANONICAL = [
    "pkg:pypi/requests@2.32.5",
    "pkg:npm/%40angular/core@20.0.0",
    "pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64&distro=bookworm",
    "pkg:maven/org.example/widget@1.0?classifier=sources&type=jar",
    "pkg:golang/example.org/module@v1.2.3#pkg/sub",
    "pkg:generic/openssl@3.0.15?checksum=sha256:1f2e%2Csha1:ab",
    "pkg:generic/a%20b@%E2%82%AC",
    "pkg:oci/web@sha256:244fd47e07d1004f0aed9c156aa09083c82bf8944eceb67c946ff7430510a77b",
    "pkg:swid/Example@1.0?tag_id=75b8c285-fa7b-485b-b199-4745e3004d0d",
    "pkg:unheardof/Name@V1",
]


@pytest.mark.parametrize("text", CANONICAL)
def test_a_canonical_purl_reads_back_as_itself(text: str) -> None:
    assert str(Purl.parse(text)) == text


@pytest.mark.parametrize(
    ("loose", "canonical"),
    [
        ("PKG:PyPI/Django_Rest@1.0RC1", "pkg:pypi/django-rest@1.0rc1"),
        ("pkg://npm/left-pad@1.3.0", "pkg:npm/left-pad@1.3.0"),
        ("pkg:///npm//left-pad", "pkg:npm/left-pad"),
        ("pkg:npm/@angular/core", "pkg:npm/%40angular/core"),
        ("pkg:npm/@angular/core@20.0.0", "pkg:npm/%40angular/core@20.0.0"),
        ("pkg:deb/Debian/Attr@2.4.47-2+b1", "pkg:deb/debian/attr@2.4.47-2%2Bb1"),
        ("pkg:maven/a/b?type=jar&classifier=", "pkg:maven/a/b?type=jar"),
        ("pkg:maven/a/b?Type=jar", "pkg:maven/a/b?type=jar"),
        ("pkg:maven/a/b?z=1&a=2", "pkg:maven/a/b?a=2&z=1"),
        ("pkg:golang/a/b#/x//./y/../", "pkg:golang/a/b#x/y"),
        ("pkg:pub/Flutter-Map", "pkg:pub/flutter_map"),
        ("pkg:huggingface/org/Model@ABCDEF", "pkg:huggingface/org/Model@abcdef"),
        ("pkg:mlflow/Fraud@3?repository_url=adb-1.azuredatabricks.net", None),
    ],
)
def test_a_loosely_written_purl_is_read_into_its_canonical_form(loose: str, canonical: str | None) -> None:
    expected = canonical or "pkg:mlflow/fraud@3?repository_url=adb-1.azuredatabricks.net"
    assert str(Purl.parse(loose)) == expected
    assert Purl.parse(loose) == Purl.parse(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "requests@2.32.5",
        "pkg",
        "pkg:",
        "pkg:pypi",
        "pkg:pypi/",
        "pkg:pypi/@1.0",
        "pkg:maven/org.example/@1.0",
        "pkg%3Apypi/requests",
        "purl:pypi/requests",
        "pkg:3d/thing",
        "pkg:n&m/thing",
        "pkg:npm/thing?in%20production=yes",
        "pkg:npm/thing?a=1&a=2",
        "pkg:npm/thing?A=1&a=2",
        "pkg:npm/thing?1a=x",
        "pkg:npm/a%2Fb/thing",
        "pkg:golang/a/b#x%2Fy",
        "pkg:npm/thing@%zz",
        "pkg:npm/thing@%",
        "pkg:npm/thing@%ff",
        "pkg:pypi/namespace/thing",
        "pkg:deb/curl@7",
        "pkg:cpan/LWP::UserAgent",
        "pkg:julia/Example@1.0",
        "pkg:chrome-extension/short@1.0",
        "pkg:npm/" + "a" * 9000,
    ],
)
def test_what_is_not_a_purl_is_refused_with_one_code(text: str) -> None:
    with pytest.raises(InvalidPurl) as caught:
        Purl.parse(text)
    assert caught.value.code == "purl-invalid"
    assert caught.value.kind is Kind.INVALID


def test_the_parts_are_decoded_and_absent_parts_are_empty() -> None:
    purl = Purl.parse("pkg:npm/%40angular/core@20.0.0?vcs_url=git:%2F%2Fhost%2Frepo#dist/core.js")
    assert (purl.type, purl.namespace, purl.name, purl.version) == ("npm", "@angular", "core", "20.0.0")
    assert purl.qualifier("vcs_url") == "git://host/repo"
    assert purl.qualifier("arch") == ""
    assert purl.subpath == "dist/core.js"
    assert Purl.parse("pkg:npm/core").version == ""


def test_building_applies_the_rules_of_the_type() -> None:
    purl = Purl.build(type="DEB", namespace="Debian", name="LibC6", version="2.36-9", qualifiers={"arch": "amd64"})
    assert str(purl) == "pkg:deb/debian/libc6@2.36-9?arch=amd64"


def test_a_purl_made_from_bare_components_is_canonical_too() -> None:
    assert Purl("pypi", "", "Typing_Extensions") == Purl.parse("pkg:pypi/typing-extensions")


def test_a_lone_surrogate_cannot_be_smuggled_into_a_purl() -> None:
    with pytest.raises(InvalidPurl):
        Purl.build(type="npm", name="\ud800")


def test_a_purl_cannot_be_made_longer_than_one_that_can_be_read() -> None:
    with pytest.raises(InvalidPurl, match="8192"):
        Purl.build(type="npm", name="a", version="1" * 9000)


def test_purls_order_as_their_text_does() -> None:
    texts = sorted(CANONICAL)
    assert [str(purl) for purl in sorted(map(Purl.parse, CANONICAL))] == texts


def test_the_package_itself_has_no_version_but_keeps_what_identifies_it() -> None:
    assert str(Purl.parse("pkg:deb/debian/curl@7?arch=amd64").without_version()) == "pkg:deb/debian/curl"
    assert str(Purl.parse("pkg:julia/Dates@1?uuid=ade2").without_version()) == "pkg:julia/Dates?uuid=ade2"


_segment = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=12).filter(
    lambda text: text not in {".", ".."} and text.strip()
)
# packageurl-python trims white space and treats "?" and "#" inside parts as separators; those are left out below.
_visible = st.text(
    st.characters(codec="utf-8", exclude_characters="/?#@", exclude_categories=("Z", "C")), min_size=1, max_size=12
).filter(lambda text: text not in {".", ".."})
_key = st.from_regex(r"[a-z][a-z0-9._-]{0,8}", fullmatch=True).filter(lambda key: key != "checksum")


@st.composite
def _purls(draw: st.DrawFn, segment: st.SearchStrategy[str] = _segment) -> Purl:
    return Purl.build(
        type=draw(st.sampled_from(["generic", "npm", "conan", "docker", "unheardof", "golang", "deb", "maven"])),
        namespace="/".join(draw(st.lists(segment, min_size=1, max_size=3))),
        name=draw(segment),
        version=draw(st.one_of(st.none(), segment)),
        qualifiers=draw(st.dictionaries(_key, segment, max_size=3)),
        subpath="/".join(draw(st.lists(segment, max_size=3))),
    )


@given(_purls())
def test_every_purl_survives_writing_and_reading(purl: Purl) -> None:
    again = Purl.parse(str(purl))
    assert again == purl
    assert (again.type, again.namespace, again.name, again.version) == (
        purl.type,
        purl.namespace,
        purl.name,
        purl.version,
    )
    assert (again.qualifiers, again.subpath) == (purl.qualifiers, purl.subpath)


@given(_purls())
def test_the_canonical_text_uses_only_the_permitted_characters(purl: Purl) -> None:
    text = str(purl)
    assert text.isascii()
    assert all(character.isalnum() or character in ".-_~%:/@?=&#" for character in text)


@given(_purls(_visible))
def test_another_implementation_reads_the_same_parts(purl: Purl) -> None:
    other = PackageURL.from_string(str(purl))
    folds = str.lower if purl.type == "npm" else str  # it still folds npm names, which are case-sensitive by now
    assert (other.type, folds(other.namespace or "")) == (purl.type, folds(purl.namespace))
    assert folds(other.name) == folds(purl.name)
    assert (other.version or "") == purl.version
    assert other.qualifiers == dict(purl.qualifiers)


@given(st.text(max_size=80) | st.text(alphabet="pkg:/@?=&#%.ab1", max_size=40).map(lambda tail: "pkg:npm/" + tail))
def test_arbitrary_text_is_a_purl_or_a_coded_problem(text: str) -> None:
    try:
        purl = Purl.parse(text)
    except InvalidPurl:
        return
    assert Purl.parse(str(purl)) == purl
