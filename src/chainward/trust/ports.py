"""What trust needs from a store of signers and authorities, from who keeps keys, and from a signature log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chainward.formats.bundle import LogEntry
    from chainward.formats.rekor import HashedRekord
    from chainward.keys.model import PublicKey, Scheme
    from chainward.keys.ports import DigestSigner
    from chainward.trust.authority import AuthorityKind, AuthoritySnapshot
    from chainward.trust.custody import KeptKey, PendingAuthority
    from chainward.trust.model import TrustedLog, TrustSnapshot

__all__ = ["AuthorityStore", "KeyVault", "SignatureLog", "TrustStore"]


class TrustStore(Protocol):
    """Where trusted signers are. Any thread may call it.

    What a committed TrustSigner or DistrustSigner changed is in every snapshot that is taken after its commit returned;
    the epoch of two snapshots is equal exactly if nothing was changed between them.
    """

    def snapshot(self) -> TrustSnapshot:
        """Return the present root with its epoch; cheap while nothing changes."""
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


class AuthorityStore(Protocol):
    """Where authorities and their keys are. Any thread may call it; all replicas see one store.

    What a commit changed is in every snapshot that is taken after its commit returned.
    """

    def snapshot(self) -> AuthoritySnapshot:
        """Return all authorities; cheap while nothing changes."""
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

    def open(self, name: str, kept: KeptKey, public_key: PublicKey) -> DigestSigner:
        """Return the signer of ``public_key`` that was kept as ``name``; raises KeySealed."""
        ...
