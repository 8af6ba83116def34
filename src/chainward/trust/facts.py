"""The facts of trust: who became trusted, who ceased to be, what was signed.

A signer is a subject as ``signer:name`` and as ``key:sha256:fingerprint``, so that both timelines show it.
"""

from __future__ import annotations

from typing import ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = ["FACTS", "SignatureLogged", "SignerDistrust", "SignerTrusted"]


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


FACTS: Final[tuple[type[FactBody], ...]] = (SignerTrusted, SignerDistrust, SignatureLogged)
