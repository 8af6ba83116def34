"""Makes admissions durable before they are answered: the first of its kind as a fact, repetitions as rows.

Which decisions are known stands in the database; what is remembered here only spares a refused write. Rows are vouched
for by :class:`~chainward.delivery.facts.AdmissionsAnchored`: whoever alters, removes or slips in a row below the last
anchor is found by :meth:`AdmissionRecord.check`, which believes the facts alone: what the database says of its anchors
is held against them as well.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from chainward.delivery.errors import AdmissionKnown, AnchorMoved, AnchorViolated
from chainward.delivery.facts import AdmissionAllowed, AdmissionDenied, AdmissionsAnchored
from chainward.delivery.together import Together
from chainward.delivery.writes import Anchor, KeepAdmission, KeepAnchor, KeepRepeats, Repeat
from chainward.formats.codec import canonical_json
from chainward.kernel.identity import PLATFORM, Context
from chainward.kernel.instant import rfc3339
from chainward.portfolio.declare import deployment_of
from chainward.portfolio.model import Deployment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from chainward.delivery.ports import AdmissionStore
    from chainward.delivery.ruling import Case, Ruling
    from chainward.delivery.writes import RepeatRow
    from chainward.kernel.instant import Clock
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import FactBody, Write

__all__ = ["AdmissionRecord", "digest_of_rows"]

_REMEMBERED: Final = 65536
_PAGE: Final = 5000
_BEFORE_ALL: Final = -(1 << 63)
_IMAGE_TEXT: Final = 512
_REPEATS: Final = Context(PLATFORM, "admission-repeats")


class AdmissionRecord:
    """The durable memory of the admission gate. Thread-safe."""

    def __init__(self, ledger: Ledger, store: AdmissionStore, clock: Clock) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._known: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._repeats = Together(self._keep_repeats)

    def presence(self) -> AbstractContextManager[None]:
        """Say that a review is being decided, so that those who are decided at the same time share a commit."""
        return self._repeats.presence()

    def keep(self, case: Case, rulings: Sequence[Ruling], *, context: Context, deploys: bool) -> None:
        """Make decisions durable, and deployments if letting these images in deploys them; returns when they are.

        Raises:
            Problem: they are not; the review must not be answered then.
        """
        rulings = tuple({ruling.key: ruling for ruling in rulings}.values())  # a tag and its digest: one decision
        if not deploys or not any(ruling.is_deployment for ruling in rulings):
            known = self._known
            if all(ruling.key in known for ruling in rulings):
                self._repeats.keep(Repeat(ruling.key, case.request) for ruling in rulings)
                return
        while True:
            first = [ruling for ruling in rulings if ruling.key not in self._known]
            try:
                self._commit(case, rulings, first, context, deploys=deploys)
            except AdmissionKnown as refused:
                self._remember([refused.key])  # by another replica, or before a restart: one key less to try
            else:
                self._remember(ruling.key for ruling in rulings)
                return

    def anchor(self, *, context: Context) -> int:
        """Vouch for the repetitions that no fact vouches for yet; returns how many there were."""
        count = 0
        while rows := self._store.repeats(self._store.anchored(), _PAGE):
            fact = AdmissionsAnchored(first=rows[0].id, last=rows[-1].id, count=len(rows), sha256=digest_of_rows(rows))
            anchor = Anchor(fact.first, fact.last, fact.count, fact.sha256)
            try:
                self._ledger.commit([fact], [KeepAnchor(anchor)], context=context)
            except AnchorMoved:
                continue  # another replica was first; go on behind it
            count += len(rows)
        return count

    def check(self) -> int:
        """Hold every anchored row against the fact that vouches for it, and return how many there are.

        Raises:
            AnchorViolated: rows or anchors were altered, removed or slipped in.
        """
        before = self._store.anchors()
        anchors = self._stated()
        after = self._store.anchors()  # an anchor may come in meanwhile, with its fact; none may go
        if anchors[: len(before)] != [*before] or [*after[: len(anchors)]] != anchors:
            raise AnchorViolated("the anchors of the repeated admissions are not those that the facts state")
        count, last = 0, _BEFORE_ALL
        for anchor in anchors:
            rows = self._store.repeats(last, anchor.count + 1)
            own = [row for row in rows if row.id <= anchor.last]
            if len(own) != anchor.count or digest_of_rows(own) != anchor.sha256:
                raise AnchorViolated(
                    f"the repeated admissions {anchor.first} to {anchor.last} are not those that were recorded",
                    details={"first": anchor.first, "last": anchor.last},
                )
            count, last = count + anchor.count, anchor.last
        return count

    def _stated(self) -> list[Anchor]:
        """Return the anchors that facts state, in order."""
        anchors: list[Anchor] = []
        after = -1
        while facts := self._ledger.facts(after, _PAGE, frozenset({AdmissionsAnchored.schema})):
            after = facts[-1].index
            stated = (fact.body for fact in facts if fact.body is not None)
            anchors += [Anchor(body["first"], body["last"], body["count"], body["sha256"]) for body in stated]
        return anchors

    def _commit(
        self, case: Case, rulings: Sequence[Ruling], first: Sequence[Ruling], context: Context, *, deploys: bool
    ) -> None:
        facts: list[FactBody] = [_fact(case, ruling) for ruling in first]
        writes: list[Write] = [KeepAdmission(ruling.key, offset) for offset, ruling in enumerate(first)]
        if len(first) != len(rulings):
            new = {ruling.key for ruling in first}
            writes.append(KeepRepeats(tuple(Repeat(each.key, case.request) for each in rulings if each.key not in new)))
        for ruling in rulings:
            if deploys and ruling.is_deployment:
                fact, write = deployment_of(self._deployment(ruling))
                facts.append(fact)
                writes.append(write)
        self._ledger.commit(facts, writes, context=context)

    def _keep_repeats(self, repeats: tuple[Repeat, ...]) -> None:
        self._ledger.commit((), (KeepRepeats(repeats),), context=_REPEATS)

    def _deployment(self, ruling: Ruling) -> Deployment:
        assert ruling.environment is not None  # noqa: S101 - nothing is let into an unmapped namespace
        assert ruling.repository is not None  # noqa: S101 - nor an image that is not ours
        assert ruling.digest is not None  # noqa: S101 - nor one without a digest
        return Deployment(ruling.environment, ruling.repository, ruling.digest, self._clock.now())

    def _remember(self, keys: Iterable[str]) -> None:
        with self._lock:
            for key in keys:
                self._known[key] = None
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


def digest_of_rows(rows: Iterable[RepeatRow]) -> str:
    """Return the SHA-256 over rows, one canonical JSON array a line."""
    hasher = hashlib.sha256()
    for row in rows:
        hasher.update(canonical_json([row.id, row.key, rfc3339(row.at), row.request]) + b"\n")
    return hasher.hexdigest()


def _fact(case: Case, ruling: Ruling) -> AdmissionAllowed | AdmissionDenied:
    image = ruling.image[:_IMAGE_TEXT]
    repository = None if ruling.repository is None else str(ruling.repository)
    digest = None if ruling.digest is None else str(ruling.digest)
    epoch = None if ruling.snapshot is None else ruling.snapshot.policy_epoch
    policy = None if ruling.policy_digest is None else str(ruling.policy_digest)
    if not ruling.allowed:
        return AdmissionDenied(
            decision=ruling.decision,
            request=case.request,
            caller=case.caller,
            namespace=case.namespace,
            environment=ruling.environment,
            image=image,
            repository=repository,
            digest=digest,
            policy_epoch=epoch,
            policy_digest=policy,
            codes=tuple(dict.fromkeys(check.code for check in ruling.failures)),
        )
    return AdmissionAllowed(
        decision=ruling.decision,
        request=case.request,
        caller=case.caller,
        namespace=case.namespace,
        environment=ruling.environment or "",
        image=image,
        repository=repository or "",
        digest=digest or "",
        policy_epoch=epoch or 0,
        policy_digest=policy or "",
    )
