"""Large bodies of people without a token: how many of them are held at a time."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from chainward.faces.http import endpoint
from chainward.faces.http.app import create_app

if TYPE_CHECKING:
    from starlette.types import Message
    from tests.platforms import TestPlatform

PATH = "/api/v2/log/entries"
LARGE = 4 * 1024 * 1024


class Sender:
    """A request whose body begins and does not end until it is let go."""

    def __init__(self, length: int | None = LARGE, path: str = PATH) -> None:
        headers = [(b"content-type", b"application/json")]
        self.headers = headers if length is None else [*headers, (b"content-length", str(length).encode())]
        self.path = path
        self.begun = asyncio.Event()
        self.gone = asyncio.Event()
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if not self.begun.is_set():
            self.begun.set()
            return {"type": "http.request", "body": b"{", "more_body": True}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def ask(self, app: Any) -> dict[str, Any]:
        scope = {
            "type": "http",
            "method": "POST",
            "path": self.path,
            "headers": self.headers,
            "query_string": b"",
            "scheme": "http",
        }
        await app(scope, self.receive, self.send)
        body = b"".join(message.get("body", b"") for message in self.sent[1:])
        return {"status": self.sent[0]["status"], **json.loads(body)}


@pytest.mark.parametrize("length", [LARGE, None], ids=["declared", "chunked"])
def test_slow_large_bodies_of_strangers_do_not_fill_the_memory(desk: TestPlatform, length: int | None) -> None:
    async def flood() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        app = create_app(desk.platform)
        slow = [Sender(length) for _ in range(endpoint._LARGE_AT_A_TIME)]
        under_way = [asyncio.create_task(each.ask(app)) for each in slow]
        for each in slow:
            await each.begun.wait()
        refused = await Sender(length).ask(app)
        small = Sender(100)
        small.gone.set()
        passed = await small.ask(app)
        for each in slow:
            each.gone.set()
        await asyncio.gather(*under_way)
        again = Sender(length)
        again.gone.set()
        return refused, passed, await again.ask(app)

    refused, passed, again = asyncio.run(flood())
    assert (refused["status"], refused["details"][0]["reason"]) == (503, "body-too-many")
    assert [each["details"][0]["reason"] for each in (passed, again)] == ["request-truncated"] * 2


def test_a_body_that_is_too_large_for_its_path_takes_no_place(desk: TestPlatform) -> None:
    answer = asyncio.run(Sender(LARGE, "/api/v2/signingCert").ask(create_app(desk.platform)))
    assert answer["details"][0]["reason"] == "body-too-large"
