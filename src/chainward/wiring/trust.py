"""The services of the trust root: one object for each, built over the ledger and handed to the faces.

:class:`TrustServices` is ``platform.services``. :func:`open_signers` comes earlier: the writer of the ledger must know
who signs the checkpoints of which log before there is a ledger.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.kernel.identity import PLATFORM, Context
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chainward.adapters.keyring import OfflineKeys, PlatformKeys
    from chainward.adapters.sql.authorities import SqlAuthorityStore
    from chainward.adapters.sql.database import Database
    from chainward.adapters.sql.distribution import SqlDistributionStore
    from chainward.config import Config
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock
    from chainward.ledger.commit import Ledger
    from chainward.ledger.ports import CheckpointSigner
    from chainward.trust.authorities import Authorities
    from chainward.trust.certify import Certifier
    from chainward.trust.development import DevelopmentIssuer
    from chainward.trust.distribution import Distribution
    from chainward.trust.documents import Documents
    from chainward.trust.issuers import Issuers
    from chainward.trust.model import TrustedLog
    from chainward.trust.own_stamps import OwnStamps
    from chainward.trust.signing_keys import AuthoritySigners
    from chainward.trust.timestamp import Timestamps

__all__ = ["Signing", "TrustServices", "open_signers"]

_RENEWAL: Final = Context(PLATFORM, "trust-renewal")


@dataclass(frozen=True, slots=True)
class Signing:
    """Where the authorities are, and who signs for them."""

    store: SqlAuthorityStore
    signers: AuthoritySigners
    published: SqlDistributionStore


def open_signers(
    database: Database, keys: PlatformKeys, facts: CheckpointSigner, passphrase: Callable[[], bytes] | None
) -> Signing:
    """Return who signs checkpoints: ``facts`` for its own log, the authorities for theirs."""
    from chainward.adapters.keyring import Vault
    from chainward.adapters.sql.authorities import SqlAuthorityStore
    from chainward.adapters.sql.distribution import SqlDistributionStore
    from chainward.trust.signing_keys import AuthoritySigners

    store = SqlAuthorityStore(database)
    signers = AuthoritySigners(store, Vault(keys.sealing, passphrase), [facts])
    return Signing(store, signers, SqlDistributionStore(database))


class TrustServices:
    """The services of the trust root of one platform. Thread-safe."""

    def __init__(self, config: Config, ledger: Ledger, signing: Signing, clock: Clock, entropy: Entropy) -> None:
        self.config = config
        self.ledger = ledger
        self.clock = clock
        self.entropy = entropy
        self.authorities = self._open_authorities(signing)
        self.timestamps = self._open_timestamps()
        self.development_issuer = self._open_development_issuer()
        self.issuers = self._open_issuers()
        self.certifier = self._open_certifier()
        self.documents = self._open_documents()
        self.distribution = self._open_distribution(signing)

    def found(self, offline: OfflineKeys, *, context: Context) -> None:
        """Establish the first instance of every service; the keys of the roots are used here and not kept."""
        from chainward.trust.authority import AuthorityKind
        from chainward.trust.offline import OfflineRoot

        organization = self.config.instance.name
        ca, tsa = (
            OfflineRoot.new(kind, key, organization, self.clock, self.entropy)
            for kind, key in ((AuthorityKind.CA, offline.ca), (AuthorityKind.TSA, offline.tsa))
        )
        self.authorities.found(ca, tsa, self.entropy, context=context)
        self.distribution.found(offline.tuf, context=context)

    def refresh(self) -> None:
        """Publish what changed in the trust repository, and renew what is past half of its life."""
        _follow(self.distribution, _RENEWAL)

    def stamps(self) -> OwnStamps:
        """Return the timestamp authority for what the platform signs itself."""
        from chainward.trust.own_stamps import OwnStamps

        return OwnStamps(self.timestamps, self.authorities)

    def logs(self) -> dict[str, TrustedLog]:
        """Return the logs of authorities: the active ones as ``signatures`` and ``certificates``, others by name."""
        from chainward.trust.authority import AuthorityKind
        from chainward.trust.model import TrustedLog

        usual = {AuthorityKind.LOG: "signatures", AuthorityKind.CT: "certificates"}
        snapshot = self.authorities.snapshot()
        return {
            usual[each.kind] if each.is_active else each.name: TrustedLog.of(each.origin, each.public_key)
            for kind in usual
            for each in reversed(snapshot.of(kind))
        }

    def _open_authorities(self, signing: Signing) -> Authorities:
        from chainward.trust.authorities import Authorities

        return Authorities(self.ledger, signing.store, signing.signers, self.clock, self.config.instance.name)

    def _open_documents(self) -> Documents:
        from chainward.trust.documents import Documents, Places

        server = self.config.server
        own = () if self.development_issuer is None else (self.development_issuer.url,)
        issuers = (*own, *(each.url for each in self.config.trust.issuers if "*" not in each.url))
        places = Places(server.url, self.config.instance.name, issuers, is_certain=server.public_url is not None)
        return Documents(self.authorities, places)

    def _open_distribution(self, signing: Signing) -> Distribution:
        from chainward.adapters.tuf import TufMetadata
        from chainward.trust.distribution import Distribution

        tools = (signing.signers.vault, self.documents, self.clock)
        distribution = Distribution(self.ledger, signing.published, TufMetadata(), *tools)
        self.authorities.on_change(lambda context: _publish(distribution, context))
        return distribution

    def _open_development_issuer(self) -> DevelopmentIssuer | None:
        from chainward.trust.development import DevelopmentIssuer

        if not self.config.trust.development_issuer:
            return None
        return DevelopmentIssuer(f"{self.config.server.url}/dev/oidc", self.clock)

    def _open_issuers(self) -> Issuers:
        from chainward.trust.issuers import Issuers

        own = () if self.development_issuer is None else (self.development_issuer.issuer,)
        return Issuers((*self.config.trust.trusted_issuers(), *own))

    def _open_certifier(self) -> Certifier:
        from chainward.adapters.oidc import OidcVerifier
        from chainward.adapters.oidc_fetch import IssuerDocuments
        from chainward.adapters.oidc_keys import parse_keys
        from chainward.trust.certify import Certifier

        own = self.development_issuer
        local = {} if own is None else {own.url: parse_keys(own.key_set())}
        crowd = self.config.server.threads // 2
        tokens = OidcVerifier(self.issuers, IssuerDocuments(), self.clock, local=local, crowd=crowd)
        return Certifier(self.ledger, self.authorities, tokens, self.clock, self.entropy)

    def _open_timestamps(self) -> Timestamps:
        from chainward.trust.timestamp import Timestamps

        def known() -> datetime:
            return max(head.moved_at for head in self.ledger.logs())

        return Timestamps(self.authorities, self.clock, self.entropy, known)


def _follow(distribution: Distribution, context: Context) -> None:
    """Publish what changed; before the founding there is nothing to publish in."""
    if distribution.is_founded:
        distribution.refresh(context=context)


def _publish(distribution: Distribution, context: Context) -> None:
    """Publish after a change that is durable; the renewal tries again, and reports, what cannot be published now."""
    with suppress(Problem):
        _follow(distribution, context)
