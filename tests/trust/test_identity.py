"""Identities: what a certificate says of who signed, and which identities a description means."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from tests.trust.sigstore_world import (
    ISSUER,
    SCT_LIST,
    SUBJECT,
    Extension,
    fulcio,
    leaf_extensions,
    new_key,
    root_holder,
    tlv,
    utf8,
)

from chainward.trust.errors import CertificateMalformed, IdentityPatternInvalid
from chainward.trust.identity import Identity, IdentityKind, IdentityMatch, identity_of

REPOSITORY = (("source_repository_uri", "https://git.example.test/shop/web"),)
OTHER = (("source_repository_uri", "https://git.example.test/shop"),)
SOMEBODY = Identity(SUBJECT, IdentityKind.URI, ISSUER, {"source_repository_uri": "https://git.example.test/shop/web"})


def certificate(extensions: list[Extension]) -> x509.Certificate:
    return root_holder().sign(x509.Name([]), new_key().public_key(), extensions)


def named(*names: x509.GeneralName) -> list[Extension]:
    others = [each for each in leaf_extensions() if not isinstance(each[0], x509.SubjectAlternativeName)]
    return [*others, (x509.SubjectAlternativeName(list(names)), True)]


def without(*arcs: int) -> list[Extension]:
    oids = {fulcio(arc, b"").oid for arc in arcs}
    return [each for each in leaf_extensions() if each[0].oid not in oids]


def test_subject_issuer_and_claims_are_read() -> None:
    found = identity_of(certificate(leaf_extensions(claims={12: "https://git.example.test/shop/web"})))
    assert (found.subject, found.kind, found.issuer) == (SUBJECT, IdentityKind.URI, ISSUER)
    assert found.claims["source_repository_uri"] == "https://git.example.test/shop/web"


def test_an_issuer_in_the_old_extension_alone_is_read() -> None:
    assert identity_of(certificate(without(8))).issuer == ISSUER


def test_a_user_name_is_a_subject() -> None:
    name = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), utf8("jane!example.test"))
    found = identity_of(certificate(named(name)))
    assert (found.subject, found.kind) == ("jane!example.test", IdentityKind.OTHER)


@pytest.mark.parametrize(
    "extensions",
    [
        named(),
        [each for each in leaf_extensions() if not isinstance(each[0], x509.SubjectAlternativeName)],
        named(x509.UniformResourceIdentifier(SUBJECT), x509.RFC822Name("jane@example.test")),
        named(x509.DNSName("example.test")),
        named(x509.OtherName(x509.ObjectIdentifier("1.2.3"), utf8("jane"))),
        named(x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), b"\x05\x00")),
        without(1, 8),
        [*without(8), (fulcio(8, b"not der"), False)],
        [*without(1), (fulcio(1, b"https://other.example.test"), False)],
        [*without(1), (fulcio(1, b"\xff\xfe"), False)],
    ],
)
def test_a_certificate_that_does_not_name_one_subject_and_one_issuer_is_refused(
    extensions: list[Extension],
) -> None:
    with pytest.raises(CertificateMalformed):
        identity_of(certificate(extensions))


def test_a_certificate_whose_extensions_cannot_be_read_is_refused() -> None:
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), tlv(0x30, b"\x99\x01"))
    others = [each for each in leaf_extensions() if not isinstance(each[0], x509.SubjectAlternativeName)]
    with pytest.raises(CertificateMalformed):
        identity_of(certificate([*others, (broken, True)]))
    assert SCT_LIST not in {each[0].oid for each in others}


@pytest.mark.parametrize(
    ("match", "means"),
    [
        ({"subject": SUBJECT, "issuer": ISSUER}, True),
        ({"subject": SUBJECT, "issuer": f"{ISSUER}/"}, False),
        ({"subject": SUBJECT.upper(), "issuer": ISSUER}, False),
        ({"subject": f"{SUBJECT}\n", "issuer": ISSUER}, False),
        ({"subject": SUBJECT[:-1] + ".", "issuer": ISSUER}, False),
        ({"subject_regex": ".*", "issuer_regex": ".*"}, True),
        ({"subject_regex": r"https://ci\.example\.test/.*", "issuer": ISSUER}, True),
        ({"subject_regex": r"^https://ci\.example\.test/.*$", "issuer": ISSUER}, True),
        ({"subject_regex": "ci.example.test", "issuer": ISSUER}, False),
        ({"subject_regex": "^https://ci", "issuer": ISSUER}, False),
        ({"subject_regex": "main$", "issuer": ISSUER}, False),
        ({"subject_regex": "https://ci|.*main", "issuer": ISSUER}, True),
        ({"subject_regex": "nobody|https://ci", "issuer": ISSUER}, False),
        ({"subject": SUBJECT, "issuer_regex": "https://issuer"}, False),
        ({"subject": SUBJECT, "issuer_regex": r"https://(issuer|other)\.example\.test"}, True),
        ({"subject": SUBJECT, "issuer": ISSUER, "claims": REPOSITORY}, True),
        ({"subject": SUBJECT, "issuer": ISSUER, "claims": OTHER}, False),
        ({"subject": SUBJECT, "issuer": ISSUER, "claims": (("build_trigger", "push"),)}, False),
    ],
)  # fmt: skip
def test_a_description_means_whole_subjects_and_whole_issuers(match: dict[str, Any], *, means: bool) -> None:
    assert IdentityMatch(**match).matches(SOMEBODY) is means


@pytest.mark.parametrize("suffix", ["\n", "\n.evil", "\x00", " ", ".evil.test", "?", "#"])
def test_no_ending_slips_past_the_end_of_a_pattern(suffix: str) -> None:
    """``$`` fits before a last line break, and ``.`` not every character: a pattern must fit all of the text."""
    for pattern in (re.escape(ISSUER), f"^{re.escape(ISSUER)}$", f"(?m)^{re.escape(ISSUER)}$"):
        match = IdentityMatch(subject_regex="(?s).*", issuer_regex=pattern)
        assert match.matches(Identity("x", IdentityKind.URI, ISSUER))
        assert not match.matches(Identity("x", IdentityKind.URI, ISSUER + suffix))


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_an_exact_text_means_itself_and_nothing_else(meant: str, found: str) -> None:
    match = IdentityMatch(subject=meant, issuer=meant)
    assert match.matches(Identity(found, IdentityKind.URI, found)) is (found == meant)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"subject": "x"},
        {"issuer": "x"},
        {"subject": "x", "subject_regex": "x", "issuer": "x"},
        {"subject": "x", "issuer": "x", "issuer_regex": "x"},
        {"subject": "", "issuer": "x"},
        {"subject_regex": "", "issuer": "x"},
        {"subject_regex": "(", "issuer": "x"},
        {"subject_regex": "*", "issuer": "x"},
        {"subject_regex": "x" * 1025, "issuer": "x"},
        {"subject": "x" * 4097, "issuer": "x"},
        {"subject": "x", "issuer": "x", "claims": (("a", "1"), ("a", "2"))},
        {"subject": "x", "issuer": "x", "claims": tuple((str(number), "") for number in range(33))},
    ],
)
def test_a_description_that_could_mean_more_than_was_meant_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(IdentityPatternInvalid):
        IdentityMatch(**given)
