"""What trust needs from a store of signers and from a signature log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chainward.formats.bundle import LogEntry
    from chainward.formats.rekor import HashedRekord
    from chainward.trust.model import TrustedLog, TrustSnapshot

__all__ = ["SignatureLog", "TrustStore"]


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
