"""A running platform: its rooms, built by constructor and handed down, and its background work."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from chainward.kernel.identity import PLATFORM, Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.access.authenticate import Authenticator
    from chainward.access.sessions import RegistrySessions
    from chainward.access.tokens import Tokens
    from chainward.adapters.keyring import PlatformKeys
    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.delivery import SqlDecisionReader, SqlDeliveryStore
    from chainward.config import Config
    from chainward.delivery.admit import Admission
    from chainward.delivery.evidence import Gathered
    from chainward.delivery.promote import Promoter
    from chainward.delivery.record import AdmissionRecord
    from chainward.delivery.timeline import Timelines
    from chainward.delivery.verdict import Judge
    from chainward.kernel.digest import Digest
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock
    from chainward.kernel.name import RepositoryName
    from chainward.ledger.audit import AuditReport
    from chainward.ledger.commit import Ledger
    from chainward.ledger.follow import Followers
    from chainward.policy.activate import Policies
    from chainward.portfolio.declare import Portfolios
    from chainward.registry.registry import Registry
    from chainward.trust.model import TrustedLog
    from chainward.trust.ports import SignatureLog, TrustStore
    from chainward.trust.rekor import Rekor
    from chainward.trust.revocations import SignatureRevocations
    from chainward.trust.shards import Shards
    from chainward.trust.signers import Signers
    from chainward.trust.verify import OwnRecords
    from chainward.wiring.trust import TrustServices
    from chainward.wiring.witness import WitnessServices

__all__ = ["Platform"]

_ANCHORS: Final = Context(PLATFORM, "anchor")
_ANCHOR_INTERVAL: Final = timedelta(minutes=1)
_TRUST_INTERVAL: Final = timedelta(minutes=10)
_EXPIRY_INTERVAL: Final = timedelta(minutes=10)
_EVIDENCE_INTERVAL: Final = timedelta(seconds=5)


class Platform:
    """A running platform: every verb, ready to be called from any thread, until :meth:`close`.

    ``report`` hears of failures in the background work, ``release`` is called at the very end.
    """

    def __init__(
        self,
        config: Config,
        keys: PlatformKeys,
        clock: Clock,
        entropy: Entropy,
        *,
        report: Callable[[str, Exception], None],
        release: Callable[[], None],
    ) -> None:
        self.config = config
        self.keys = keys
        self.clock = clock
        self.entropy = entropy
        self.facts_origin = f"facts.{config.instance.name}"
        self._report = report
        self._closing = ExitStack()
        self._closing.callback(release)
        try:
            self.database, self.ledger, self.services = self._open_ledger()
            self.witnessing = self._open_witnessing()
            self.authenticator, self.tokens, self.registry_sessions = self._open_access()
            self.portfolios, self.policies = self._open_declarations()
            self.trust, self.signers = self._open_trust()
            self.shards, self.rekor = self._open_shards()
            self.own_records, self.signature_revocations = self._open_records()
            self.registry = self._open_registry()
            self.reader, self._deliveries, self.judge = self._open_judge()
            self.promoter = self._open_promoter()
            self.admissions, self.admission = self._open_admission()
            self.followers, self.timelines = self._open_projections()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Begin the background work: projections, statements about new evidence, anchors, expiry."""
        from chainward.adapters.background import Periodic
        from chainward.delivery.record_evidence import EvidenceFollower

        self.followers.start()
        self._closing.callback(self.followers.stop)
        builders = frozenset(self.config.gates.isolated_builders)
        evidence = EvidenceFollower(
            self.ledger,
            self._deliveries,
            self.registry,
            self.trust,
            isolated_builders=builders,
            own=self.own_records,
        )
        stating = Periodic("evidence", _EVIDENCE_INTERVAL, evidence.catch_up, self._report)
        renewing = Periodic("trust", _TRUST_INTERVAL, self.services.refresh, self._report)
        renewing.wake.set()  # the documents may have expired while the platform stood still
        self.ledger.notify(stating.wake)
        for work in (
            stating,
            renewing,
            Periodic("anchors", _ANCHOR_INTERVAL, self.anchor, self._report),
            Periodic("witnesses", _ANCHOR_INTERVAL, self.witnessing.witnesses.submit, self._report),
            Periodic("expiry", _EXPIRY_INTERVAL, self.registry.uploads.expire, self._report),
        ):
            work.start()
            self._closing.callback(work.stop)

    def log_sizes(self) -> dict[str, int]:
        """Return the size of every log; that this answers is what readiness means."""
        return {head.origin: head.size for head in self.ledger.logs()}

    @property
    def signatures_origin(self) -> str:
        """The origin of the active signature log."""
        return self.logs["signatures"].origin

    @property
    def logs(self) -> dict[str, TrustedLog]:
        """All logs by name: ``facts``, ``signatures`` and ``certificates`` (the active ones), and every retired one."""
        from chainward.trust.model import TrustedLog

        facts = TrustedLog.of(self.facts_origin, self.keys.facts.public_key)
        return {"facts": facts, **self.services.logs()}

    def trusted_root(self) -> bytes:
        """Return the Sigstore trusted root: every service of this platform that is believed."""
        return self.services.documents.current().trusted_root

    def trust_export(self) -> bytes:
        """Return all that verification needs, in one file for where no network is."""
        from chainward.trust.export import TrustExport, encode_export

        root = self.trust.snapshot().root
        heads = self.ledger.logs()
        export = TrustExport(
            instance=self.config.instance.name,
            exported_at=self.clock.now(),
            trusted_root=self.trusted_root(),
            tuf_root=self.services.distribution.root(),
            authorities=self.services.authorities.snapshot().authorities,
            signers=root.signers,
            revocations=root.revocations,
            checkpoints={head.origin: head.checkpoint.decode() for head in heads if head.content != "facts"},
            witnesses=tuple(str(each.key) for each in self.witnessing.witnesses.listed()),
        )
        return encode_export(export)

    def evidence_of(self, repository: RepositoryName, digest: Digest) -> Gathered:
        """Return the evidence about an artifact, verified now."""
        from chainward.delivery.evidence import gather

        where = (self.registry, repository, digest, self.trust.snapshot().root)
        return gather(*where, platform_key=self._fingerprint, check_time=lambda: None, own=self.own_records)

    def anchor(self) -> None:
        """Let the facts log vouch for the other logs, and for the repeated admissions."""
        from chainward.ledger.anchor import anchor

        anchor(self.ledger)
        self.admissions.anchor(context=_ANCHORS)

    def audit(self) -> AuditReport:
        """Recompute everything that is stored; raises LogTampered with all findings."""
        from chainward.delivery.reconcile import Reconciliation
        from chainward.ledger.audit import audit

        with self.ledger.inspect() as view:
            report = audit(view, {log.origin: log.public_key for log in self.logs.values()})
        # Only now: the facts that vouch for the rows are proven to be those of the log.
        Reconciliation(
            self.ledger,
            self.registry.revocations,
            self.signers,
            self.signature_revocations,
            self.services.authorities,
            self.services.distribution,
            self.policies,
            self.tokens,
            self.admissions,
        ).check()
        return report

    def close(self) -> None:
        """Stop the background work, finish what was handed in, let go of database and lock."""
        self._closing.close()

    def _on_behalf_of(self, context: Context) -> SignatureLog:
        del context  # the log holds who signed; who asked for it stands in the facts of the verb
        return self.rekor

    def _open_shards(self) -> tuple[Shards, Rekor]:
        from chainward.trust.rekor import Rekor
        from chainward.trust.shards import Shards

        shards = Shards(self.services.authorities.snapshot)
        return shards, Rekor(self.ledger, shards.active)

    @property
    def _fingerprint(self) -> str:
        return self.keys.platform.public_key.fingerprint

    def _open_ledger(self) -> tuple[Database, Ledger, TrustServices]:
        from sqlalchemy.exc import DBAPIError

        from chainward.adapters.sql.database import Database
        from chainward.adapters.sql.errors import DatabaseUnavailable
        from chainward.adapters.sql.handlers import handlers
        from chainward.adapters.sql.ledger import SqlLedgerStore
        from chainward.adapters.sql.migrate import migrate
        from chainward.adapters.sql.setup import open_logs
        from chainward.adapters.sql.writer import Writer
        from chainward.ledger.checkpoint import NoteSigner
        from chainward.ledger.commit import Ledger
        from chainward.wiring.trust import TrustServices, open_signers

        database = Database.open(self.config.database_url)
        self._closing.callback(database.close)
        facts = NoteSigner(self.facts_origin, self.keys.facts)
        signing = open_signers(database, self.keys, facts, self._passphrase)
        try:
            migrate(database)
            open_logs(database, facts, [], self.clock, self.entropy)
        except DBAPIError as error:
            raise DatabaseUnavailable(f"the database cannot be opened: {type(error.orig).__name__}") from error
        writer = Writer(database, signing.signers, facts.origin, handlers(), self.clock)
        ledger = Ledger(SqlLedgerStore(database, writer), self.entropy)
        writer.start()
        self._closing.callback(ledger.close)
        return database, ledger, TrustServices(self.config, ledger, signing, self.clock, self.entropy)

    def _passphrase(self) -> bytes:
        from chainward.adapters.home import DataFolder

        return DataFolder(self.config.folder).read_passphrase(self.config.passphrase_file)

    def _open_witnessing(self) -> WitnessServices:
        from chainward.wiring.witness import WitnessServices

        services = WitnessServices(self.config, self.database, self.keys.sealing, self.ledger, self.clock)
        self._closing.callback(services.close)
        return services

    def _open_access(self) -> tuple[Authenticator, Tokens, RegistrySessions]:
        from chainward.access.authenticate import Authenticator
        from chainward.access.sessions import RegistrySessions
        from chainward.access.tokens import Tokens
        from chainward.adapters.session_tokens import JwtSessionMint
        from chainward.adapters.sql.access import SqlAccessStore

        store = SqlAccessStore(self.database)
        authenticator = Authenticator(store, self.clock)
        tokens = Tokens(self.ledger, store, authenticator, self.clock, self.entropy)
        mint = JwtSessionMint(self.keys.sealing.derived("registry sessions"), self.config.instance.name)
        anonymous = self.config.registry.for_anybody
        return authenticator, tokens, RegistrySessions(authenticator, mint, self.clock, anonymous)

    def _open_declarations(self) -> tuple[Portfolios, Policies]:
        from chainward.adapters.sql.policy import SqlPolicyStore
        from chainward.adapters.sql.portfolio import SqlPortfolioStore
        from chainward.policy.activate import Policies
        from chainward.portfolio.declare import Portfolios

        portfolios = Portfolios(self.ledger, SqlPortfolioStore(self.database), self.clock)
        return portfolios, Policies(self.ledger, SqlPolicyStore(self.database))

    def _open_trust(self) -> tuple[TrustStore, Signers]:
        from chainward.adapters.sql.trust import SqlTrustStore
        from chainward.trust.signers import Signers

        store = SqlTrustStore(self.database)
        return store, Signers(self.ledger, store, self.clock)

    def _open_records(self) -> tuple[OwnRecords, SignatureRevocations]:
        from chainward.adapters.sql.publications import SqlPublications
        from chainward.trust.held import LedgerEntries
        from chainward.trust.revocations import SignatureRevocations
        from chainward.trust.verify import OwnRecords

        own = OwnRecords(LedgerEntries(self.ledger), SqlPublications(self.database))
        return own, SignatureRevocations(self.ledger, self.trust, self.clock)

    def _open_registry(self) -> Registry:
        from chainward.adapters.blobs.local import LocalBlobs
        from chainward.adapters.sql.registry import SqlRegistryStore
        from chainward.delivery.publication import PublicationNotes
        from chainward.registry.model import Limits, RepositoryRules
        from chainward.registry.registry import open_registry

        store, settings = SqlRegistryStore(self.database), self.config.registry
        blobs = LocalBlobs(self.config.blobs, self.config.uploads)
        rules = RepositoryRules(settings.mutable)
        limits = Limits(settings.blob_limit, timedelta(hours=settings.upload_hours))
        tools = (self.ledger, self.clock, self.entropy)
        return open_registry(store, blobs, blobs, *tools, rules=rules, limits=limits, notes=PublicationNotes())

    def _open_judge(self) -> tuple[SqlDecisionReader, SqlDeliveryStore, Judge]:
        from chainward.adapters.sql.delivery import SqlDecisionReader, SqlDeliveryStore
        from chainward.delivery.verdict import Judge

        reader = SqlDecisionReader(self.database)
        judge = Judge(
            reader,
            self.registry,
            self.policies,
            self.trust,
            self.portfolios,
            self.clock,
            platform_key=self._fingerprint,
            host=self.config.hosts[0],
            own=self.own_records,
        )
        return reader, SqlDeliveryStore(self.database), judge

    def _open_promoter(self) -> Promoter:
        from chainward.delivery.local import LocalRegistry
        from chainward.delivery.promote import Promoter, Verifier

        verifier = Verifier(
            f"https://{self.config.instance.name}",
            self.config.hosts[0],
            self.keys.platform,
            self._on_behalf_of,
            self.services.stamps(),
        )
        rooms = (self.judge, self.portfolios, self.registry, lambda context: LocalRegistry(self.registry, context))
        return Promoter(*rooms, self._deliveries, self.ledger, self.clock, verifier)

    def _open_admission(self) -> tuple[AdmissionRecord, Admission]:
        from chainward.delivery.admit import Admission, AdmissionRules, Controllers
        from chainward.delivery.record import AdmissionRecord
        from chainward.registry.model import RepositoryRules

        record = AdmissionRecord(self.ledger, self._deliveries, self.clock)
        rules = AdmissionRules(
            hosts=frozenset(self.config.hosts),
            repositories=RepositoryRules(self.config.registry.mutable),
            controllers=Controllers(self.config.gates.controllers),
        )
        return record, Admission(self.judge, record, self.portfolios, self.clock, rules)

    def _open_projections(self) -> tuple[Followers, Timelines]:
        from chainward.adapters.sql.database import Database
        from chainward.adapters.sql.projections import SqlProjectionStore
        from chainward.adapters.sql.subjects import SUBJECTS, SqlSubjectIndex
        from chainward.delivery.timeline import Timelines
        from chainward.ledger.follow import Followers

        database = Database.open(self.config.projections_url, derived=True)
        self._closing.callback(database.close)
        followers = Followers(self.ledger, SqlProjectionStore(database, [SUBJECTS]))
        followers.open()
        return followers, Timelines(self.ledger, SqlSubjectIndex(database), self.facts_origin)
