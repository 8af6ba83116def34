"""Whom a verified token names, for every type of issuer, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from cryptography import x509
from hypothesis import example, given
from hypothesis import strategies as st
from tests.trust.identities import GITHUB, GITHUB_CLAIMS

from chainward.formats.fulcio import decode_username
from chainward.trust.errors import IdentityRefused
from chainward.trust.issuers import Issuer, IssuerType
from chainward.trust.principal import Principal, SubjectKind, VerifiedToken, principal_of
from chainward.trust.providers import ready_providers

LOGIN = "https://login.example.org"


def named(claims: dict[str, Any], type_: IssuerType = IssuerType.EMAIL, **more: Any) -> Principal:
    issuer = Issuer(url=LOGIN, type=type_, **more)
    return principal_of(VerifiedToken(issuer, LOGIN, claims))


def by_email(**claims: Any) -> Principal:
    return named({"sub": "1234", "email": "jane@example.org", "email_verified": True} | claims)


def by_uri(subject: str) -> Principal:
    return named({"sub": subject}, IssuerType.URI, subject_domain="https://ci.example.org")


def by_username(subject: str) -> Principal:
    return named({"sub": subject}, IssuerType.USERNAME, subject_domain="example.org")


def by_spiffe(subject: str) -> Principal:
    return named({"sub": subject}, IssuerType.SPIFFE, spiffe_trust_domain="example.org")


def by_kubernetes(subject: str = "system:serviceaccount:shop:builder", **claims: Any) -> Principal:
    usual = {"sub": subject, "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "builder", "uid": "1"}}}
    return named(usual | claims, IssuerType.KUBERNETES)


def test_an_email_is_an_email_and_is_its_own_challenge() -> None:
    found = by_email()
    assert (found.subject, found.kind, found.challenge) == ("jane@example.org", SubjectKind.EMAIL, "jane@example.org")
    assert found.claims == {"issuer": LOGIN, "token_subject": "1234"}
    assert found.subject_name == x509.RFC822Name("jane@example.org")


@pytest.mark.parametrize("verified", [False, None, "true", 1, "false", []], ids=repr)
def test_unverified_email(verified: object) -> None:
    with pytest.raises(IdentityRefused, match="not verified"):
        by_email(email_verified=verified)


def test_an_operator_may_believe_unverified_addresses() -> None:
    claims = {"sub": "1", "email": "jane@example.org"}
    assert named(claims, skip_email_verification=True).subject == "jane@example.org"


@pytest.mark.parametrize(
    "address",
    [
        "jane",
        "@example.org",
        "jane@",
        "jane@example.org\n",
        "jane@example.org, root@example.org",
        "Jane <jane@example.org>",
        "jane@exa mple.org",
        "jäne@example.org",
        "jane@exämple.org",
        "jane\x00@example.org",
        '"jane"@example.org',
        "jane@evil@example.org",
        "a" * 65 + "@example.org",
        "jane@" + "a" * 260,
        "",
        7,
        None,
        ["jane@example.org"],
    ],
)
def test_what_is_no_plain_address_is_refused(address: object) -> None:
    with pytest.raises(IdentityRefused):
        by_email(email=address)


def test_a_broker_may_say_who_really_vouched() -> None:
    claims = {"sub": "1", "email": "jane@example.org", "email_verified": True}
    path = "$.federated_claims.connector_id"
    found = named(claims | {"federated_claims": {"connector_id": "https://github.com/login/oauth"}}, issuer_claim=path)
    assert found.issuer == "https://github.com/login/oauth"
    wrongs: list[dict[str, Any]] = [
        {},
        {"federated_claims": "x"},
        {"federated_claims": {"connector_id": 7}},
        {"federated_claims": {}},
    ]
    for wrong in wrongs:
        with pytest.raises(IdentityRefused, match="who vouched"):
            named(claims | wrong, issuer_claim=path)


def test_a_uri_lives_at_the_scheme_and_host_of_its_domain() -> None:
    found = by_uri("https://ci.example.org/web?x=1")
    assert found.subject_name == x509.UniformResourceIdentifier("https://ci.example.org/web?x=1")
    assert found.challenge == "https://ci.example.org/web?x=1"


@pytest.mark.parametrize(
    "subject",
    [
        "https://ci.example.org.evil.test/web",
        "https://ci.example.org@evil.test/web",
        "https://evil.test/https://ci.example.org/web",
        "http://ci.example.org/web",
        "https://ci.example.org:8443/web",
        "https://CI.example.org/web",
        "//ci.example.org/web",
        "web",
        "https://ci.example.org/a b",
        "https://ci.example.org/\n",
        "https://ci.example.org/é",
        "https://[::1",
        "",
    ],
)
def test_subjects_of_other_domains_are_refused(subject: str) -> None:
    with pytest.raises(IdentityRefused):
        by_uri(subject)


def test_a_user_name_belongs_to_its_domain() -> None:
    found = by_username("jane")
    name = found.subject_name
    assert isinstance(name, x509.OtherName)
    assert decode_username(name) == found.subject == "jane!example.org"
    assert found.challenge == "jane"


@pytest.mark.parametrize("name", ["jane@evil.test", "jane!evil.test", "jane doe", "jane\t", "a" * 300, ""])
def test_a_user_name_that_could_be_taken_for_another_domains_is_refused(name: str) -> None:
    with pytest.raises(IdentityRefused):
        by_username(name)


def test_a_spiffe_id_belongs_to_its_trust_domain() -> None:
    assert by_spiffe("spiffe://example.org/ns/shop/sa/web").subject == "spiffe://example.org/ns/shop/sa/web"


@pytest.mark.parametrize(
    "subject",
    [
        "spiffe://example.org",
        "spiffe://example.org/",
        "spiffe://example.org.evil.test/x",
        "spiffe://example.orgx/x",
        "spiffe://evil.test/example.org/x",
        "spiffe://example.org/a/../b",
        "spiffe://example.org/./b",
        "spiffe://example.org//b",
        "spiffe://example.org/b/",
        "spiffe://example.org/b?x",
        "spiffe://example.org/b%20c",
        "SPIFFE://example.org/b",
        "spiffe://example.org:1/b",
        "x spiffe://example.org/b",
    ],
)
def test_what_is_no_spiffe_id_of_the_domain_is_refused(subject: str) -> None:
    with pytest.raises(IdentityRefused):
        by_spiffe(subject)


def test_a_service_account_is_known_by_namespace_and_name() -> None:
    found = by_kubernetes()
    assert found.subject == "https://kubernetes.io/namespaces/shop/serviceaccounts/builder"
    assert found.challenge == found.claims["token_subject"] == "system:serviceaccount:shop:builder"


@pytest.mark.parametrize(
    "claims",
    [
        {"kubernetes.io": None},
        {"kubernetes.io": "shop"},
        {"kubernetes.io": {"namespace": "shop"}},
        {"kubernetes.io": {"namespace": "shop", "serviceaccount": "builder"}},
        {"kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "builder"}}},
        {"kubernetes.io": {"namespace": "shop/serviceaccounts/root", "serviceaccount": {"name": "builder"}}},
        {"kubernetes.io": {"namespace": 7, "serviceaccount": {"name": "builder"}}},
        {"sub": "system:serviceaccount:shop:other"},
        {"sub": "jane"},
    ],
)
def test_a_token_that_contradicts_itself_about_its_service_account_is_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(IdentityRefused):
        by_kubernetes(**claims)


def test_a_ci_job_is_named_by_its_provider_and_challenged_by_its_subject() -> None:
    issuer = Issuer(url=GITHUB, type=IssuerType.CI_PROVIDER, provider=ready_providers()["github"])
    found = principal_of(VerifiedToken(issuer, GITHUB, GITHUB_CLAIMS))
    assert found.subject == found.claims["build_signer_uri"]
    assert (found.issuer, found.challenge) == (GITHUB, "repo:acme/shop:ref:refs/heads/main")


@pytest.mark.parametrize(
    ("branch", "written"),
    [("größe", "gr%C3%B6%C3%9Fe"), ("a b", "a%20b"), ("50%", "50%25"), ("a%20b", "a%2520b"), ('"<x>', "%22%3Cx%3E")],
)
def test_a_branch_of_any_name_becomes_a_uri(branch: str, written: str) -> None:
    issuer = Issuer(url=GITHUB, type=IssuerType.CI_PROVIDER, provider=ready_providers()["github"])
    claims = GITHUB_CLAIMS | {"job_workflow_ref": f"acme/shop/w.yml@refs/heads/{branch}"}
    found = principal_of(VerifiedToken(issuer, GITHUB, claims))
    assert found.subject == f"https://github.com/acme/shop/w.yml@refs/heads/{written}"
    assert isinstance(found.subject_name, x509.UniformResourceIdentifier)


@given(st.tuples(st.text(max_size=12), st.text(max_size=12)))
@example(("größe", "gr%C3%B6%C3%9Fe"))
@example(("a b", "a%20b"))
@example(("50%", "50%25"))
def test_a_branch_that_spells_out_another_ones_uri_is_not_taken_for_it(branches: tuple[str, str]) -> None:
    issuer = Issuer(url=GITHUB, type=IssuerType.CI_PROVIDER, provider=ready_providers()["github"])
    found = []
    for branch in branches:
        claims = GITHUB_CLAIMS | {"job_workflow_ref": f"acme/shop/w.yml@refs/heads/{branch}"}
        with suppress(IdentityRefused):
            found.append(principal_of(VerifiedToken(issuer, GITHUB, claims)).subject)
    assert branches[0] == branches[1] or len(set(found)) == len(found)


@pytest.mark.parametrize("text", ["a\nb", "a\x00b", "x" * 3000, "\ud800"])
def test_a_claim_that_cannot_stand_in_a_certificate_is_refused(text: str) -> None:
    issuer = Issuer(url=GITHUB, type=IssuerType.CI_PROVIDER, provider=ready_providers()["github"])
    for claim in ("workflow", "job_workflow_ref"):
        with pytest.raises(IdentityRefused):
            principal_of(VerifiedToken(issuer, GITHUB, GITHUB_CLAIMS | {claim: text}))


def test_another_claim_may_be_the_challenge_and_must_then_be_there() -> None:
    claims = {"sub": "1234", "email": "jane@example.org", "email_verified": True, "nick": "jj"}
    assert named(claims, challenge_claim="nick").challenge == "jj"
    with pytest.raises(IdentityRefused, match="nickname"):
        named(claims, challenge_claim="nickname")


@pytest.mark.parametrize("subject", [None, "", 7, ["a"], "x" * 3000])
def test_a_token_without_a_subject_is_refused(subject: object) -> None:
    with pytest.raises(IdentityRefused, match="sub"):
        by_email(sub=subject)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
CLAIM = st.sampled_from(["sub", "email", "email_verified", "kubernetes.io", "repository", "job_workflow_ref", "ref"])


@given(st.sampled_from(IssuerType), st.dictionaries(CLAIM, JSON))
def test_whatever_a_token_says_there_is_a_principal_or_a_refusal(type_: IssuerType, claims: dict[str, Any]) -> None:
    more: dict[IssuerType, dict[str, Any]] = {
        IssuerType.CI_PROVIDER: {"provider": ready_providers()["github"]},
        IssuerType.SPIFFE: {"spiffe_trust_domain": "example.org"},
        IssuerType.URI: {"subject_domain": LOGIN},
        IssuerType.USERNAME: {"subject_domain": "example.org"},
    }
    issuer = Issuer(url=LOGIN, type=type_, **more.get(type_, {}))
    for known in ({}, GITHUB_CLAIMS):
        try:
            found = principal_of(VerifiedToken(issuer, LOGIN, known | claims))
        except IdentityRefused:
            continue
        assert found.subject
        assert found.challenge
        assert found.subject_name is not None
