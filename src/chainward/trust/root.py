"""The root of trust as a document: Sigstore's ``trusted_root.json``, for our own clients and for stock ones.

It carries the logs only. Which keys may sign what is the platform's decision and stays there; a stock client is told
the key on its command line. Follows sigstore protobuf-specs (sigstore_trustroot.proto); base URLs are
``https://<origin>`` and need not resolve: clients compare them with the origin of checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.formats.trusted_root import LogKey, TrustedRoot, decode_trusted_root, encode_trusted_root
from chainward.keys.model import PublicKey
from chainward.trust.model import TrustedLog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["logs_of_trusted_root", "trusted_root_json"]


def trusted_root_json(logs: Sequence[TrustedLog], start: datetime) -> bytes:
    """Return the trusted root of ``logs``, whose keys have been in use since ``start`` (before the first entry)."""
    return encode_trusted_root(
        TrustedRoot(
            tuple(
                LogKey(
                    origin=log.origin,
                    base_url=f"https://{log.origin}",
                    public_key_der=log.public_key.der,
                    key_details=log.public_key.scheme.value,
                    key_id=log.key_id,
                    start=start,
                )
                for log in logs
            )
        )
    )


def logs_of_trusted_root(data: bytes) -> tuple[TrustedLog, ...]:
    """Read the logs of a trusted root.

    Whoever gave the document decides which logs are believed: take it from a place that you trust.

    Raises:
        TooLarge, Malformed, Unsupported, InvalidInstant: not a trusted root.
        KeyMalformed, KeyUnsupported: a log's key is not an Ed25519 key.
        LogKeyInvalid: a key id does not belong to its origin and key.
    """
    return tuple(
        TrustedLog(log.origin, PublicKey.from_der(log.public_key_der), log.key_id)
        for log in decode_trusted_root(data).logs
    )
