"""The admission gate of a cluster: may these images run in this namespace?

In: a :class:`~chainward.formats.admission.Review`. Out: an :class:`AdmissionAnswer`, whose decisions are durable before
it is returned. Only digests are decided about; a name is resolved in the same snapshot in which revocations and epochs
are read. What cannot be decided because we failed (database, time) raises: the call fails and the cluster's
``failurePolicy`` takes over. What cannot be shown to be in order is denied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from chainward.delivery.errors import GateTimeout
from chainward.delivery.explain import denial_message, unknown_kind_message, warnings_of
from chainward.delivery.pin import pin
from chainward.delivery.ruling import Case, Ruling, key_of
from chainward.delivery.scope import Level, task_of
from chainward.delivery.verdict import revoked
from chainward.kernel.name import ImageName, InvalidName
from chainward.kernel.problem import Problem
from chainward.policy.model import Check, Gate, Outcome
from chainward.registry.model import RepositoryRules

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.delivery.model import Snapshot
    from chainward.delivery.record import AdmissionRecord
    from chainward.delivery.scope import Task
    from chainward.delivery.verdict import Judge
    from chainward.formats.admission import Replacement, Review
    from chainward.kernel.identity import Context
    from chainward.kernel.instant import Clock
    from chainward.portfolio.declare import Portfolios
    from chainward.portfolio.map import Portfolio

__all__ = ["Admission", "AdmissionAnswer", "AdmissionRules", "Controllers"]

_PLATFORM: Final = "platform"
_DENIED: Final = "denied"
_DEFAULT_TIMEOUT: Final = timedelta(seconds=10)  # what the API server assumes when a webhook names none
_ATTEMPTS: Final = 4
# Of one workload. Each image that is denied becomes a fact, so whoever may make Pods could otherwise fill the log.
_MOST_IMAGES: Final = 256
# The same few names come by again and again; a name that cannot be read is not kept.
_parsed: Final = lru_cache(maxsize=8192)(ImageName.parse)
_MAX_NAME: Final = 1024
_MAX_PART: Final = 256


class Controllers(StrEnum):
    """What a no means for a workload that makes Pods; its Pods are decided about in any case."""

    WARN = "warn"
    DENY = "deny"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRules:
    """What the gate takes for granted: our own host names, and which tags never move.

    ``margin`` is kept of the caller's time limit, so that an answer still arrives.
    """

    hosts: frozenset[str]
    repositories: RepositoryRules = field(default_factory=RepositoryRules)
    controllers: Controllers = Controllers.WARN
    margin: timedelta = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionAnswer:
    """What to answer to a review."""

    allowed: bool
    message: str = ""
    warnings: tuple[str, ...] = ()
    rulings: tuple[Ruling, ...] = ()

    @property
    def audit(self) -> dict[str, str]:
        """What goes into the cluster's audit log: the decisions behind the answer."""
        decisions = ",".join(dict.fromkeys(ruling.decision for ruling in self.rulings if ruling.key))
        return {"decisions": decisions} if decisions else {}


class Admission:
    """Answers validating reviews. Thread-safe."""

    def __init__(
        self,
        judge: Judge,
        record: AdmissionRecord,
        portfolios: Portfolios,
        clock: Clock,
        rules: AdmissionRules,
    ) -> None:
        self._judge = judge
        self._record = record
        self._portfolios = portfolios
        self._clock = clock
        self._rules = rules
        self._portfolio: Portfolio | None = None

    def validate(self, review: Review, *, context: Context, timeout: timedelta | None = None) -> AdmissionAnswer:
        """Decide about a review, and make the decision durable unless it is a dry run.

        Raises:
            GateTimeout: there was no decision within ``timeout``.
            Problem: the platform failed; nothing was decided.
        """
        task = task_of(review)
        if task.level is Level.UNKNOWN:
            message = unknown_kind_message(review.group, review.kind, review.subresource)
            return AdmissionAnswer(allowed=False, message=message)
        ignored = task.level is Level.CONTROLLER and self._rules.controllers is Controllers.IGNORE
        if task.level is Level.NOTHING or ignored:
            return AdmissionAnswer(allowed=True)
        if len(task.new) + len(task.known) > _MOST_IMAGES:
            return _too_many(len(task.new) + len(task.known))
        with self._record.presence():
            return self._decide(review, task, context, timeout or _DEFAULT_TIMEOUT)

    def mutate(self, review: Review) -> tuple[Replacement, ...]:
        """Return what to replace in a Pod, so that digests stand in place of names; see :mod:`.pin`."""
        return pin(review, self._judge, self._rules.hosts)

    def _decide(self, review: Review, task: Task, context: Context, timeout: timedelta) -> AdmissionAnswer:
        case = _case_of(review, context)
        rulings = self._rulings(task, case, timeout)
        if task.level is Level.CONTROLLER and self._rules.controllers is Controllers.WARN:
            return AdmissionAnswer(allowed=True, warnings=warnings_of(rulings), rulings=rulings)
        allowed = all(ruling.allowed for ruling in rulings)
        # Beside an image that is denied, one that is in order is not let in either: only the denials are on record.
        recorded = [ruling for ruling in rulings if ruling.key and ruling.allowed is allowed]
        if recorded and not review.dry_run:
            self._record.keep(case, recorded, context=context, deploys=task.level is Level.POD)
        message = "" if allowed else denial_message(rulings)
        return AdmissionAnswer(allowed=allowed, message=message, rulings=rulings)

    def _rulings(self, task: Task, case: Case, timeout: timedelta) -> tuple[Ruling, ...]:
        deadline = self._clock.now() + max(timeout - self._rules.margin, timeout / 2)
        pinned_only = task.level is Level.POD
        rulings: list[Ruling] = []
        for position, text in enumerate((*task.new, *task.known)):
            if self._clock.now() >= deadline:
                raise GateTimeout(f"only {position} of {len(task.new) + len(task.known)} images were decided in time")
            is_new = position < len(task.new)
            rulings.append(
                self._rule(case, text, deadline, pinned_only=pinned_only) if is_new else self._look_at_known(case, text)
            )
        return tuple(rulings)

    def _rule(self, case: Case, image: str, deadline: datetime, *, pinned_only: bool) -> Ruling:
        """Decide about an image that is new."""
        try:
            name = _name_of(image)
        except Problem as problem:
            return self._denied(case, image, _failed("image", problem.code, problem.message, problem.hint))
        if name.host not in self._rules.hosts:
            return self._denied(case, image, self._foreign(name))
        snapshot, environment = self._read(name, case.namespace)
        if environment is None:
            return self._denied(case, image, _unmapped(case.namespace), name=name, snapshot=snapshot)
        if snapshot.state is None:
            return self._denied(case, image, _unknown(name), name=name, snapshot=snapshot, environment=environment)
        if pinned_only and name.digest is None and not self._rules.repositories.tags_are_immutable(name.repository):
            return self._denied(case, image, _not_pinned(name), name=name, snapshot=snapshot, environment=environment)
        verdict = self._judge.decide(snapshot, snapshot.state, environment, Gate.ADMIT, deadline=deadline)
        digest, outcome = snapshot.state.digest, "allowed" if verdict.allowed else _DENIED
        return Ruling(
            image=image,
            allowed=verdict.allowed,
            failures=verdict.failures,
            environment=environment,
            repository=name.repository,
            digest=digest,
            snapshot=snapshot,
            policy_digest=verdict.policy_digest,
            key=key_of(case, environment, name.repository.text, digest, outcome, snapshot.policy_epoch),
        )

    def _look_at_known(self, case: Case, image: str) -> Ruling:
        """Let an image pass that was there before, unless it was revoked since."""
        try:
            name = _name_of(image)
        except Problem:
            return Ruling(image=image, allowed=True)
        if name.host not in self._rules.hosts:
            return Ruling(image=image, allowed=True)
        snapshot, environment = self._read(name, case.namespace)
        state = snapshot.state
        if state is None or state.revoked is None:
            return Ruling(image=image, allowed=True)
        check = revoked(state.revoked)
        return self._denied(case, image, check, name=name, snapshot=snapshot, environment=environment)

    def _read(self, name: ImageName, namespace: str) -> tuple[Snapshot, str | None]:
        """Read a snapshot, and the environment of a namespace as of that very snapshot."""
        portfolio = self._portfolio or self._portfolios.current()
        for _ in range(_ATTEMPTS):
            place = portfolio.environment_of(namespace)
            environment = None if place is None else place.name
            reference = name.digest or name.tag
            assert reference is not None  # noqa: S101 - a name without both has the tag latest
            snapshot = self._judge.read(name.repository, reference, environment or "")
            if snapshot.portfolio_epoch == portfolio.epoch:
                self._portfolio = portfolio
                return snapshot, environment
            portfolio = self._portfolios.at(snapshot.portfolio_epoch)
        raise GateTimeout("the portfolio changed faster than it could be read")

    def _denied(
        self,
        case: Case,
        image: str,
        check: Check,
        *,
        name: ImageName | None = None,
        snapshot: Snapshot | None = None,
        environment: str | None = None,
    ) -> Ruling:
        digest = None if name is None else name.digest
        if snapshot is not None and snapshot.state is not None:
            digest = snapshot.state.digest
        policy_epoch = None if snapshot is None else snapshot.policy_epoch
        named = image if name is None else name.repository.text
        return Ruling(
            image=image,
            allowed=False,
            failures=(check,),
            environment=environment,
            repository=None if name is None else name.repository,
            digest=digest,
            snapshot=snapshot,
            key=key_of(case, environment, named, digest, _DENIED, policy_epoch),
        )

    def _foreign(self, name: ImageName) -> Check:
        ours = min(self._rules.hosts, default="this platform")
        return _failed(
            "registry",
            "image-host-foreign",
            f"the image comes from {name.host or 'the default registry of the node'}, not from this platform",
            f"push it here with its evidence (chainward push) and name it {ours}/{name.repository}",
        )


def _name_of(image: str) -> ImageName:
    if len(image) > _MAX_NAME:
        raise InvalidName(f"an image name of {len(image)} characters is none")
    return _parsed(image)


def _case_of(review: Review, context: Context) -> Case:
    """Return who asks for what, each part short enough for a fact: whoever chooses a name must not fail the call."""
    parts = (review.username, review.namespace, review.uid)
    return Case(context.actor.name, *(part[:_MAX_PART] for part in parts))


def _too_many(count: int) -> AdmissionAnswer:
    return AdmissionAnswer(
        allowed=False,
        message=f"the workload names {count} different images, at most {_MOST_IMAGES} are decided about "
        "[admission-too-many-images]\n  -> split the workload",
    )


def _failed(name: str, code: str, message: str, next_step: str) -> Check:
    return Check(_PLATFORM, name, Outcome.FAIL, code, message, next_step)


def _unmapped(namespace: str) -> Check:
    return _failed(
        "environment",
        "namespace-unmapped",
        f"the namespace {namespace[:80]!r} belongs to no environment",
        "declare the environment that has this namespace: chainward service environment",
    )


def _unknown(name: ImageName) -> Check:
    return _failed(
        "registry",
        "artifact-unknown",
        f"{name.repository} has no {name.digest or name.tag}",
        "push the image first (chainward push), or check repository, tag and digest",
    )


def _not_pinned(name: ImageName) -> Check:
    return _failed(
        "registry",
        "image-not-pinned",
        f"tags of {name.repository} may move, so what was checked need not be what the node will pull",
        "name the image by its digest, or register the mutating webhook, which does that",
    )
