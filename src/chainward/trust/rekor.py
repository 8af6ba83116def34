"""The log's side of a signature: check it, append it, prove it (the Rekor v2 write path).

In: a hashedrekord. Out: a log entry with its inclusion proof at a durable checkpoint that covers it. Follows the
rekor-tiles protocol: the body is canonical and holds nothing but the request, ``integratedTime`` is 0, ``logId`` is the
whole key hash. An entry that is already there is answered with the place it has: signatures are random, so only a
client's own retry meets itself, and no client understands a refusal.

Checked is what makes an entry an entry: the key is of the kind that it says, the digest as long as that kind signs, the
signature valid. Whether the key or the certificate is trusted is never asked: strangers in the log are worth seeing.

Index 0 is the log's own entry, written when the log is opened, and is never handed out: clients lose a zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.formats.bundle import InclusionProof, LogEntry
from chainward.formats.rekor import ENTRY_KIND, ENTRY_VERSION, HashedRekord, canonical_body
from chainward.keys.errors import KeyUnsupported
from chainward.keys.model import PublicKey, verify_certified
from chainward.ledger.errors import LogFrozen
from chainward.trust.errors import EntryUnsupported, LogGenesisMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.kernel.problem import Problem
    from chainward.keys.model import Scheme
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import Receipt
    from chainward.trust.model import TrustedLog

__all__ = ["Rekor", "Submission", "checked_body"]


@dataclass(frozen=True, slots=True)
class Submission:
    """An entry on its way into a log."""

    log: TrustedLog
    body: bytes


class Rekor:
    """The signature log of this platform, as those see it who submit to it; implements SignatureLog. Thread-safe.

    ``active`` says which shard takes entries now. It is asked again only when that shard is frozen: entries that come
    between freezing and asking go into the next one.
    """

    def __init__(self, ledger: Ledger, active: Callable[[], TrustedLog]) -> None:
        self._ledger = ledger
        self._active = active
        self._known: TrustedLog | None = None

    @property
    def log(self) -> TrustedLog:
        """The active shard."""
        return self._known or self.renewed()

    def active(self) -> TrustedLog:
        """Return the active shard, also where another replica has begun it just now."""
        log = self.log
        return log if self._ledger.head(log.origin).frozen_at is None else self.renewed()

    def renewed(self) -> TrustedLog:
        """Ask which shard is active now."""
        self._known = self._active()
        return self._known

    def submit(self, entry: HashedRekord) -> LogEntry:
        """Append a signature of the platform's own; see :meth:`log_signature`."""
        return self.log_signature(entry)

    def log_signature(self, request: HashedRekord, *, shard: TrustedLog | None = None) -> LogEntry:
        """Append a signature to the active shard (or to ``shard``), unless it is there, and return where it stands.

        When this returns, the entry and a checkpoint over it are durable.

        Raises:
            EntryUnsupported: a kind of key that the log does not take, or a key of another kind than it says.
            KeyMalformed: the public key or the certificate is not one.
            SignatureInvalid: the signature is not of that key over that digest.
            LogFrozen: ``shard`` takes no more entries.
            LedgerBusy: too many entries are waiting.
        """
        body = checked_body(request)
        try:
            return self._append(shard or self.log, body)
        except LogFrozen:
            if shard is not None:
                raise
            return self._append(self.renewed(), body)

    def begin(self, submission: Submission, done: Callable[[Receipt | Problem], None]) -> None:
        """Begin to append; ``done`` hears in another thread what became of it, for :meth:`finish`."""
        self._ledger.submit_once(submission.log.origin, submission.body, done)

    def finish(self, submission: Submission, receipt: Receipt) -> LogEntry:
        """Return the log entry of what was appended."""
        found = self._ledger.proof_of(submission.log.origin, receipt)
        if found.index == 0:
            raise LogGenesisMissing(f"log {found.origin} has no entry of its own at index 0")
        proof = InclusionProof(found.index, found.size, found.root, found.hashes, found.checkpoint.decode())
        return LogEntry(found.index, submission.log.key_id, ENTRY_KIND, ENTRY_VERSION, 0, proof, submission.body)

    def _append(self, log: TrustedLog, body: bytes) -> LogEntry:
        return self.finish(Submission(log, body), self._ledger.append_once(log.origin, body))


def checked_body(request: HashedRekord) -> bytes:
    """Return the leaf of a request whose signature holds; raises as :meth:`Rekor.log_signature` does."""
    try:
        scheme = _verified_scheme(request)
    except KeyUnsupported as problem:
        raise EntryUnsupported(f"this log does not take the key: {problem.message}") from None
    if scheme != request.key_details:
        raise EntryUnsupported(f"the key is a {scheme} key, not {request.key_details[:60]}")
    return canonical_body(request)


def _verified_scheme(request: HashedRekord) -> Scheme:
    if request.certificate_der:
        return verify_certified(request.certificate_der, request.digest, request.signature)
    key = PublicKey.from_der(request.public_key_der)
    if key.scheme == request.key_details:  # else it is refused for that, not for the digest of another length
        key.verify_prehashed(request.digest, request.signature)
    return key.scheme
