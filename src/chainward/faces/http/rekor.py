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
from contextlib import suppress
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

__all__ = ["ROUTES"]

_QUICK: Final = frozenset({ECDSA_P256_SHA256, "PKIX_RSA_PKCS1V15_2048_SHA256", "PKIX_RSA_PKCS1V15_3072_SHA256"})
_OPEN: Final = Public("clients of Sigstore send no token, and any valid signature may be logged")
_SUMMARY: Final = "Log a signature (hashedrekord 0.0.2, or a DSSE envelope as such); answers with its inclusion proof."


async def _submit(call: Call) -> Answer:
    rekor = call.platform.rekor
    body = await _checked(call.body)
    try:
        return await _append(rekor, rekor.log, body)
    except LogFrozen:
        return await _append(rekor, await to_thread.run_sync(rekor.renewed), body)


async def _submit_to_shard(call: Call) -> Answer:
    shard = await to_thread.run_sync(call.platform.shards.signature_log, call.path["origin"])
    return await _append(call.platform.rekor, shard, await _checked(call.body))


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


async def _append(rekor: Rekor, log: TrustedLog, body: bytes) -> Answer:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[Receipt | Problem] = loop.create_future()

    def settle(answer: Receipt | Problem) -> None:
        if not waiting.done():  # the client went away meanwhile
            waiting.set_result(answer)

    def done(answer: Receipt | Problem) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(settle, answer)

    submission = Submission(log, body)
    rekor.begin(submission, done)
    answer = await waiting
    if isinstance(answer, Problem):
        raise answer
    return Answer(encode_log_entry(rekor.finish(submission, answer)), 201, JSON)


ROUTES = (
    Route(
        "POST",
        "/api/v2/log/entries",
        _OPEN,
        _submit,
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
        _submit_to_shard,
        "The same for one shard; 405 once it is frozen.",
        gives="TransparencyLogEntry (protobuf-JSON)",
        media_types=("application/json",),
        limit=MAX_ENVELOPE_REQUEST,
        in_loop=True,
        sigstore=True,
    ),
)
