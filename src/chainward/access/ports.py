"""What access needs from a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.access.model import StoredToken, Token

__all__ = ["AccessStore"]


class AccessStore(Protocol):
    """Reads of what was issued and revoked; each call sees everything that was durable when it began. Thread-safe."""

    def epoch(self) -> int:
        """Return a number that grows with every revocation, and never otherwise."""
        ...

    def token(self, token_id: str) -> StoredToken | None:
        """Return a token with its digest, revoked and expired ones too."""
        ...

    def tokens(self) -> Sequence[Token]:
        """Return all tokens, the newest first."""
        ...
