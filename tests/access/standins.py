"""A store of tokens in memory that counts how often it is asked, and texts of tokens to try."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from chainward.access.model import Binding, Role, StoredToken, Token
from chainward.access.secret import digest_of, fresh
from chainward.kernel.name import RepositoryPattern

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@dataclass(slots=True)
class CountingEntropy:
    """Bytes that are never the same twice and always the same in the next run."""

    count: int = 0

    def bytes(self, count: int) -> bytes:
        self.count += 1
        return hashlib.shake_256(str(self.count).encode()).digest(count)


@dataclass(slots=True)
class StoppedClock:
    instant: datetime = START

    def now(self) -> datetime:
        return self.instant


@dataclass(slots=True)
class MemoryAccessStore:
    """Implements AccessStore; ``revoke`` is what another replica does."""

    rows: dict[str, StoredToken] = field(default_factory=dict)
    revocations: int = 0
    epoch_reads: int = 0
    token_reads: int = 0
    failure: Exception | None = None
    before_answer: Callable[[], None] | None = None

    def epoch(self) -> int:
        self.epoch_reads += 1
        if self.failure is not None:
            raise self.failure
        return self.revocations

    def token(self, token_id: str) -> StoredToken | None:
        self.token_reads += 1
        found = self.rows.get(token_id)
        if self.before_answer is not None:
            self.before_answer()
        return found

    def tokens(self) -> list[Token]:
        return [stored.token for stored in self.rows.values()]

    def add(self, entropy: CountingEntropy, *, lifetime: timedelta = timedelta(days=1)) -> tuple[Token, str]:
        token_id, text = fresh(entropy)
        bindings = (Binding(Role.PUBLISHER, RepositoryPattern("shop/**")),)
        token = Token(token_id, "ci", bindings, START, START + lifetime, None)
        self.rows[token_id] = StoredToken(token, digest_of(text.reveal()))
        return token, text.reveal()

    def revoke(self, token: Token) -> None:
        stored = self.rows[token.id]
        self.rows[token.id] = replace(stored, token=replace(stored.token, revoked_at=START))
        self.revocations += 1
