"""The facts of trust: who became trusted, who ceased to be, what was signed, which authorities there are.

A signer is a subject as ``signer:name``, and as ``key:sha256:fingerprint`` or (if it is one exact identity)
``identity:subject``, so that each of these timelines shows it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = [
    "FACTS",
    "AuthorityCompromised",
    "AuthorityEstablished",
    "AuthorityRetired",
    "CertificateIssued",
    "DocumentsPublished",
    "RootPublished",
    "SignatureRevocationStated",
    "SignerDistrust",
    "SignerTrusted",
]


class SignerTrusted(FactBody, frozen=True, kw_only=True):
    """A key or an identity became trusted for these repositories and predicate types.

    ``id`` names the signer for ever, ``name`` while it is trusted. ``match`` has the members of an identity match, and
    ``fingerprint`` is empty then.
    """

    schema: ClassVar[str] = "trust.signer-trusted/1"
    feeds: ClassVar[tuple[str, ...]] = ("F1",)

    id: str
    name: str
    fingerprint: str
    match: dict[str, Any] | None = None
    repositories: tuple[str, ...]
    predicates: tuple[str, ...]
    portable: bool = False

    def subjects(self) -> tuple[str, ...]:
        """Return the signer by name, and by key or exact identity."""
        return (f"signer:{self.name}", *_named(self.fingerprint, self.match))


class SignerDistrust(FactBody, frozen=True, kw_only=True):
    """A signer ceased to be trusted; only what it is proven to have signed before ``since`` counts from then on."""

    schema: ClassVar[str] = "trust.signer-distrusted/1"
    feeds: ClassVar[tuple[str, ...]] = ("M5", "F1")

    id: str
    name: str
    fingerprint: str
    match: dict[str, Any] | None = None
    since: str | None = None
    reason: str

    def subjects(self) -> tuple[str, ...]:
        """Return the signer by name, and by key or exact identity."""
        return (f"signer:{self.name}", *_named(self.fingerprint, self.match))


class SignatureRevocationStated(FactBody, frozen=True, kw_only=True):
    """Signatures ceased to count: those by a certificate, identity or key, or the one at a place in a log.

    ``since`` and ``until`` limit that to signatures which are not proven to be made outside; ``by`` says what
    ``target`` is.
    """

    schema: ClassVar[str] = "trust.signatures-revoked/1"
    feeds: ClassVar[tuple[str, ...]] = ("M5", "F1")

    by: str
    target: str
    match: dict[str, Any] | None = None
    since: str | None = None
    until: str | None = None
    reason: str

    def subjects(self) -> tuple[str, ...]:
        """Return what was revoked by, as other facts name it."""
        if self.match is not None:
            return _named("", self.match)
        return (f"entry:{self.target}",) if self.by == "entry" else (f"{self.by}:sha256:{self.target}",)


class AuthorityEstablished(FactBody, frozen=True, kw_only=True):
    """A new instance of a service of the trust root began to sign: CA, CT log, signature log or timestamp authority.

    ``certificates`` are the SHA-256 of the DER, issuer first; logs have an ``origin`` instead.
    """

    schema: ClassVar[str] = "trust.authority-established/1"
    feeds: ClassVar[tuple[str, ...]] = ("F1",)

    name: str
    service: str
    origin: str
    fingerprint: str
    certificates: tuple[str, ...]
    start: str

    def subjects(self) -> tuple[str, ...]:
        """Return the authority by name and by key."""
        return (f"authority:{self.name}", f"key:sha256:{self.fingerprint}")


class AuthorityRetired(FactBody, frozen=True, kw_only=True):
    """An instance signs nothing new; what it signed until ``end`` stays valid."""

    schema: ClassVar[str] = "trust.authority-retired/1"
    feeds: ClassVar[tuple[str, ...]] = ("F1",)

    name: str
    fingerprint: str
    end: str

    def subjects(self) -> tuple[str, ...]:
        """Return the authority by name and by key."""
        return (f"authority:{self.name}", f"key:sha256:{self.fingerprint}")


class AuthorityCompromised(FactBody, frozen=True, kw_only=True):
    """Somebody else may have the key of an instance since then.

    ``checkpoints`` are the states of logs that are believed nevertheless, each as ``origin size root`` with the root in
    hex. What relies on the key and is not logged in one of them counts no more.
    """

    schema: ClassVar[str] = "trust.authority-compromised/1"
    feeds: ClassVar[tuple[str, ...]] = ("M5", "F1")

    name: str
    fingerprint: str
    since: str
    reason: str
    checkpoints: tuple[str, ...]

    def subjects(self) -> tuple[str, ...]:
        """Return the authority by name and by key."""
        return (f"authority:{self.name}", f"key:sha256:{self.fingerprint}")


class CertificateIssued(FactBody, frozen=True, kw_only=True):
    """The certificate authority issued a certificate for ten minutes; ``certificate`` is its SHA-256.

    ``leaf`` is the hash of its leaf in the certificate log ``origin``, with which the fact commits in one transaction.
    """

    schema: ClassVar[str] = "trust.certificate-issued/1"
    feeds: ClassVar[tuple[str, ...]] = ("F1",)

    subject: str
    issuer: str
    serial: str
    certificate: str
    fingerprint: str
    authority: str
    expires_at: str
    origin: str
    leaf: str

    def subjects(self) -> tuple[str, ...]:
        """Return whom it names, the key that it certifies, and the certificate itself."""
        return (
            f"identity:{self.subject}",
            f"key:sha256:{self.fingerprint}",
            f"certificate:sha256:{self.certificate}",
        )


def _named(fingerprint: str, match: dict[str, Any] | None) -> tuple[str, ...]:
    """Return a key, or the subject of an identity if it is an exact one, as a subject of facts."""
    if match is None:
        return (f"key:sha256:{fingerprint}",)
    return (f"identity:{match['subject']}",) if "subject" in match else ()


class RootPublished(FactBody, frozen=True, kw_only=True):
    """A root of the TUF repository was published: from it on, these keys say what clients believe.

    ``digest`` is that of the file ``N.root.json``.
    """

    schema: ClassVar[str] = "trust.root-published/1"
    feeds: ClassVar[tuple[str, ...]] = ("F1",)

    version: int
    digest: str
    threshold: int
    keys: tuple[str, ...]
    expires: str

    def subjects(self) -> tuple[str, ...]:
        """Return the repository, and each key by its TUF key id."""
        return ("trust:root", *(f"tuf-key:{key}" for key in self.keys))


class DocumentsPublished(FactBody, frozen=True, kw_only=True):
    """New trust documents were published in the TUF repository; their digests by name."""

    schema: ClassVar[str] = "trust.documents-published/1"
    feeds: ClassVar[tuple[str, ...]] = ("F1",)

    version: int
    documents: dict[str, str]

    def subjects(self) -> tuple[str, ...]:
        """Return the repository and the digests."""
        return ("trust:documents", *sorted(self.documents.values()))


FACTS: Final[tuple[type[FactBody], ...]] = (
    SignerTrusted,
    SignerDistrust,
    SignatureRevocationStated,
    AuthorityEstablished,
    AuthorityRetired,
    AuthorityCompromised,
    RootPublished,
    DocumentsPublished,
    CertificateIssued,
)
