"""The signature log in the shape of Rekor v2 (rekor-tiles ``POST /api/v2/log/entries``), and its trusted root.

An entry is answered with 201 and a protobuf-JSON TransparencyLogEntry, after a durable checkpoint covers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.access.model import Permission
from chainward.faces.http.answers import JSON, Answer
from chainward.faces.http.routes import Needs, Public, Reach, Route
from chainward.formats.bundle import encode_log_entry
from chainward.formats.rekor import MAX_REQUEST, decode_entry_request

if TYPE_CHECKING:
    from chainward.faces.http.requests import Call

__all__ = ["ROUTES"]


def _submit(call: Call) -> Answer:
    entry = call.platform.rekor.log_signature(decode_entry_request(call.body), context=call.context)
    return Answer(encode_log_entry(entry), 201, JSON)


def _trusted_root(call: Call) -> Answer:
    return Answer(call.platform.trusted_root(), 200, JSON)


ROUTES = (
    Route(
        "POST",
        "/api/v2/log/entries",
        Needs(Permission.PUSH, Reach.ANYWHERE),
        _submit,
        "Log a signature (hashedrekord 0.0.2); answers with its inclusion proof.",
        gives="TransparencyLogEntry (protobuf-JSON)",
        media_types=("application/json",),
        limit=MAX_REQUEST,
    ),
    Route(
        "GET",
        "/trusted_root.json",
        Public("it holds public keys only, and clients need it before they can trust anything"),
        _trusted_root,
        "The Sigstore trusted root of this platform's signature log.",
        gives="application/json",
    ),
)
