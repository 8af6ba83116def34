"""Identity tokens as a client reads them, and whose token is taken when there are several."""

from __future__ import annotations

import pickle
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tokens import NOW, jwt_of

from chainward.trust.ambient import MAX_TOKEN, IdentityToken, ambient_token
from chainward.trust.errors import IdentityTokenMissing, IdentityTokenUnobtainable, IdentityTokenUnusable


@dataclass
class Source:
    """A source that gives what it was made with."""

    name: str
    text: str | None = None
    fails: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def is_present(self) -> bool:
        return self.text is not None or self.fails

    def obtain(self, audience: str) -> str:
        self.asked.append(audience)
        if self.text is None:
            raise IdentityTokenUnobtainable("the endpoint is gone")
        return self.text


def test_a_token_tells_who_issued_it_and_whom_it_is_about() -> None:
    token = IdentityToken.parse(f"  {jwt_of(sub='repo:shop/web')}\n")
    assert (token.issuer, token.subject, token.email) == ("https://issuer.example", "repo:shop/web", None)
    assert token.challenge == "repo:shop/web"
    assert token.reveal() == jwt_of(sub="repo:shop/web")


def test_the_challenge_is_the_email_address_if_the_token_has_one() -> None:
    token = IdentityToken.parse(jwt_of(email="jane@example.org", email_verified=True))
    assert token.challenge == token.email == "jane@example.org"


def test_a_token_of_a_federation_names_the_issuer_behind_it() -> None:
    token = IdentityToken.parse(jwt_of(federated_claims={"connector_id": "https://accounts.example"}))
    assert token.connector == "https://accounts.example"
    assert IdentityToken.parse(jwt_of(federated_claims="odd")).connector is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "token",
        "a.b",
        "a.b.c.d",
        "a.!.c",
        "a.bm90IGpzb24.c",
        "a.W10.c",
        "a." + "A" * MAX_TOKEN + ".c",
        jwt_of(iss=None),
        jwt_of(sub=None),
        jwt_of(sub=""),
        jwt_of(sub=["x"]),
        jwt_of(sub="x" * 3000),
        jwt_of(exp=None),
        jwt_of(exp="soon"),
        jwt_of(exp=True),
        jwt_of(exp=1e300),
        jwt_of(exp=-1),
        jwt_of(email=7, email_verified=True),
    ],
)
def test_what_is_no_identity_token_is_sent_to_nobody(text: str) -> None:
    with pytest.raises(IdentityTokenUnusable):
        IdentityToken.parse(text)


@pytest.mark.parametrize("verified", [None, False, "false", "yes", 1.5])
def test_an_unverified_email_address_is_not_signed_with(verified: Any) -> None:
    with pytest.raises(IdentityTokenUnusable, match="not verified"):
        IdentityToken.parse(jwt_of(email="victim@example.org", email_verified=verified))


@given(text=st.text(max_size=200) | st.binary(max_size=200).map(lambda data: f"a.{data.hex()}.c"))
def test_any_text_is_a_token_or_a_problem(text: str) -> None:
    with suppress(IdentityTokenUnusable):  # and nothing else
        IdentityToken.parse(text)


def test_an_expired_token_is_refused_before_it_is_sent() -> None:
    token = IdentityToken.parse(jwt_of(expires=NOW))
    token.check_time(NOW - timedelta(seconds=1))
    with pytest.raises(IdentityTokenUnusable, match=r"expired at 2026-11-23T12:00:00\.000000Z"):
        token.check_time(NOW)


def test_a_token_shows_itself_in_no_log_no_traceback_and_no_pickle() -> None:
    secret = jwt_of(sub="very-secret")
    token = IdentityToken.parse(secret)
    assert secret not in f"{token} {token!r}"
    with pytest.raises(TypeError):
        pickle.dumps(token)
    endless = jwt_of(exp=None)
    with pytest.raises(IdentityTokenUnusable) as caught:
        IdentityToken.parse(endless)
    shown = "".join(traceback.format_exception(caught.value)) + str(caught.value.details)
    assert not any(part in shown for part in endless.split("."))


def test_the_first_source_that_is_present_gives_the_token() -> None:
    first, second = Source("first", jwt_of(sub="one")), Source("second", jwt_of(sub="two"))
    token = ambient_token([Source("absent"), first, second], audience="chain", now=NOW)
    assert token.subject == "one"
    assert (first.asked, second.asked) == (["chain"], [])


def test_a_source_that_fails_is_not_replaced_by_another_identity() -> None:
    with pytest.raises(IdentityTokenUnobtainable, match="gone"):
        ambient_token([Source("broken", fails=True), Source("other", jwt_of())], audience="sigstore", now=NOW)


def test_an_expired_ambient_token_is_not_replaced_by_another_identity() -> None:
    stale, other = Source("stale", jwt_of(expires=NOW - timedelta(hours=1))), Source("other", jwt_of())
    with pytest.raises(IdentityTokenUnusable):
        ambient_token([stale, other], audience="sigstore", now=NOW)
    assert other.asked == []


def test_without_any_identity_the_error_says_where_one_was_looked_for() -> None:
    with pytest.raises(IdentityTokenMissing, match="one, two"):
        ambient_token([Source("one"), Source("two")], audience="sigstore", now=NOW)
