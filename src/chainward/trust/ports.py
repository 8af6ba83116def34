"""What trust needs from stores of signers and authorities, from who keeps keys, and from the services that sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from chainward.formats.bundle import LogEntry
    from chainward.formats.rekor import HashedRekord
    from chainward.kernel.digest import Digest
    from chainward.keys.model import PublicKey, Scheme
    from chainward.keys.ports import DigestSigner, Signer
    from chainward.keys.uri import KeyReference
    from chainward.trust.ambient import IdentityToken
    from chainward.trust.authority import Authority, AuthorityKind, AuthoritySnapshot
    from chainward.trust.custody import KeptKey, PendingAuthority
    from chainward.trust.distribution import OnlineKey, PublishedState, RootSummary
    from chainward.trust.material import TrustedAuthority, TrustMaterial
    from chainward.trust.model import TrustedLog, TrustSnapshot
    from chainward.trust.principal import VerifiedToken
    from chainward.trust.published import Publication

__all__ = [
    "AuthorityStore",
    "DistributionStore",
    "HeldEntries",
    "IssuingAuthorities",
    "KeyVault",
    "PublicationRecord",
    "SignatureLog",
    "SigningServices",
    "TokenVerifier",
    "TrustMetadata",
    "TrustStore",
]


class TrustStore(Protocol):
    """Where trusted signers are. Any thread may call it.

    What a committed TrustSigner or DistrustSigner changed is in every snapshot that is taken after its commit returned;
    the epoch of two snapshots is equal exactly if nothing was changed between them.
    """

    def snapshot(self) -> TrustSnapshot:
        """Return the present root with its epoch; cheap while nothing changes."""
        ...


class PublicationRecord(Protocol):
    """Where signatures came in. Any thread may call it; what was first stays first."""

    def publications(self, signature: Digest) -> Sequence[Publication]:
        """Return the repositories that a signature came into, the first first; see :mod:`chainward.trust.published`."""
        ...


class HeldEntries(Protocol):
    """The platform's own rows of its logs, which no stranger writes. Any thread may call it."""

    def holds(self, origin: str, index: int, leaf_hash: bytes) -> bool:
        """Whether log ``origin`` has the leaf with this hash at ``index``; False for a log that is not ours."""
        ...


class SignatureLog(Protocol):
    """A log that takes signatures and proves that it holds them. Any thread may call it."""

    @property
    def log(self) -> TrustedLog:
        """The log as its user knows it, from a source that the log's answers do not pass through."""
        ...

    def submit(self, entry: HashedRekord) -> LogEntry:
        """Return where ``entry`` stands, once a durable checkpoint covers it.

        Submitting the same entry again gives the place it already has. The answer is not to be believed unseen.
        """
        ...


class CertificateSource(Protocol):
    """A certificate authority that names the holder of a key for some minutes. Any thread may call it."""

    def certify(self, token: IdentityToken, signer: DigestSigner) -> tuple[bytes, ...]:
        """Return the certificate (DER) of the signer's key for whom ``token`` is about, then those of its issuers.

        The token goes to the authority and to nobody else. The answer is not to be believed unseen.
        """
        ...


class TimestampSource(Protocol):
    """A timestamp authority (RFC 3161). Any thread may call it."""

    @property
    def authorities(self) -> tuple[TrustedAuthority, ...]:
        """The authorities as its user knows them, from a source that its answers do not pass through."""
        ...

    def stamp(self, message: bytes) -> bytes:
        """Return a TimeStampResp (DER) that says that ``message`` existed. It is not to be believed unseen."""
        ...


class SigningServices(Protocol):
    """The services of one instance of Sigstore, this platform or another, and what is believed of them."""

    @property
    def material(self) -> TrustMaterial:
        """What is believed; it never comes from the services themselves."""
        ...

    @property
    def certificates(self) -> CertificateSource:
        """Who certifies keys; a Problem if nobody does."""
        ...

    @property
    def log(self) -> SignatureLog:
        """Where signatures are logged; a Problem if nowhere."""
        ...

    @property
    def stamps(self) -> TimestampSource:
        """Who stamps signatures; a Problem if nobody does."""
        ...

    @property
    def has_stamps(self) -> bool:
        """Whether anybody stamps signatures."""
        ...


class AuthorityStore(Protocol):
    """Where authorities and their keys are. Any thread may call it; all replicas see one store.

    What a commit changed is in every snapshot that is taken after its commit returned.
    """

    def snapshot(self) -> AuthoritySnapshot:
        """Return all authorities; cheap while nothing changes."""
        ...

    def stored(self) -> Sequence[Authority]:
        """Return all authorities as their rows are now, whatever was read before; for audits."""
        ...

    def kept_key(self, name: str) -> KeptKey:
        """Return how the private key of an authority is kept; raises AuthorityUnknown."""
        ...

    def pending(self, kind: AuthorityKind) -> PendingAuthority | None:
        """Return the instance that waits for its certificates, if there is one."""
        ...


class KeyVault(Protocol):
    """Makes and opens the keys of authorities. Any thread may call it."""

    def make(self, name: str, scheme: Scheme) -> tuple[KeptKey, DigestSigner]:
        """Make a new key that only this ``name`` opens, and return it kept and opened."""
        ...

    def refer(self, reference: KeyReference) -> DigestSigner:
        """Return the signer of a key that stays where it is; raises KeySealed, or what the holder raises."""
        ...

    def open(self, name: str, kept: KeptKey, public_key: PublicKey) -> DigestSigner:
        """Return the signer of ``public_key`` that was kept as ``name``; raises KeySealed."""
        ...


class TokenVerifier(Protocol):
    """Believes identity tokens, or not. Any thread may call it.

    It may ask an issuer for its keys, but only one that is configured, so no token makes it open a connection to a host
    of the token's choosing; it blocks for seconds at most.
    """

    def verify(self, token: str) -> VerifiedToken:
        """Return the claims of a token of a configured issuer, for its audience, valid now.

        Raises:
            TokenMalformed: it cannot be read.
            IssuerUntrusted: its issuer is not configured.
            IssuerUnreachable: the keys of the issuer cannot be had.
            TokenInvalid: its signature, audience or time is wrong.
        """
        ...


class IssuingAuthorities(Protocol):
    """The authorities whose keys certificates are made with. Any thread may call it."""

    def snapshot(self) -> AuthoritySnapshot:
        """Return all instances as they are now."""
        ...

    def signer(self, name: str) -> DigestSigner:
        """Return the signer of an instance; raises AuthorityUnknown or KeySealed."""
        ...


class DistributionStore(Protocol):
    """Where the TUF repository is. Any thread may call it; all replicas see one store."""

    def state(self) -> PublishedState | None:
        """Return what is published; None before the founding."""
        ...

    def file(self, path: str) -> bytes | None:
        """Return a published file, if there is one of this path."""
        ...

    def online_keys(self) -> Sequence[OnlineKey]:
        """Return every online key that was ever kept."""
        ...


class TrustMetadata(Protocol):
    """Writes and reads the metadata of The Update Framework. Pure; signs with what it is given."""

    def first_root(
        self, signers: Sequence[Signer], threshold: int, online: Mapping[str, PublicKey], expires: datetime
    ) -> bytes:
        """Return root 1 with the keys of ``signers``, signed by all of them; raises RootInvalid."""
        ...

    def next_root(
        self,
        current: bytes,
        signers: Sequence[Signer],
        expires: datetime,
        *,
        remove: Sequence[str] = (),
        online: Mapping[str, PublicKey] | None = None,
    ) -> bytes:
        """Return the root that follows ``current``, signed by all of ``signers``.

        Signers that are no keys of ``current`` become keys; ``remove`` names the key ids that go.

        Raises:
            RootInvalid: it would not be signed by enough keys of both, or a key to remove is none.
        """
        ...

    def check_next_root(self, current: bytes, candidate: bytes, now: datetime) -> RootSummary:
        """Return what ``candidate`` says if it may follow ``current``; raises RootInvalid."""
        ...

    def summary(self, root: bytes) -> RootSummary:
        """Return what a root says; raises RootInvalid for bytes that are none."""
        ...

    def targets(self, version: int, expires: datetime, files: Mapping[str, bytes], signer: Signer) -> bytes:
        """Return targets metadata about ``files``."""
        ...

    def snapshot(self, version: int, expires: datetime, targets_version: int, signer: Signer) -> bytes:
        """Return snapshot metadata."""
        ...

    def timestamp(self, version: int, expires: datetime, snapshot_version: int, signer: Signer) -> bytes:
        """Return timestamp metadata."""
        ...
