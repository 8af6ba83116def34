"""The gate: may this artifact pass into this environment?

In: a snapshot (:class:`~chainward.delivery.model.Snapshot`) in which the artifact, its revocation and every epoch were
read together. Out: a :class:`~chainward.delivery.model.Verdict`. What was revoked is refused before anything else is
looked at. A verdict that holds is looked up; only an unknown one gathers evidence and asks the policy.

What is read after the snapshot (evidence, trust root, policy, portfolio) can only be as new as the snapshot or newer. A
verdict under older epochs that rests on newer knowledge is never asked for again once those epochs have moved, so a
stale yes cannot come out of the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.delivery.cache import CacheLimits, VerdictCache, VerdictKey
from chainward.delivery.errors import ArtifactUnknown, GateTimeout
from chainward.delivery.evidence import FAILURES, gather
from chainward.delivery.model import Verdict
from chainward.kernel.problem import Problem
from chainward.policy.decide import decide
from chainward.policy.errors import PolicyAbsent
from chainward.policy.model import Check, Evidence, Outcome, Question
from chainward.trust.verify import OwnRecords

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.delivery.model import Snapshot
    from chainward.delivery.ports import DecisionReader, EvidenceSource
    from chainward.kernel.digest import Digest
    from chainward.kernel.instant import Clock
    from chainward.kernel.name import RepositoryName, Tag
    from chainward.policy.activate import Policies
    from chainward.policy.model import Gate, Policy
    from chainward.portfolio.declare import Portfolios
    from chainward.registry.model import ArtifactState, Revocation
    from chainward.trust.ports import TrustStore

__all__ = ["Judge", "refusal", "revoked"]

_PLATFORM: Final = "platform"


class Judge:
    """Decides about artifacts of our own registry. Thread-safe.

    ``platform_key`` is the fingerprint of the key that signs our verification summaries. ``host`` is what policies know
    this registry by; its other names mean the same, or a verdict would depend on which of them somebody used. Without
    the platform's ``own`` records a statement would count wherever it was copied to.
    """

    def __init__(
        self,
        reader: DecisionReader,
        evidence: EvidenceSource,
        policies: Policies,
        trust: TrustStore,
        portfolios: Portfolios,
        clock: Clock,
        *,
        platform_key: str,
        host: str = "",
        limits: CacheLimits = CacheLimits(),  # noqa: B008 - frozen
        own: OwnRecords = OwnRecords(),  # noqa: B008 - frozen
    ) -> None:
        self._reader = reader
        self._evidence = evidence
        self._policies = policies
        self._trust = trust
        self._portfolios = portfolios
        self._clock = clock
        self._platform_key = platform_key
        self._host = host
        self._cache = VerdictCache(limits)
        self._own = own

    def read(self, repository: RepositoryName, reference: Tag | Digest, environment: str) -> Snapshot:
        """Return the present state of an artifact and of everything that a decision about it depends on."""
        return self._reader.read(repository, reference, environment)

    def ask(
        self, repository: RepositoryName, reference: Tag | Digest, environment: str, gate: Gate
    ) -> tuple[ArtifactState, Verdict]:
        """Read the present state of an artifact and decide; the verdict may come from the cache.

        Raises:
            ArtifactUnknown: the registry does not have it.
        """
        snapshot = self.read(repository, reference, environment)
        if snapshot.state is None:
            raise ArtifactUnknown(f"{repository} has no {reference}")
        return snapshot.state, self.decide(snapshot, snapshot.state, environment, gate)

    def decide(
        self,
        snapshot: Snapshot,
        state: ArtifactState,
        environment: str,
        gate: Gate,
        *,
        deadline: datetime | None = None,
        fresh: bool = False,
    ) -> Verdict:
        """Decide about the artifact of a snapshot; ``fresh`` verifies all evidence again whatever is in the cache.

        Raises:
            GateTimeout: there was no decision before ``deadline``.
            Problem: the registry or the database failed; nothing is decided then.
        """
        now = self._clock.now()
        if state.revoked is not None:
            return refusal(revoked(state.revoked), now)
        service = self._portfolios.at(snapshot.portfolio_epoch).service_of(state.repository)
        key = VerdictKey(
            state.repository,
            state.digest,
            environment,
            None if service is None else service.tier,
            gate,
            state.evidence_epoch,
            snapshot.policy_epoch,
            snapshot.trust_epoch,
            snapshot.portfolio_epoch,
        )
        if fresh:
            return self._judge(key, state, deadline)
        found = self._cache.find(key, now)
        if found is not None:
            return found
        return self._cache.settle(key, lambda: self._judge(key, state, deadline), lambda: self._seconds(deadline))

    def _judge(self, key: VerdictKey, state: ArtifactState, deadline: datetime | None) -> Verdict:
        now = self._clock.now()
        try:
            policy = self._policy(key.policy_epoch)
        except Problem as problem:
            if problem.kind in FAILURES:
                raise
            return refusal(Check(_PLATFORM, "policy", Outcome.ERROR, problem.code, problem.message, problem.hint), now)
        gathered = gather(
            self._evidence,
            state.repository,
            state.digest,
            self._trust.snapshot().root,
            platform_key=self._platform_key,
            check_time=lambda: self._check_time(deadline),
            own=self._own,
        )
        question = Question(
            repository=state.repository,
            digest=state.digest,
            environment=key.environment,
            tier=key.tier,
            gate=key.gate,
            now=now,
        )
        evidence = Evidence(
            revoked=None,
            statements=gathered.statements,
            rejected=gathered.rejected,
            sboms=gathered.sboms,
            promotions=gathered.promotions,
            host=self._host,
            pushed_at=state.pushed_at,
        )
        decision = decide(policy, question, evidence)
        return Verdict(
            allowed=decision.allowed,
            checks=decision.checks,
            policy_digest=decision.policy_digest,
            evidence=tuple(statement.bundle_digest for statement in gathered.statements),
            decided_at=now,
            valid_until=decision.valid_until,
        )

    def _policy(self, epoch: int | None) -> Policy:
        if epoch is None:
            raise PolicyAbsent("no policy was ever activated, so nothing is allowed")
        return self._policies.at(epoch)

    def _seconds(self, deadline: datetime | None) -> float | None:
        return None if deadline is None else max((deadline - self._clock.now()).total_seconds(), 0.0)

    def _check_time(self, deadline: datetime | None) -> None:
        if deadline is not None and self._clock.now() >= deadline:
            raise GateTimeout("there was no time left to verify all evidence")


def refusal(check: Check, now: datetime) -> Verdict:
    """Return a no that no policy was asked for."""
    return Verdict(allowed=False, checks=(check,), policy_digest=None, evidence=(), decided_at=now, valid_until=None)


def revoked(revocation: Revocation) -> Check:
    """Return the check that a revocation fails, whatever else speaks for the artifact."""
    return Check(
        _PLATFORM,
        "revocation",
        Outcome.FAIL,
        "artifact-revoked",
        f"revoked at {revocation.revoked_at:%F %T}Z: {revocation.reason}",
        f"chainward timeline {revocation.digest}; use an artifact that replaces it",
    )
