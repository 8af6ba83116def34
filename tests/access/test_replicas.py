"""Tokens over two replicas and time, against a model: nobody good is refused, nobody revoked is let in for long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from tests.access.standins import CountingEntropy, MemoryAccessStore, StoppedClock

from chainward.access.authenticate import FRESHNESS, Authenticator
from chainward.access.errors import TokenExpired, TokenInvalid, TokenRevoked
from chainward.access.model import Principal

if TYPE_CHECKING:
    from chainward.access.model import Token

REPLICAS = 2
PROMISE = timedelta(seconds=1)


@dataclass
class Known:
    """What the model knows of a token."""

    token: Token
    text: str
    revoked_at: datetime | None = None
    revoked_by: int | None = None


class Replicas(RuleBasedStateMachine):
    """Two replicas over one store; each rule is something that happens to one of them, or to time."""

    tokens: Bundle[Known] = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.store, self.entropy = StoppedClock(), MemoryAccessStore(), CountingEntropy()
        self.replicas = [Authenticator(self.store, self.clock, capacity=3) for _ in range(REPLICAS)]

    @rule(target=tokens, hours=st.integers(1, 3))
    def issue(self, hours: int) -> Known:
        token, text = self.store.add(
            self.entropy, lifetime=timedelta(hours=hours) + (self.clock.now() - StoppedClock().now())
        )
        return Known(token, text)

    @rule(known=tokens, replica=st.integers(0, REPLICAS - 1))
    def ask(self, known: Known, replica: int) -> None:
        now = self.clock.now()
        answer = self.answer_of(replica, known.text)
        if now >= known.token.expires_at:
            assert answer in {TokenExpired, TokenRevoked}
        elif known.revoked_at is None:
            assert isinstance(answer, Principal)
            assert answer.token_id == known.token.id
        elif replica == known.revoked_by or now - known.revoked_at >= PROMISE:
            assert answer is TokenRevoked
        else:
            assert answer is TokenRevoked or isinstance(answer, Principal)

    @rule(known=tokens, replica=st.integers(0, REPLICAS - 1))
    def revoke(self, known: Known, replica: int) -> None:
        if known.revoked_at is None:
            self.store.revoke(known.token)
            self.replicas[replica].forget()
            known.revoked_at, known.revoked_by = self.clock.now(), replica

    @rule(milliseconds=st.sampled_from([1, 100, 499, 500, 1000, 60_000, 3_600_000]))
    def wait(self, milliseconds: int) -> None:
        self.clock.instant += timedelta(milliseconds=milliseconds)

    @rule(replica=st.integers(0, REPLICAS - 1))
    def restart(self, replica: int) -> None:
        self.replicas[replica] = Authenticator(self.store, self.clock, capacity=3)

    @rule(known=consumes(tokens), replica=st.integers(0, REPLICAS - 1))
    def forge(self, known: Known, replica: int) -> None:
        forged = known.text[:-1] + ("A" if known.text[-1] != "A" else "B")
        assert self.answer_of(replica, forged) is TokenInvalid

    @invariant()
    def memory_is_bounded(self) -> None:
        assert all(len(replica._known) <= 3 for replica in self.replicas)

    def answer_of(self, replica: int, text: str) -> Principal | type[Exception]:
        try:
            return self.replicas[replica].authenticate(text)
        except (TokenExpired, TokenInvalid, TokenRevoked) as refusal:
            return type(refusal)


TestReplicas = pytest.mark.timeout(120)(Replicas.TestCase)
TestReplicas.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_freshness_leaves_half_of_what_is_promised() -> None:
    assert FRESHNESS * 2 <= PROMISE
