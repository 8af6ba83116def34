"""The trust documents over HTTP: for stock Sigstore clients as single files, and as a TUF repository.

All of it is public: it holds public keys only, and who reads it cannot have trust before. The single files are for who
fetches them over a connection that is trusted; the TUF repository under ``/tuf/`` is for everybody else, and for
keeping up with rotations. What has its version or its digest in its name never changes; ``timestamp.json`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.faces.http.answers import IMMUTABLE, JSON, NO_STORE, Answer
from chainward.faces.http.routes import Public, Route

if TYPE_CHECKING:
    from chainward.faces.http.requests import Call

__all__ = ["ROUTES"]

_OPEN: Final = Public("it holds public keys only, and clients need it before they can trust anything")
_TIMESTAMP: Final = "timestamp.json"


def _trusted_root(call: Call) -> Answer:
    return Answer(call.platform.services.documents.current().trusted_root, 200, JSON, {"Cache-Control": NO_STORE})


def _signing_config(call: Call) -> Answer:
    return Answer(call.platform.services.documents.current().signing_config, 200, JSON, {"Cache-Control": NO_STORE})


def _client_trust_config(call: Call) -> Answer:
    body = call.platform.services.documents.current().client_trust_config
    return Answer(body, 200, JSON, {"Cache-Control": NO_STORE})


def _tuf(call: Call) -> Answer:
    path = call.path["path"]
    caching = NO_STORE if path == _TIMESTAMP else IMMUTABLE
    return Answer(call.platform.services.distribution.file(path), 200, JSON, {"Cache-Control": caching})


ROUTES = (
    Route(
        "GET",
        "/trusted_root.json",
        _OPEN,
        _trusted_root,
        "The Sigstore trusted root: every service of this platform that is believed, with its window.",
        gives="application/json",
    ),
    Route(
        "GET",
        "/signing_config.v0.2.json",
        _OPEN,
        _signing_config,
        "The Sigstore signing config: where to sign now.",
        gives="application/json",
    ),
    Route(
        "GET",
        "/client_trust_config.json",
        _OPEN,
        _client_trust_config,
        "Both documents in one, as sigstore-python takes it with --trust-config.",
        gives="application/json",
    ),
    Route(
        "GET",
        "/tuf/{path:path}",
        _OPEN,
        _tuf,
        "The same documents as a TUF repository with consistent snapshots.",
        gives="application/json",
    ),
)
