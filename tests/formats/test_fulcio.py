"""What a Fulcio certificate says about who signed."""

from __future__ import annotations

from typing import cast

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from hypothesis import given
from hypothesis import strategies as st

from chainward.formats.errors import Malformed, Unwritable
from chainward.formats.fulcio import (
    CLAIMS,
    ISSUER,
    LEGACY_ISSUER,
    MAX_CLAIM,
    USERNAME,
    decode_claims,
    decode_username,
    encode_claims,
    encode_username,
)

ARC = "1.3.6.1.4.1.57264.1."
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=60)


def extension(arc: int, value: bytes) -> x509.Extension[x509.ExtensionType]:
    identifier = x509.ObjectIdentifier(f"{ARC}{arc}")
    unrecognized = x509.UnrecognizedExtension(identifier, value)
    return x509.Extension(identifier, critical=False, value=cast("x509.ExtensionType", unrecognized))


def listed(claims: dict[str, str]) -> list[x509.Extension[x509.ExtensionType]]:
    return [
        x509.Extension(value.oid, critical=False, value=cast("x509.ExtensionType", value))
        for value in encode_claims(claims)
    ]


@given(st.dictionaries(st.sampled_from(sorted(CLAIMS)), TEXT))
def test_claims_read_back_as_they_were_written(claims: dict[str, str]) -> None:
    assert decode_claims(listed(claims)) == claims


def test_every_identifier_from_2_to_24_but_the_subject_name_is_a_claim() -> None:
    arcs = sorted(int(identifier.dotted_string.removeprefix(ARC)) for identifier in CLAIMS.values())
    assert arcs == [2, 3, 4, 5, 6, *range(8, 25)]
    assert USERNAME.dotted_string == f"{ARC}7"


def test_the_issuer_is_written_bare_for_old_clients_and_as_a_string_for_new_ones() -> None:
    old, new = encode_claims({ISSUER: "https://ci.example"})
    assert (old.oid, old.value) == (LEGACY_ISSUER, b"https://ci.example")
    assert (new.oid.dotted_string, new.value) == (f"{ARC}8", b"\x0c\x12https://ci.example")


def test_the_old_github_extensions_are_bare_text() -> None:
    [written] = encode_claims({"github_workflow_ref": "refs/heads/main"})
    assert (written.oid.dotted_string, written.value) == (f"{ARC}6", b"refs/heads/main")


def test_a_certificate_with_the_old_issuer_only_still_has_an_issuer() -> None:
    assert decode_claims([extension(1, b"https://ci.example")]) == {ISSUER: "https://ci.example"}


def test_two_issuers_that_differ_are_refused() -> None:
    with pytest.raises(Malformed, match="two issuers"):
        decode_claims([extension(1, b"https://one.example"), extension(8, asn1.encode_der("https://two.example"))])


@pytest.mark.parametrize(
    "found",
    [
        extension(8, b"https://bare.example"),
        extension(9, asn1.encode_der(b"octets")),
        extension(9, asn1.encode_der("text") + b"\x00"),
        extension(9, b"\x0c\x02\xff\xff"),
        extension(9, asn1.encode_der("x" * (MAX_CLAIM + 1))),
        extension(9, b"\x0c\x84\xff\xff\xff\xff" + b"x" * 4000),
        extension(2, b"\xff"),
        extension(2, b"x" * (MAX_CLAIM + 1)),
    ],
    ids=str,
)
def test_an_extension_that_is_not_its_text_is_refused(found: x509.Extension[x509.ExtensionType]) -> None:
    with pytest.raises(Malformed):
        decode_claims([found])


def test_every_truncation_of_a_claim_is_refused() -> None:
    value = asn1.encode_der("https://ci.example")
    for cut in range(len(value)):
        with pytest.raises(Malformed):
            decode_claims([extension(9, value[:cut])])


def test_extensions_of_others_are_passed_over() -> None:
    foreign = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\xff")
    usage = x509.BasicConstraints(ca=False, path_length=None)
    found: list[x509.Extension[x509.ExtensionType]] = [
        x509.Extension(foreign.oid, critical=False, value=cast("x509.ExtensionType", foreign)),
        x509.Extension(usage.oid, critical=True, value=cast("x509.ExtensionType", usage)),
    ]
    assert decode_claims(found) == {}


@pytest.mark.parametrize("value", ["", "a\nb", "a\x00b", "a\x7fb", "x" * (MAX_CLAIM + 1), "\ud800"])
def test_a_claim_that_could_hide_something_is_not_written(value: str) -> None:
    with pytest.raises(Unwritable):
        encode_claims({"build_trigger": value})


def test_an_unknown_claim_is_not_dropped_but_refused() -> None:
    with pytest.raises(Unwritable, match="colour"):
        encode_claims({"colour": "red"})


@given(TEXT)
def test_a_user_name_reads_back_as_it_was_written(name: str) -> None:
    assert decode_username(encode_username(name)) == name


def test_a_name_of_another_kind_is_no_user_name() -> None:
    other = x509.OtherName(x509.ObjectIdentifier("1.2.3"), asn1.encode_der("root!example.org"))
    with pytest.raises(Malformed, match="unknown kind"):
        decode_username(other)
    with pytest.raises(Malformed):
        decode_username(x509.OtherName(USERNAME, asn1.encode_der(5)))
