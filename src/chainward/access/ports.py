"""What access needs from a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from chainward.access.model import StoredToken, Token
    from chainward.access.session import Session

__all__ = ["AccessStore", "SessionMint"]


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


class SessionMint(Protocol):
    """Writes registry sessions down so that nobody else can, and reads them back on every replica. Thread-safe."""

    def mint(self, session: Session, issued_at: datetime) -> str:
        """Return the text of a session."""
        ...

    def read(self, text: str) -> Session:
        """Return the session that a text is; its time may be over.

        Raises:
            TokenInvalid: this platform did not write it.
        """
        ...
