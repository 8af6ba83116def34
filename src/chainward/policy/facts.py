"""The facts of policy. Decisions are facts of the gates that asked, in ``delivery``."""

from __future__ import annotations

from typing import ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = ["FACTS", "PolicyActivated"]


class PolicyActivated(FactBody, frozen=True, kw_only=True):
    """A policy came into force; the index of this fact is its epoch."""

    schema: ClassVar[str] = "policy.activated/1"

    name: str
    digest: str
    rules: int

    def subjects(self) -> tuple[str, ...]:
        """Return the policy, by name and by digest."""
        return (f"policy:{self.name}", self.digest)


FACTS: Final[tuple[type[FactBody], ...]] = (PolicyActivated,)
