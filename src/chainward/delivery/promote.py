"""Promoting: an image moves up one environment when the gate of that environment lets it.

In: an image and where it is to go. Out: the :class:`~chainward.delivery.writes.Promotion`, with a verification summary
(SLSA VSA v1) that the platform's own key signed and the registry holds beside the image. Evidence is verified again at
every step, whatever was decided before; no environment is skipped. Promoting where the image was promoted already
changes nothing and answers the same.

The summary is in the registry before the promotion is a fact: after a crash in between the verb can simply be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.attest.attach import bundle_artifact
from chainward.attest.vsa import statement_of_summary, summary_of
from chainward.delivery.errors import (
    ArtifactUnknown,
    PromotionDenied,
    PromotionKnown,
    PromotionOutOfOrder,
    PromotionRevoked,
)
from chainward.delivery.facts import Promoted, PromotionDenial
from chainward.delivery.referrer import put_artifact
from chainward.delivery.summary import level_of, resource_uri
from chainward.delivery.verdict import refusal, revoked
from chainward.delivery.writes import KeepPromotion
from chainward.formats.intoto import VSA
from chainward.formats.oci import Descriptor
from chainward.kernel.digest import Digest
from chainward.policy.model import Check, Gate, Outcome
from chainward.trust.sign import sign_statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.delivery.model import Snapshot, Verdict
    from chainward.delivery.ports import EvidenceSource, PromotionStore, RegistryClient
    from chainward.delivery.verdict import Judge
    from chainward.delivery.writes import Promotion
    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.kernel.name import RepositoryName, Tag
    from chainward.keys.ports import Signer
    from chainward.ledger.commit import Ledger
    from chainward.portfolio.declare import Portfolios
    from chainward.registry.model import ArtifactState
    from chainward.trust.ports import SignatureLog, TimestampSource

__all__ = ["Promoter", "Verifier"]


@dataclass(frozen=True, slots=True)
class Verifier:
    """Who this platform is when it signs summaries: its URI, the host in names of its images, its key and services.

    Without ``stamps`` a summary says when it was made only in words of its own.
    """

    id: str
    host: str
    signer: Signer
    log: Callable[[Context], SignatureLog]
    stamps: TimestampSource | None = None


class Promoter:
    """Promotes. Thread-safe. Whether the caller may is asked by the face."""

    def __init__(
        self,
        judge: Judge,
        portfolios: Portfolios,
        source: EvidenceSource,
        client: Callable[[Context], RegistryClient],
        store: PromotionStore,
        ledger: Ledger,
        clock: Clock,
        verifier: Verifier,
    ) -> None:
        self._judge = judge
        self._portfolios = portfolios
        self._source = source
        self._client = client
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._verifier = verifier

    def promote(
        self, repository: RepositoryName, reference: Tag | Digest, environment: str, *, context: Context
    ) -> Promotion:
        """Promote an image into an environment.

        Raises:
            EnvironmentUnknown: there is no such environment.
            ArtifactUnknown: the registry does not have the image.
            PromotionOutOfOrder: it was not promoted to the environment before.
            PromotionDenied: the gate said no; that is a fact then.
        """
        self._portfolios.current().environment(environment)
        snapshot = self._judge.read(repository, reference, environment)
        state = snapshot.state
        if state is None:
            raise ArtifactUnknown(f"{repository} has no {reference}")
        if state.revoked is not None:
            raise self._denied(snapshot, state, environment, revoked(state.revoked), context)
        known = self._store.promotion(repository, state.digest, environment)
        if known is not None:
            return known
        self._check_order(snapshot, state, environment, context)
        verdict = self._judge.decide(snapshot, state, environment, Gate.PROMOTE, fresh=True)
        if not verdict.allowed:
            raise self._refused(snapshot, state, environment, verdict, context)
        vsa = self._summarise(snapshot, state, environment, verdict, context)
        return self._record(snapshot, state, environment, verdict, vsa, context)

    def promotions(self, repository: RepositoryName, digest: Digest) -> tuple[Promotion, ...]:
        """Return every promotion of an image, the oldest first."""
        return tuple(self._store.promotions(repository, digest))

    def _check_order(self, snapshot: Snapshot, state: ArtifactState, environment: str, context: Context) -> None:
        portfolio = self._portfolios.at(snapshot.portfolio_epoch)
        before = portfolio.before(portfolio.environment(environment))
        if before is None or self._store.promotion(state.repository, state.digest, before.name) is not None:
            return
        message = (
            f"{state.repository}@{state.digest} was not promoted to {before.name}, which comes before {environment}"
        )
        hint = f"chainward promote {state.repository}@{state.digest} --to {before.name}"
        check = Check("platform", "order", Outcome.MISSING, PromotionOutOfOrder.code, message, hint)
        self._state_denial(snapshot, state, environment, refusal(check, self._clock.now()), context)
        raise PromotionOutOfOrder(message, hint=f"Promote it there first: {hint}", details={"missing": before.name})

    def _summarise(
        self, snapshot: Snapshot, state: ArtifactState, environment: str, verdict: Verdict, context: Context
    ) -> Digest:
        """Sign the summary of a verdict, put it beside the image, and return the digest of its bundle."""
        assert verdict.policy_digest is not None  # noqa: S101 - a yes comes from a policy
        repository, digest = state.repository, state.digest
        summary = summary_of(
            verifier_id=self._verifier.id,
            verified_at=verdict.decided_at,
            resource_uri=resource_uri(self._verifier.host, repository, digest),
            policy_uri=f"urn:chainward:policy:{snapshot.policy_epoch}",
            policy_digest=verdict.policy_digest,
            passed=True,
            evidence=verdict.evidence,
            levels=(level_of(environment),),
        )
        statement = statement_of_summary(str(repository), digest, summary)
        verifier = self._verifier
        bundle = sign_statement(statement, verifier.signer, verifier.log(context), stamps=verifier.stamps)
        stored = self._source.manifest(repository, digest)
        subject = Descriptor(stored.media_type, digest, stored.size)
        put_artifact(self._client(context), repository, bundle_artifact(bundle, VSA, subject))
        return Digest.of(bundle)

    def _record(
        self,
        snapshot: Snapshot,
        state: ArtifactState,
        environment: str,
        verdict: Verdict,
        vsa: Digest,
        context: Context,
    ) -> Promotion:
        fact = Promoted(
            repository=str(state.repository),
            digest=str(state.digest),
            environment=environment,
            policy_epoch=snapshot.policy_epoch or 0,
            policy_digest=str(verdict.policy_digest),
            vsa=str(vsa),
        )
        write = KeepPromotion(state.repository, state.digest, environment, vsa)
        try:
            self._ledger.commit([fact], [write], context=context)
        except PromotionKnown:
            pass  # another request was first; its promotion stands
        except PromotionRevoked as problem:
            check = Check("platform", "revocation", Outcome.FAIL, "artifact-revoked", problem.message, problem.hint)
            raise self._denied(snapshot, state, environment, check, context) from problem
        kept = self._store.promotion(state.repository, state.digest, environment)
        assert kept is not None  # noqa: S101 - it was committed, by us or before us
        return kept

    def _denied(
        self, snapshot: Snapshot, state: ArtifactState, environment: str, check: Check, context: Context
    ) -> PromotionDenied:
        return self._refused(snapshot, state, environment, refusal(check, self._clock.now()), context)

    def _refused(
        self, snapshot: Snapshot, state: ArtifactState, environment: str, verdict: Verdict, context: Context
    ) -> PromotionDenied:
        """State a denial as a fact and return the problem to raise."""
        self._state_denial(snapshot, state, environment, verdict, context)
        failures = verdict.failures
        reasons = "; ".join(f"{check.name}: {check.message}" for check in failures)
        return PromotionDenied(
            f"{state.repository}@{state.digest} may not go to {environment}: {reasons}",
            hint=next((check.next_step for check in failures if check.next_step), None),
            details={
                "checks": [check.code for check in failures],
                "messages": [check.message for check in failures],
                "steps": [check.next_step for check in failures],
            },
        )

    def _state_denial(
        self, snapshot: Snapshot, state: ArtifactState, environment: str, verdict: Verdict, context: Context
    ) -> None:
        fact = PromotionDenial(
            repository=str(state.repository),
            digest=str(state.digest),
            environment=environment,
            policy_epoch=snapshot.policy_epoch,
            policy_digest=None if verdict.policy_digest is None else str(verdict.policy_digest),
            codes=tuple(dict.fromkeys(check.code for check in verdict.failures)),
        )
        self._ledger.commit([fact], context=context)
