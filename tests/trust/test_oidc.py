"""Identity tokens before and after their signature is believed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trust.identities import NOW, FakeIssuer, segment

from chainward.trust.errors import TokenInvalid, TokenMalformed
from chainward.trust.oidc import LEEWAY, MAX_TOKEN, check_claims, read_token

ISSUER = FakeIssuer()
SECOND = timedelta(seconds=1)


def check(**claims: Any) -> None:
    usual = {"iss": ISSUER.url, "aud": "sigstore", "exp": NOW.timestamp() + 300, "iat": NOW.timestamp()}
    members = {name: value for name, value in (usual | claims).items() if value is not None}
    check_claims(members, issuer=ISSUER.url, audience="sigstore", now=NOW)


def test_a_token_is_taken_apart_without_being_believed() -> None:
    token = read_token(ISSUER.token(sub="jane"))
    assert (token.issuer, token.algorithm, token.key_id) == (ISSUER.url, "RS256", "key-1")
    assert token.claims["sub"] == "jane"


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", None, 7, ["RS256"], "RS256 ", "rs256"], ids=repr
)
def test_alg_none(algorithm: object) -> None:
    for signature in ("", "x"):
        with pytest.raises(TokenMalformed):
            read_token(f"{segment({'alg': algorithm})}.{segment({'iss': ISSUER.url})}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512", "ES256K", "RSA-OAEP", "dir", "A256GCM"])
def test_algorithms_that_are_not_on_the_list_are_refused(algorithm: str) -> None:
    with pytest.raises(TokenMalformed, match="not accepted"):
        read_token(f"{segment({'alg': algorithm})}.{segment({'iss': ISSUER.url})}.eA")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        "..",
        "ey J.e30.eA",
        "e30=.e30.eA",
        "e30.e30.eA\n",
        "e.e30.eA",
        "bm90anNvbg.e30.eA",
        "W10.e30.eA",
        "e30.W10.eA",
        "e30.e30.eA",
        "\u043530.e30.eA",
    ],
)
def test_what_is_no_signed_token_is_refused(text: str) -> None:
    with pytest.raises(TokenMalformed):
        read_token(text)


def test_a_token_of_any_size_costs_nothing() -> None:
    with pytest.raises(TokenMalformed, match="longer than"):
        read_token("a" * (MAX_TOKEN + 1))


def test_a_deeply_nested_token_is_refused() -> None:
    deep: Any = {}
    for _ in range(20):
        deep = {"a": deep}
    with pytest.raises(TokenMalformed, match="nested"):
        read_token(f"{segment({'alg': 'RS256'})}.{segment({'iss': ISSUER.url, 'x': deep})}.eA")


@pytest.mark.parametrize("key_id", ["", 7, ["a"], "k" * 300])
def test_a_key_id_is_a_short_text(key_id: object) -> None:
    with pytest.raises(TokenMalformed, match="key id"):
        read_token(ISSUER.token(header={"kid": key_id}))


@pytest.mark.parametrize("header", [{"crit": ["b64"], "b64": False}, {"crit": []}, {"crit": ["exp"]}, {"b64": False}])
def test_a_token_that_demands_an_extension_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(TokenMalformed, match="extension"):
        read_token(ISSUER.token(header=header))


@pytest.mark.parametrize("issuer", [None, "", 7, ["https://login.example.org"]])
def test_a_token_of_nobody_is_refused(issuer: object) -> None:
    with pytest.raises(TokenMalformed, match="who issued"):
        read_token(FakeIssuer(more={"iss": issuer}).token())


@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,20}"))
def test_any_text_is_a_token_or_malformed(text: str) -> None:
    with pytest.raises(TokenMalformed):
        read_token(text)


def test_a_token_for_us_that_is_valid_now_is_believed() -> None:
    check()
    check(aud=["other", "sigstore"])
    check(iat=None)


@pytest.mark.parametrize(
    "audience", [None, "", "sigstor", "sigstore2", "SIGSTORE", ["other"], [], {}, 7, {"sigstore": 1}]
)
def test_wrong_aud(audience: object) -> None:
    with pytest.raises(TokenInvalid, match="not for sigstore"):
        check(aud=audience)


@pytest.mark.parametrize("issuer", [None, ISSUER.url + "/", ISSUER.url + ".evil.test", "", 7])
def test_a_token_of_another_issuer_is_refused(issuer: object) -> None:
    with pytest.raises(TokenInvalid, match="another issuer"):
        check(iss=issuer)


@pytest.mark.parametrize("expiry", [None, "never", True, -1, 1e300, [], 2**70])
def test_a_token_that_never_expires_is_refused(expiry: object) -> None:
    with pytest.raises(TokenInvalid, match="exp"):
        check(exp=expiry)


def test_clocks_may_differ_a_little_and_no_more() -> None:
    check(exp=(NOW - LEEWAY + SECOND).timestamp())
    with pytest.raises(TokenInvalid, match="expired"):
        check(exp=(NOW - LEEWAY).timestamp())
    for name in ("nbf", "iat"):
        check(**{name: (NOW + LEEWAY).timestamp()})
        with pytest.raises(TokenInvalid, match="not valid yet"):
            check(**{name: (NOW + LEEWAY + SECOND).timestamp()})
        with pytest.raises(TokenInvalid, match=name):
            check(**{name: "soon"})
