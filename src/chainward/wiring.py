"""The one place where ports meet adapters: from a :class:`~chainward.config.Config` to a running :class:`Platform`.

:func:`initialise` makes a new platform, :func:`open_platform` starts one, :func:`remote` gives the client's view of one
that runs elsewhere. Everything is built by constructor and handed down; nothing is global, so a test may run several
platforms in one process. Imports stand inside the functions, so that a client does not load what only a server needs.
"""

from __future__ import annotations

import base64
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from chainward.adapters.system import SystemClock, SystemEntropy
from chainward.kernel.identity import PLATFORM, Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.access.authenticate import Authenticator
    from chainward.access.tokens import IssuedToken, Tokens
    from chainward.adapters.home import DataFolder
    from chainward.adapters.remote import Remote
    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.writer import Handler
    from chainward.config import Config
    from chainward.delivery.evidence import Gathered
    from chainward.kernel.digest import Digest
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock
    from chainward.kernel.name import RepositoryName
    from chainward.keys.local import PrivateKey
    from chainward.ledger.commit import Ledger
    from chainward.policy.activate import Policies
    from chainward.portfolio.declare import Portfolios
    from chainward.registry.registry import Registry
    from chainward.trust.model import TrustedLog
    from chainward.trust.ports import TrustStore
    from chainward.trust.rekor import Rekor
    from chainward.trust.signers import Signers

__all__ = ["Platform", "PlatformKeys", "initialise", "open_platform", "remote"]

_FACTS_KEY: Final = "facts-log"
_SIGNATURES_KEY: Final = "signature-log"
_PLATFORM_KEY: Final = "platform"
_PASSPHRASE_BYTES: Final = 32
_FIRST_ADMIN: Final = "first-admin"
_ENVIRONMENTS: Final = (("dev", 10), ("staging", 20), ("prod", 30))
_INIT: Final = Context(PLATFORM, "init")


@dataclass(frozen=True, slots=True)
class PlatformKeys:
    """The platform's own keys: one for each log, one for what the platform itself states (VSAs)."""

    facts: PrivateKey
    signatures: PrivateKey
    platform: PrivateKey


class Platform:
    """A running platform: every verb, ready to be called from any thread, until :meth:`close`."""

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
        self.signatures_origin = f"log.{config.instance.name}"
        self._report = report
        self._closing = ExitStack()
        self._closing.callback(release)
        try:
            self.database, self.ledger = self._open_ledger()
            self.authenticator, self.tokens = self._open_access()
            self.portfolios = self._open_portfolio()
            self.policies = self._open_policy()
            self.logs, self.trust, self.signers, self.rekor = self._open_trust()
            self.registry = self._open_registry()
        except BaseException:
            self.close()
            raise

    def log_sizes(self) -> dict[str, int]:
        """Return the size of every log; that this answers is what readiness means."""
        return {head.origin: head.size for head in self.ledger.logs()}

    def trusted_root(self) -> bytes:
        """Return the Sigstore trusted root of the signature log."""
        from chainward.trust.root import trusted_root_json

        return trusted_root_json([self.logs["signatures"]], self.ledger.fact(0).recorded_at)

    def evidence_of(self, repository: RepositoryName, digest: Digest) -> Gathered:
        """Return the evidence about an artifact, verified now."""
        from chainward.delivery.evidence import gather

        return gather(
            self.registry,
            repository,
            digest,
            self.trust.snapshot().root,
            platform_key=self.keys.platform.public_key.fingerprint,
            check_time=lambda: None,
        )

    def close(self) -> None:
        """Finish what was handed in, stop the background work, let go of database and lock."""
        self._closing.close()

    def _open_ledger(self) -> tuple[Database, Ledger]:
        from chainward.adapters.sql.database import Database
        from chainward.adapters.sql.ledger import SqlLedgerStore
        from chainward.adapters.sql.migrate import migrate
        from chainward.adapters.sql.setup import open_logs
        from chainward.adapters.sql.writer import Writer
        from chainward.ledger.checkpoint import NoteSigner
        from chainward.ledger.commit import Ledger

        database = Database.open(self.config.database_url)
        self._closing.callback(database.close)
        migrate(database)
        facts = NoteSigner(self.facts_origin, self.keys.facts)
        signatures = NoteSigner(self.signatures_origin, self.keys.signatures)
        open_logs(database, facts, [signatures], self.clock, self.entropy)
        writer = Writer(database, [facts, signatures], facts.origin, _handlers(), self.clock)
        ledger = Ledger(SqlLedgerStore(database, writer), self.entropy)
        writer.start()
        self._closing.callback(ledger.close)
        return database, ledger

    def _open_access(self) -> tuple[Authenticator, Tokens]:
        from chainward.access.authenticate import Authenticator
        from chainward.access.tokens import Tokens
        from chainward.adapters.sql.access import SqlAccessStore

        store = SqlAccessStore(self.database)
        authenticator = Authenticator(store, self.clock)
        return authenticator, Tokens(self.ledger, store, authenticator, self.clock, self.entropy)

    def _open_policy(self) -> Policies:
        from chainward.adapters.sql.policy import SqlPolicyStore
        from chainward.policy.activate import Policies

        return Policies(self.ledger, SqlPolicyStore(self.database))

    def _open_trust(self) -> tuple[dict[str, TrustedLog], TrustStore, Signers, Rekor]:
        from chainward.adapters.sql.trust import SqlTrustStore
        from chainward.trust.model import TrustedLog
        from chainward.trust.rekor import Rekor
        from chainward.trust.signers import Signers

        facts = TrustedLog.of(self.facts_origin, self.keys.facts.public_key)
        signatures = TrustedLog.of(self.signatures_origin, self.keys.signatures.public_key)
        store = SqlTrustStore(self.database, [signatures])
        rekor = Rekor(self.ledger, signatures)
        logs = {"facts": facts, "signatures": signatures}
        return logs, store, Signers(self.ledger, store, self.clock), rekor

    def _open_registry(self) -> Registry:
        from chainward.adapters.blobs.local import LocalBlobs
        from chainward.adapters.sql.registry import SqlRegistryStore
        from chainward.registry.model import Limits, RepositoryRules
        from chainward.registry.registry import open_registry

        rules = self.config.registry
        blobs = LocalBlobs(self.config.blobs, self.config.uploads)
        return open_registry(
            SqlRegistryStore(self.database),
            blobs,
            blobs,
            self.ledger,
            self.clock,
            self.entropy,
            rules=RepositoryRules(rules.mutable),
            limits=Limits(rules.blob_limit, timedelta(hours=rules.upload_hours)),
        )

    def _open_portfolio(self) -> Portfolios:
        from chainward.adapters.sql.portfolio import SqlPortfolioStore
        from chainward.portfolio.declare import Portfolios

        return Portfolios(self.ledger, SqlPortfolioStore(self.database), self.clock)


def initialise(
    config: Config, *, clock: Clock | None = None, entropy: Entropy | None = None, passphrase: bytes | None = None
) -> IssuedToken:
    """Make a new platform: data folder, keys, database, logs, environments, starter policy; return the first token.

    Without a passphrase file in the configuration, and without ``passphrase``, one is made beside the keys.

    Raises:
        AlreadyInitialised: the folder holds a platform already.
    """
    from chainward.access.model import EVERYWHERE, PLATFORM_PRINCIPAL, Binding, Role
    from chainward.adapters.home import AlreadyInitialised, DataFolder
    from chainward.ledger.errors import LogKeyChanged
    from chainward.policy.starter import starter_policy

    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    folder = DataFolder(config.folder)
    folder.create()
    try:
        keys = _make_keys(config, folder, entropy, passphrase)
        platform = Platform(config, keys, clock, entropy, report=_raise, release=folder.lock().release)
        with closing(platform):
            _declare_environments(platform.portfolios)
            platform.policies.activate(starter_policy(), context=_INIT)
            admin = Binding(Role.ADMIN, EVERYWHERE)
            token = platform.tokens.issue(PLATFORM_PRINCIPAL, _FIRST_ADMIN, [admin], context=_INIT)
        folder.complete(config.instance.name)
    except LogKeyChanged as changed:
        folder.discard()
        raise AlreadyInitialised("the database holds the logs of a platform already") from changed
    except BaseException:
        folder.discard()
        raise
    return token


def open_platform(
    config: Config,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    report: Callable[[str, Exception], None] | None = None,
) -> Platform:
    """Start the platform of a data folder; ``report`` hears of failures in its background work.

    Raises:
        NotInitialised: there is none.
        InstanceRunning: another process runs on the same folder (on SQLite; on PostgreSQL replicas are welcome).
    """
    from chainward.adapters.home import DataFolder

    folder = DataFolder(config.folder)
    folder.check(config.instance.name)
    release = folder.lock().release if config.database_url.startswith("sqlite") else _nothing
    try:
        keys = _load_keys(config, folder)
    except BaseException:
        release()
        raise
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    return Platform(config, keys, clock, entropy, report=report or _raise, release=release)


def remote(url: str, token: str | None, *, certificate_authority: str | None = None) -> Remote:
    """Return a platform that runs elsewhere, as its client sees it."""
    from chainward.adapters.remote import Remote

    return Remote(url, token, certificate_authority=certificate_authority)


def _make_keys(config: Config, folder: DataFolder, entropy: Entropy, passphrase: bytes | None) -> PlatformKeys:
    from chainward.keys.local import generate
    from chainward.keys.model import Scheme

    if config.passphrase_file.exists():
        passphrase = folder.read_passphrase(config.passphrase_file)
    else:
        passphrase = passphrase or base64.urlsafe_b64encode(entropy.bytes(_PASSPHRASE_BYTES))
        folder.write_secret(config.passphrase_file, passphrase + b"\n")
    keys = PlatformKeys(generate(Scheme.ED25519), generate(Scheme.ED25519), generate(Scheme.ECDSA_P256_SHA256))
    for name, key in ((_FACTS_KEY, keys.facts), (_SIGNATURES_KEY, keys.signatures), (_PLATFORM_KEY, keys.platform)):
        folder.store_key(name, key, passphrase)
    return keys


def _load_keys(config: Config, folder: DataFolder) -> PlatformKeys:
    passphrase = folder.read_passphrase(config.passphrase_file)
    return PlatformKeys(*(folder.load_key(name, passphrase) for name in (_FACTS_KEY, _SIGNATURES_KEY, _PLATFORM_KEY)))


def _declare_environments(portfolios: Portfolios) -> None:
    """Declare the usual three; a namespace that no environment names belongs to none, and nothing is let in there."""
    from chainward.portfolio.model import Environment, NamespacePattern

    for name, order in _ENVIRONMENTS:
        portfolios.declare_environment(Environment(name, order, (NamespacePattern(name),)), context=_INIT)


def _handlers() -> dict[type[Any], Handler]:
    """Return what carries out every write of every room."""
    from chainward.adapters.sql import access, policy, portfolio, registry, trust

    handlers: dict[type[Any], Handler] = {}
    for room in (access, policy, portfolio, registry, trust):
        handlers.update(room.WRITES)
    return handlers


def _raise(name: str, error: Exception) -> None:
    raise RuntimeError(f"the background work {name} failed") from error


def _nothing() -> None:
    """Release nothing."""
