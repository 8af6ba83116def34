"""The facts of attestation: a statement was accepted, a collection became complete, a bundle was rejected."""

from __future__ import annotations

from typing import ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = ["FACTS", "AttestationRejected", "Attested", "Completed"]


class Attested(FactBody, frozen=True, kw_only=True):
    """A verified statement about an artifact came in.

    ``signers`` are all trusted signers that it is by, ``signer`` the first of them. With an ``identity``, for which
    ``issuer`` vouched, the ``fingerprint`` is that of the certificate, else that of the key. ``signed_at`` is the
    earliest proven time, None when nothing proves one. ``builder`` is the builder that provenance names, None for other
    statements; ``isolated`` says that the platform counts this builder as isolated.
    """

    schema: ClassVar[str] = "attest.attested/1"
    feeds: ClassVar[tuple[str, ...]] = ("M2", "M6", "M9", "F1")

    repository: str
    digest: str
    predicate_type: str
    signer: str
    signers: tuple[str, ...] = ()
    fingerprint: str
    identity: str | None = None
    issuer: str | None = None
    signed_at: str | None = None
    bundle_digest: str
    log_origin: str = ""
    log_index: int
    builder: str | None = None
    isolated: bool = False

    def subjects(self) -> tuple[str, ...]:
        """Return the artifact, the bundle, and the key or the certificate and its identity."""
        if self.identity is None:
            return (self.digest, self.bundle_digest, f"key:sha256:{self.fingerprint}")
        by = (f"certificate:sha256:{self.fingerprint}", f"identity:{self.identity}")
        return (self.digest, self.bundle_digest, *by)


class Completed(FactBody, frozen=True, kw_only=True):
    """The last demanded statement about an artifact came in."""

    schema: ClassVar[str] = "attest.completed/1"
    feeds: ClassVar[tuple[str, ...]] = ("M2", "M9")

    repository: str
    digest: str
    predicate_types: tuple[str, ...]

    def subjects(self) -> tuple[str, ...]:
        """Return the artifact."""
        return (self.digest,)


class AttestationRejected(FactBody, frozen=True, kw_only=True):
    """A bundle for an artifact did not verify; ``code`` is the first failed check."""

    schema: ClassVar[str] = "attest.rejected/1"
    feeds: ClassVar[tuple[str, ...]] = ("F1", "F7")

    repository: str
    digest: str
    bundle_digest: str
    code: str
    message: str
    fingerprint: str | None = None

    def subjects(self) -> tuple[str, ...]:
        """Return the artifact and the bundle, and the key if it is known."""
        known = () if self.fingerprint is None else (f"key:sha256:{self.fingerprint}",)
        return (self.digest, self.bundle_digest, *known)


FACTS: Final[tuple[type[FactBody], ...]] = (Attested, Completed, AttestationRejected)
