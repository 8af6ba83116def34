"""The words of the gates: what a decision is made of, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.kernel.digest import Digest
    from chainward.policy.model import Check
    from chainward.registry.model import ArtifactState

__all__ = ["Snapshot", "Verdict"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that could change a decision, as it was at one moment.

    ``state`` is None when the registry does not have the artifact. An epoch grows with every change of what it counts:
    equal epochs mean equal policy, trust root and portfolio. There is no
    policy epoch before the first policy. ``deployed`` is the newest image of the repository in the
    environment that was asked about.
    """

    state: ArtifactState | None
    policy_epoch: int | None
    trust_epoch: int
    portfolio_epoch: int
    deployed: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Yes or no for one artifact at one gate, with the checks that led there.

    ``policy_digest`` is None when the answer was no before any policy was asked. ``evidence`` are the bundles that were
    verified for it.
    """

    allowed: bool
    checks: tuple[Check, ...]
    policy_digest: Digest | None
    evidence: tuple[Digest, ...]
    decided_at: datetime
    valid_until: datetime | None
    from_cache: bool = False

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if check.outcome != "pass")
