"""The client of services: bounded, patient for a while, and never led elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.loopback import served

from chainward.adapters.exchange import (
    Exchange,
    ServiceAddressInvalid,
    ServiceAnswerUnexpected,
    ServiceUnreachable,
    is_on_this_machine,
)

if TYPE_CHECKING:
    from tests.loopback import Reply

LIMIT = 1000


def exchange(pauses: list[float] | None = None, seconds: float = 20.0) -> Exchange:
    return Exchange(seconds=seconds, pause=(pauses if pauses is not None else []).append)


def test_an_answer_of_any_status_comes_back_with_its_media_type() -> None:
    with served((418, {"Content-Type": "Text/Plain; charset=x"}, b"tea")) as (url, script), exchange() as client:
        answer = client.ask("POST", f"{url}/pot?secret=1", limit=LIMIT, body=b"in", headers={"X-One": "1"})
    assert (answer.status, answer.media_type, answer.content) == (418, "text/plain", b"tea")
    assert answer.url == f"{url}/pot"
    [asked] = script.asked
    assert (asked.method, asked.path, asked.body, asked.headers["x-one"]) == ("POST", "/pot?secret=1", b"in", "1")
    assert asked.headers["accept-encoding"] == "identity"


def test_a_service_without_time_is_asked_again_ever_later_until_it_answers() -> None:
    pauses: list[float] = []
    busy: Reply = (503, {}, b"")
    with served(busy, (429, {}, b""), busy, (200, {}, b"done")) as (url, script), exchange(pauses) as client:
        assert client.ask("POST", url, limit=LIMIT, body=b"x").content == b"done"
    assert [each.body for each in script.asked] == [b"x"] * 4
    assert pauses == [0.25, 0.5, 1.0]


def test_a_service_that_says_when_to_come_back_is_left_alone_that_long() -> None:
    pauses: list[float] = []
    replies: list[Reply] = [(503, {"Retry-After": "3"}, b""), (503, {"Retry-After": "soon"}, b""), (200, {}, b"")]
    with served(*replies) as (url, _), exchange(pauses) as client:
        client.ask("GET", url, limit=LIMIT)
    assert pauses == [3.0, 0.5]


def test_a_service_that_never_has_time_is_given_up() -> None:
    pauses: list[float] = []
    with served((503, {}, b"")) as (url, script), exchange(pauses) as client:
        with pytest.raises(ServiceUnreachable, match="no time now"):
            client.ask("GET", url, limit=LIMIT)
        assert len(script.asked) == 5
    pauses.clear()
    with (
        served((503, {"Retry-After": "9999"}, b"")) as (url, script),
        exchange(pauses, 5) as client,
        pytest.raises(ServiceUnreachable),
    ):
        client.ask("GET", url, limit=LIMIT)
    assert pauses == []


@pytest.mark.parametrize("location", ["http://127.0.0.2:1/", "/elsewhere", "//localhost/"])
def test_a_redirect_to_another_place_gets_nothing_of_what_was_sent(location: str) -> None:
    with served((307, {"Location": location}, b"")) as (url, script), exchange() as client:
        with pytest.raises(ServiceAnswerUnexpected, match="elsewhere"):
            client.ask("POST", url, limit=LIMIT, body=b"token")
        assert len(script.asked) == 1


def test_an_oversized_answer_is_not_read_to_its_end() -> None:
    with served((200, {}, b"x" * (LIMIT + 1))) as (url, _), exchange() as client:
        with pytest.raises(ServiceAnswerUnexpected, match="more than 1000 bytes"):
            client.ask("GET", url, limit=LIMIT)
        assert client.ask("GET", url, limit=LIMIT + 1).content == b"x" * (LIMIT + 1)


def test_an_answer_that_decompresses_to_anything_is_refused() -> None:
    with (
        served((200, {"Content-Encoding": "gzip"}, b"bomb")) as (url, _),
        exchange() as client,
        pytest.raises(ServiceAnswerUnexpected, match="compressed"),
    ):
        client.ask("GET", url, limit=LIMIT)


def test_an_answer_that_breaks_off_is_no_answer() -> None:
    with (
        served((200, {"Content-Length": "50", "Connection": "close"}, b"half")) as (url, _),
        exchange(seconds=2) as client,
        pytest.raises((ServiceUnreachable, ServiceAnswerUnexpected)),
    ):
        client.ask("GET", url, limit=LIMIT)


def test_nobody_at_the_address_is_unreachable() -> None:
    with exchange() as client, pytest.raises(ServiceUnreachable, match=r"127\.0\.0\.1:9"):
        client.ask("GET", "http://127.0.0.1:9", limit=LIMIT)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "127.0.0.1",
        "http://",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1/#part",
        "http://127.0.0.1/\x1b[2K",
        "http://ca.example/",
        "http://127.0.0.1.example/",
        "http://lоcalhost/",  # noqa: RUF001 - that is the point
    ],
)
def test_an_address_that_is_none_or_unencrypted_is_not_asked_and_no_secret_in_it_repeated(url: str) -> None:
    with exchange() as client, pytest.raises(ServiceAddressInvalid) as caught:
        client.ask("GET", url, limit=LIMIT)
    assert "secret" not in caught.value.message


def test_plain_http_to_others_is_for_those_who_were_told() -> None:
    with Exchange(unencrypted=True, seconds=1) as client, pytest.raises(ServiceUnreachable):
        client.ask("GET", "http://chainward.invalid./", limit=LIMIT)


def test_a_ca_bundle_that_is_none_is_named(tmp_path: object) -> None:
    with Exchange(certificate_authority=f"{tmp_path}/none.pem") as client, pytest.raises(ServiceAddressInvalid):
        client.ask("GET", "https://127.0.0.1:9/", limit=LIMIT)


@pytest.mark.parametrize(
    ("host", "ours"),
    [("localhost", True), ("127.8.8.8", True), ("::1", True), ("10.0.0.1", False), ("localhost.example", False)],
)
def test_only_this_machine_is_this_machine(host: str, *, ours: bool) -> None:
    assert is_on_this_machine(host) is ours
