"""The log's side of a signature: check it, append it, prove it (the Rekor v2 write path).

In: a hashedrekord. Out: a log entry with its inclusion proof at a durable checkpoint that covers it. Follows the
rekor-tiles protocol: the body is canonical and holds nothing but the request, ``integratedTime`` is 0, ``logId`` is the
whole key hash. An entry that is already there is answered with the place it has: signatures are random, so only a
client's own retry meets itself, and no client understands a refusal.

Index 0 is the log's own entry, written when the log is started, and is never handed out: clients lose a zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.formats.bundle import InclusionProof, LogEntry
from chainward.formats.rekor import ENTRY_KIND, ENTRY_VERSION, HashedRekord, canonical_body
from chainward.keys.model import PublicKey, Scheme
from chainward.ledger.proofs import leaf_hash
from chainward.trust.errors import EntryUnsupported, LogGenesisMissing
from chainward.trust.facts import SignatureLogged

if TYPE_CHECKING:
    from chainward.kernel.identity import Context
    from chainward.ledger.commit import Ledger
    from chainward.trust.model import TrustedLog

__all__ = ["Rekor"]


class Rekor:
    """The signature log of this platform, as those see it who submit to it. Thread-safe."""

    def __init__(self, ledger: Ledger, log: TrustedLog) -> None:
        self._ledger = ledger
        self.log = log

    def log_signature(self, request: HashedRekord, *, context: Context) -> LogEntry:
        """Append a signature, unless it is there, and return where it stands.

        When this returns, the entry and a checkpoint over it are durable. Anybody's valid signature is logged: whether
        the key is trusted is asked when a bundle is verified, and strangers in the log are worth seeing.

        Raises:
            EntryUnsupported: a certificate, or another key than P-256.
            KeyMalformed: the public key is not one.
            SignatureInvalid: the signature is not of that key over that digest.
        """
        key = _checked_key(request)
        key.verify_prehashed(request.digest, request.signature)
        body = canonical_body(request)
        with self._ledger.view() as view:
            index = view.position_of(self.log.origin, body)
        if index is None:
            index = self._append(body, key, request.digest, context)
        if index == 0:
            raise LogGenesisMissing(f"log {self.log.origin} has no entry of its own at index 0")
        return self._entry(index, body)

    def on_behalf_of(self, context: Context) -> _OwnLog:
        """Return this log as a SignatureLog whose submissions happen within ``context``."""
        return _OwnLog(self, context)

    def _append(self, body: bytes, key: PublicKey, digest: bytes, context: Context) -> int:
        fact = SignatureLogged(
            origin=self.log.origin,
            leaf=leaf_hash(body).hex(),
            fingerprint=key.fingerprint,
            digest=f"sha256:{digest.hex()}",
        )
        return self._ledger.commit([fact], context=context, entries=[(self.log.origin, body)]).entries[0]

    def _entry(self, index: int, body: bytes) -> LogEntry:
        found = self._ledger.inclusion(self.log.origin, index)
        proof = InclusionProof(index, found.size, found.root, found.hashes, found.checkpoint.decode())
        return LogEntry(index, self.log.key_id, ENTRY_KIND, ENTRY_VERSION, 0, proof, body)


@dataclass(frozen=True, slots=True)
class _OwnLog:
    """Our own log as a SignatureLog, for what the platform signs itself."""

    rekor: Rekor
    context: Context

    @property
    def log(self) -> TrustedLog:
        return self.rekor.log

    def submit(self, entry: HashedRekord) -> LogEntry:
        return self.rekor.log_signature(entry, context=self.context)


def _checked_key(request: HashedRekord) -> PublicKey:
    if request.certificate_der:
        raise EntryUnsupported("this log does not take certificates")
    if request.key_details != Scheme.ECDSA_P256_SHA256:
        raise EntryUnsupported(f"this log does not take {request.key_details[:60]} keys")
    key = PublicKey.from_der(request.public_key_der)
    if key.scheme != request.key_details:
        raise EntryUnsupported(f"the key is a {key.scheme} key, not {request.key_details}")
    return key
