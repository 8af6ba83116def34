"""Follows what is pushed, and states about every bundle whether it was accepted, and when a collection is complete.

In: facts ``registry.pushed/1`` of referrers. Out: facts ``attest.attested/1``, ``attest.rejected/1`` and, once for each
artifact, ``attest.completed/1``. No gate decides by these facts: it verifies the evidence itself. They are for
timelines, service levels and detections, so they may come a moment after the push.

Each referrer is noted in the commit of its fact, so a crash, a second replica or a repetition states nothing twice. Its
position moves after that; what is in between is looked at again and passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from chainward.attest.complete import completeness
from chainward.attest.record import attested, completed, rejected
from chainward.delivery.errors import EvidenceNoted
from chainward.delivery.evidence import FAILURES, gather, read_bundle
from chainward.delivery.referrer import MAX_BUNDLE, is_bundle
from chainward.delivery.writes import MovePosition, NoteCompletion, NoteEvidence
from chainward.formats.intoto import CYCLONEDX, SLSA_PROVENANCE, TEST_RESULT
from chainward.kernel.digest import Digest
from chainward.kernel.identity import PLATFORM, Context
from chainward.kernel.name import RepositoryName
from chainward.kernel.problem import Problem
from chainward.registry.facts import Pushed
from chainward.trust.verify import OwnRecords, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.delivery.ports import EvidenceSource, EvidenceStore
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import FactBody, Recorded
    from chainward.trust.ports import TrustStore

__all__ = ["DEMANDED", "EvidenceFollower"]

DEMANDED: Final = frozenset({SLSA_PROVENANCE, CYCLONEDX, TEST_RESULT})
_PAGE: Final = 100


class EvidenceFollower:
    """Looks at evidence as it comes in. One at a time in a process; several replicas do no harm."""

    name: ClassVar[str] = "delivery.evidence"
    schemas: ClassVar[frozenset[str]] = frozenset({Pushed.schema})

    def __init__(
        self,
        ledger: Ledger,
        store: EvidenceStore,
        source: EvidenceSource,
        trust: TrustStore,
        *,
        demanded: frozenset[str] = DEMANDED,
        isolated_builders: frozenset[str] = frozenset(),
        own: OwnRecords = OwnRecords(),  # noqa: B008 - frozen
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._source = source
        self._trust = trust
        self._demanded = demanded
        self._isolated_builders = isolated_builders
        self._own = own

    def catch_up(self) -> int:
        """Look at everything that was pushed since the last time; returns how many facts were stated.

        Raises:
            Problem: the registry or the database failed; the next call goes on where this one stopped.
        """
        stated = 0
        position = self._store.position(self.name)
        while facts := self._ledger.facts(position, _PAGE, self.schemas):
            stated += self.apply(facts)
            position = facts[-1].index
            self._ledger.commit((), (MovePosition(self.name, position),), context=Context(PLATFORM, self.name))
        return stated

    def apply(self, facts: Sequence[Recorded]) -> int:
        """Look at the referrers among ``facts``; returns how many facts were stated about them."""
        stated = 0
        accepted: dict[tuple[RepositoryName, Digest], Context] = {}
        for fact in facts:
            body = fact.body
            if body is None or body["subject"] is None or not is_bundle(body["artifact_type"]):
                continue
            context = Context(PLATFORM, fact.correlation, fact.tenant)
            repository = RepositoryName(body["repository"])
            subject, referrer = Digest.parse(body["subject"]), Digest.parse(body["digest"])
            stated += self.record_evidence(repository, subject, referrer, context=context)
            accepted[repository, subject] = context
        return stated + sum(self._record_completion(*artifact, each) for artifact, each in accepted.items())

    def record_evidence(
        self, repository: RepositoryName, subject: Digest, referrer: Digest, *, context: Context
    ) -> int:
        """State about one referrer of ``subject`` whether it was accepted; 1 if that was new, else 0.

        Raises:
            Problem: the registry or the database failed; nothing was stated then.
        """
        if self._store.is_noted(repository, referrer):
            return 0
        fact = self._judged(repository, subject, referrer)
        return int(self._commit(fact, NoteEvidence(repository, referrer), context))

    def _judged(self, repository: RepositoryName, subject: Digest, referrer: Digest) -> FactBody:
        bundle = referrer
        try:
            data = read_bundle(self._source, repository, referrer, MAX_BUNDLE)
            bundle = Digest.of(data)
            root = self._trust.snapshot().root
            found = verify_bundle(data, root, subject=subject, repository=repository, own=self._own)
        except Problem as problem:
            if problem.kind in FAILURES:
                raise
            return rejected(problem, repository, subject, bundle)
        return attested(found, repository, subject, isolated_builders=self._isolated_builders)

    def _record_completion(self, repository: RepositoryName, subject: Digest, context: Context) -> int:
        if self._store.is_complete(repository, subject):
            return 0
        root = self._trust.snapshot().root
        where = (self._source, repository, subject, root)
        gathered = gather(*where, platform_key="", check_time=_unhurried, own=self._own)
        found = completeness(self._demanded, gathered.statements, subject)
        if not found.is_complete:
            return 0
        return int(self._commit(completed(repository, subject, found), NoteCompletion(repository, subject), context))

    def _commit(self, fact: FactBody, write: NoteEvidence | NoteCompletion, context: Context) -> bool:
        try:
            self._ledger.commit([fact], [write], context=context)
        except EvidenceNoted:
            return False
        return True


def _unhurried() -> None:
    """Take the time it takes."""
