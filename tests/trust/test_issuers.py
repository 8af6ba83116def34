"""Who may vouch for identities: exact URLs, wildcards, domains."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainward.trust.errors import IssuerInvalid, IssuerUntrusted
from chainward.trust.issuers import Issuer, Issuers, IssuerType, is_loopback
from chainward.trust.providers import ready_providers

CIRCLE = "https://oidc.circleci.com/org/*"
EKS = "https://oidc.eks.*.amazonaws.com/id/*"


def email(url: str, **more: Any) -> Issuer:
    return Issuer(url=url, type=IssuerType.EMAIL, **more)


def test_an_issuer_is_found_by_its_exact_url() -> None:
    issuers = Issuers([email("https://a.example.org"), email("https://b.example.org", audience="ours")])
    assert issuers.find("https://b.example.org").audience == "ours"


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example.org/",
        "https://a.example.org.evil.test",
        "https://a.example.org@evil.test",
        "https://a.example.orgx",
        "xhttps://a.example.org",
        "http://a.example.org",
        "https://A.example.org",
        "https://a.example.org ",
        "https://a.example.org\n",
        "",
    ],
)
def test_issuer_prefix_trick(url: str) -> None:
    with pytest.raises(IssuerUntrusted):
        Issuers([email("https://a.example.org")]).find(url)


def test_a_wildcard_stands_for_one_word() -> None:
    issuers = Issuers([email(CIRCLE), email(EKS)])
    assert issuers.find("https://oidc.circleci.com/org/a1-B_2").url == CIRCLE
    assert issuers.find("https://oidc.eks.eu-west-1.amazonaws.com/id/ABC").url == EKS


@pytest.mark.parametrize(
    "url",
    [
        "https://oidc.circleci.com/org/",
        "https://oidc.circleci.com/org/a/b",
        "https://oidc.circleci.com/org/a.b",
        "https://oidc.circleci.com/org/a%2Fb",
        "https://oidc.circleci.com/org/a?x=1",
        "https://oidc.circleci.com/org/a#x",
        "https://oidc.circleci.com/org/é",
        "https://oidc.circleci.com/org/a\n",
        "https://oidc.circleci.com/org/" + "a" * 600,
        "https://oidc.eks.evil.test/.amazonaws.com/id/A",
        "https://oidc.eks.evil.test#.amazonaws.com/id/A",
        "https://oidcxeks.eu.amazonaws.com/id/A",
    ],
)
def test_wildcard_trick(url: str) -> None:
    with pytest.raises(IssuerUntrusted):
        Issuers([email(CIRCLE), email(EKS)]).find(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/https://oidc.eks.eu.amazonaws.com/id/A",
        "https://oidc.eks.eu.amazonaws.com/id/A.evil.test",
        "https://oidc.eks.eu.amazonaws.com/id/A/../../evil",
        "xhttps://oidc.eks.eu.amazonaws.com/id/A",
        "https://oidc.eks.eu.amazonaws.com/id/A\nhttps://evil.test",
    ],
)
def test_ghsa_59jp_pj84_45mr_unanchored_wildcards_do_not_match_inside_a_longer_url(url: str) -> None:
    with pytest.raises(IssuerUntrusted):
        Issuers([email(EKS)]).find(url)


@given(st.text(min_size=1, max_size=12))
def test_whatever_a_wildcard_takes_holds_no_separator(part: str) -> None:
    taken = email(EKS).is_of(f"https://oidc.eks.{part}.amazonaws.com/id/A")
    word = part.replace("-", "").replace("_", "")
    assert taken == (part.isascii() and (not word or word.isalnum()))


def test_an_exact_issuer_wins_over_a_wildcard_and_the_first_wildcard_over_the_second() -> None:
    exact = email("https://oidc.circleci.com/org/ours", audience="exact")
    issuers = Issuers(
        [email(CIRCLE, audience="first"), email("https://oidc.circleci.com/*/*", audience="second"), exact]
    )
    assert issuers.find("https://oidc.circleci.com/org/ours").audience == "exact"
    assert issuers.find("https://oidc.circleci.com/org/theirs").audience == "first"


@pytest.mark.parametrize(
    "url",
    [
        "login.example.org",
        "ftp://login.example.org",
        "http://login.example.org",
        "http://10.0.0.1",
        "https://",
        "https://user@login.example.org",
        "https://login.example.org?x=1",
        "https://login.example.org#x",
        "https://login.example.org:0",
        "https://login.example.org:99999",
        "https://login.example.org/\u00e9",
        "https://" + "a" * 600,
        "https://[::1",
    ],
)
def test_what_is_no_protected_url_cannot_be_an_issuer(url: str) -> None:
    with pytest.raises(IssuerInvalid):
        email(url)


@pytest.mark.parametrize(
    "url", ["https://*", "https://*.com", "https://login.*", "https://a.*.org", "https://a.b*.org"]
)
def test_a_wildcard_that_leaves_a_whole_domain_open_cannot_be_an_issuer(url: str) -> None:
    with pytest.raises(IssuerInvalid):
        email(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/dex", "http://localhost:5556", "http://[::1]:1/x"])
def test_without_tls_an_issuer_is_on_this_machine(url: str) -> None:
    assert Issuers([email(url)]).find(url).url == url


def test_loopback_is_recognized_by_address_and_not_by_looks() -> None:
    assert is_loopback("127.8.8.8")
    assert not is_loopback("127.0.0.1.evil.test")
    assert not is_loopback("localhost.evil.test")
    assert not is_loopback(None)


@pytest.mark.parametrize(
    ("type_", "more"),
    [
        (IssuerType.SPIFFE, {}),
        (IssuerType.EMAIL, {"spiffe_trust_domain": "example.org"}),
        (IssuerType.CI_PROVIDER, {}),
        (IssuerType.EMAIL, {"provider": ready_providers()["github"]}),
        (IssuerType.URI, {}),
        (IssuerType.USERNAME, {}),
        (IssuerType.EMAIL, {"subject_domain": "example.org"}),
        (IssuerType.KUBERNETES, {"issuer_claim": "$.a"}),
        (IssuerType.KUBERNETES, {"skip_email_verification": True}),
        (IssuerType.EMAIL, {"issuer_claim": "federated.connector"}),
        (IssuerType.EMAIL, {"issuer_claim": "$.a[0]"}),
        (IssuerType.EMAIL, {"challenge_claim": "two words"}),
        (IssuerType.EMAIL, {"audience": ""}),
        (IssuerType.EMAIL, {"audience": "a\nb"}),
        (IssuerType.EMAIL, {"key_hosts": ("Keys.example.org",)}),
        (IssuerType.EMAIL, {"key_hosts": ("https://keys.example.org",)}),
        (IssuerType.EMAIL, {"ca_certificate": "/etc/ca.pem"}),
        (IssuerType.SPIFFE, {"spiffe_trust_domain": "spiffe://example.org"}),
        (IssuerType.SPIFFE, {"spiffe_trust_domain": "Example.org"}),
        (IssuerType.URI, {"subject_domain": "example.org"}),
        (IssuerType.URI, {"subject_domain": "https://example.org/path"}),
        (IssuerType.URI, {"subject_domain": "https://example.com"}),
        (IssuerType.USERNAME, {"subject_domain": "https://example.org"}),
        (IssuerType.USERNAME, {"subject_domain": "example.com"}),
        (IssuerType.USERNAME, {"subject_domain": "notexample.org"}),
    ],
)
def test_settings_that_do_not_belong_together_are_refused(type_: IssuerType, more: dict[str, Any]) -> None:
    with pytest.raises(IssuerInvalid):
        Issuer(url="https://login.example.org", type=type_, **more)


@pytest.mark.parametrize("domain", ["https://example.org", "https://ci.example.org:8443", "http://example.org"])
def test_subjects_may_live_anywhere_in_the_second_level_domain_of_their_issuer(domain: str) -> None:
    issuer = Issuer(url="https://login.example.org", type=IssuerType.URI, subject_domain=domain)
    assert issuer.challenge == "sub"


def test_an_issuer_twice_is_refused() -> None:
    with pytest.raises(IssuerInvalid, match="twice"):
        Issuers([email("https://a.example.org"), email("https://a.example.org", audience="other")])


def test_the_challenge_is_the_email_for_email_and_the_subject_for_all_others() -> None:
    assert email("https://a.example.org").challenge == "email"
    assert email("https://a.example.org", challenge_claim="sub").challenge == "sub"
    assert Issuer(url="https://a.example.org", type=IssuerType.KUBERNETES).challenge == "sub"
