"""What a route answers: bytes with a status, a media type and headers; nothing is streamed here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Send

__all__ = ["IMMUTABLE", "JSON", "NO_STORE", "Answer", "json_answer", "no_content", "send_answer"]

JSON: Final = "application/json"
IMMUTABLE: Final = "public, max-age=31536000, immutable"
NO_STORE: Final = "no-store"
_ENCODER: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Return ``value`` (a wire struct, or plain lists, mappings, texts and numbers) as JSON."""
    return Answer(_ENCODER.encode(value), status, JSON, headers or {})


def no_content() -> Answer:
    """Return an empty answer."""
    return Answer(b"", 204, "")


async def send_answer(answer: Answer, send: Send, *, head: bool = False) -> None:
    """Send an answer; for HEAD its headers only."""
    headers = [(b"content-length", str(len(answer.body)).encode())] if answer.status not in {204, 304} else []
    if answer.media_type:
        headers.append((b"content-type", answer.media_type.encode("latin-1")))
    headers += [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})
