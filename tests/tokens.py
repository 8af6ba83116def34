"""Identity tokens of no issuer: the three parts of a JWT with any claims, for those who only read them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

__all__ = ["NOW", "jwt_of"]

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)


def jwt_of(*, expires: datetime = NOW + timedelta(minutes=5), **claims: Any) -> str:
    """Return a compact JWT with these claims and a signature of nobody."""
    members = {"iss": "https://issuer.example", "sub": "somebody", "aud": "sigstore", "exp": int(expires.timestamp())}
    members |= claims
    present = {name: value for name, value in members.items() if value is not None}
    return ".".join((_part({"alg": "RS256"}), _part(present), base64.urlsafe_b64encode(b"signature").decode()))


def _part(members: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")
