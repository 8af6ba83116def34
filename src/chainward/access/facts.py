"""The facts of access. They name a token by its id; neither the secret nor its digest is ever in a fact."""

from __future__ import annotations

from typing import ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = ["FACTS", "TokenIssued", "TokenRevocation"]


class TokenIssued(FactBody, frozen=True, kw_only=True):
    """A token was issued, with these rights and until then."""

    schema: ClassVar[str] = "access.token-issued/1"

    token_id: str
    name: str
    bindings: tuple[str, ...]
    expires_at: str
    issued_by: str | None

    def subjects(self) -> tuple[str, ...]:
        """Return the token."""
        return (f"token:{self.token_id}",)


class TokenRevocation(FactBody, frozen=True, kw_only=True):
    """A token was revoked; from this fact on it is refused."""

    schema: ClassVar[str] = "access.token-revoked/1"

    token_id: str
    name: str
    reason: str

    def subjects(self) -> tuple[str, ...]:
        """Return the token."""
        return (f"token:{self.token_id}",)


FACTS: Final[tuple[type[FactBody], ...]] = (TokenIssued, TokenRevocation)
