"""The facts of trust: who became trusted, who ceased to be, what was signed, which authorities there are.

A signer is a subject as ``signer:name`` and as ``key:sha256:fingerprint``, so that both timelines show it.
"""

from __future__ import annotations

from typing import ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = [
    "FACTS",
    "AuthorityCompromised",
    "AuthorityEstablished",
    "AuthorityRetired",
    "SignatureLogged",
    "SignerDistrust",
    "SignerTrusted",
]


class SignerTrusted(FactBody, frozen=True, kw_only=True):
    """A key became trusted for these repositories and predicate types."""

    schema: ClassVar[str] = "trust.signer-trusted/1"
    feeds: ClassVar[tuple[str, ...]] = ("F1",)

    name: str
    fingerprint: str
    repositories: tuple[str, ...]
    predicates: tuple[str, ...]

    def subjects(self) -> tuple[str, ...]:
        """Return the signer by name and by key."""
        return (f"signer:{self.name}", f"key:sha256:{self.fingerprint}")


class SignerDistrust(FactBody, frozen=True, kw_only=True):
    """A key ceased to be trusted; from this fact on nothing that it signed counts."""

    schema: ClassVar[str] = "trust.signer-distrusted/1"
    feeds: ClassVar[tuple[str, ...]] = ("M5", "F1")

    name: str
    fingerprint: str
    reason: str

    def subjects(self) -> tuple[str, ...]:
        """Return the signer by name and by key."""
        return (f"signer:{self.name}", f"key:sha256:{self.fingerprint}")


class SignatureLogged(FactBody, frozen=True, kw_only=True):
    """A signature entered the signature log, whoever made it.

    ``leaf`` is the hash of its leaf: the fact commits in one transaction with the entry, before that has an index.
    """

    schema: ClassVar[str] = "trust.signature-logged/1"
    feeds: ClassVar[tuple[str, ...]] = ("F1",)

    origin: str
    leaf: str
    fingerprint: str
    digest: str

    def subjects(self) -> tuple[str, ...]:
        """Return the key that signed, and the digest that was signed (for a statement, that of its PAE)."""
        return (f"key:sha256:{self.fingerprint}", self.digest)


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


FACTS: Final[tuple[type[FactBody], ...]] = (
    SignerTrusted,
    SignerDistrust,
    SignatureLogged,
    AuthorityEstablished,
    AuthorityRetired,
    AuthorityCompromised,
)
