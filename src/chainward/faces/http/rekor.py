"""The signature log in the shape of Rekor v2 (rekor-tiles ``POST /api/v2/log/entries``), and its trusted root.

An entry is answered with 201 and a protobuf-JSON TransparencyLogEntry, after a durable checkpoint covers it. Anybody
may submit: clients of Sigstore send no token, a valid signature is all that the log asks for, and strangers in it are
worth seeing. Against floods stand the size of a request and the length of the queue (503).

This is the hottest route of the platform, so a request of the usual size is answered within the event loop: its
signature is checked there, and many requests share one durable write. Larger ones, and those with kinds of keys that
are slow to verify, are checked in a thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from chainward.faces.http.answers import JSON, Answer
from chainward.faces.http.routes import Public, Route
from chainward.formats.bundle import encode_log_entry
from chainward.formats.rekor import ECDSA_P256_SHA256, MAX_ENVELOPE_REQUEST, MAX_REQUEST, decode_entry_request
from chainward.kernel.problem import Problem
from chainward.ledger.errors import LogFrozen
from chainward.trust.rekor import Submission, checked_body

if TYPE_CHECKING:
    from chainward.faces.http.requests import Call
    from chainward.ledger.model import Receipt
    from chainward.trust.model import TrustedLog
    from chainward.trust.rekor import Rekor

__all__ = ["routes"]

_QUICK: Final = frozenset({ECDSA_P256_SHA256, "PKIX_RSA_PKCS1V15_2048_SHA256", "PKIX_RSA_PKCS1V15_3072_SHA256"})
_OPEN: Final = Public("clients of Sigstore send no token, and any valid signature may be logged")
_SUMMARY: Final = "Log a signature (hashedrekord 0.0.2, or a DSSE envelope as such); answers with its inclusion proof."


class _Desk:
    """Takes entries, and brings the answers of the ledger back into the event loop they are awaited in."""

    def __init__(self) -> None:
        self._mailbox: _Mailbox | None = None

    async def submit(self, call: Call) -> Answer:
        """Log a signature in the active shard."""
        rekor = call.platform.rekor
        body = await _checked(call.body)
        try:
            return await self._append(rekor, rekor.log, body)
        except LogFrozen:
            return await self._append(rekor, await to_thread.run_sync(rekor.renewed), body)

    async def submit_to_shard(self, call: Call) -> Answer:
        """Log a signature in the shard that the path names."""
        shard = await to_thread.run_sync(call.platform.shards.signature_log, call.path["origin"])
        return await self._append(call.platform.rekor, shard, await _checked(call.body))

    async def _append(self, rekor: Rekor, log: TrustedLog, body: bytes) -> Answer:
        loop = asyncio.get_running_loop()
        if self._mailbox is None or self._mailbox.loop is not loop:
            self._mailbox = _Mailbox(loop)
        waiting: asyncio.Future[Receipt | Problem] = loop.create_future()
        submission = Submission(log, body)
        rekor.begin(submission, partial(self._mailbox.put, waiting))
        answer = await waiting
        if isinstance(answer, Problem):
            raise answer
        return Answer(encode_log_entry(rekor.finish(submission, answer)), 201, JSON)


class _Mailbox:
    """Brings answers from other threads into an event loop: it is woken once for all that came since it looked last."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._answers: deque[tuple[asyncio.Future[Receipt | Problem], Receipt | Problem]] = deque()
        self._called = False

    def put(self, waiting: asyncio.Future[Receipt | Problem], answer: Receipt | Problem) -> None:
        """Let the loop answer; for any thread."""
        self._answers.append((waiting, answer))
        if not self._called:  # else the loop has yet to look, and takes off the mark before it does
            self._called = True
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                self.loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        self._called = False
        while self._answers:
            waiting, answer = self._answers.popleft()
            if not waiting.done():  # the client went away meanwhile
                waiting.set_result(answer)


async def _checked(data: bytes) -> bytes:
    """Return the leaf for a request whose signature holds."""
    if len(data) > MAX_REQUEST:
        return await to_thread.run_sync(_checked_in_thread, data)
    request = decode_entry_request(data)
    if request.key_details in _QUICK:
        return checked_body(request)
    return await to_thread.run_sync(checked_body, request)


def _checked_in_thread(data: bytes) -> bytes:
    return checked_body(decode_entry_request(data))


def routes() -> tuple[Route, ...]:
    """Return the routes that append to the signature log."""
    desk = _Desk()
    return (
        Route(
            "POST",
            "/api/v2/log/entries",
            _OPEN,
            desk.submit,
            _SUMMARY,
            gives="TransparencyLogEntry (protobuf-JSON)",
            media_types=("application/json",),
            limit=MAX_ENVELOPE_REQUEST,
            in_loop=True,
            sigstore=True,
        ),
        Route(
            "POST",
            "/log/{origin}/api/v2/log/entries",
            _OPEN,
            desk.submit_to_shard,
            "The same for one shard; 405 once it is frozen.",
            gives="TransparencyLogEntry (protobuf-JSON)",
            media_types=("application/json",),
            limit=MAX_ENVELOPE_REQUEST,
            in_loop=True,
            sigstore=True,
        ),
    )
