"""The facts of the registry. Pulls are not facts but log lines; only the first refusal of each kind is one."""

from __future__ import annotations

from typing import ClassVar, Final

from chainward.ledger.model import FactBody

__all__ = [
    "FACTS",
    "BlobDeleted",
    "Deleted",
    "IntegrityViolation",
    "OverwriteRefused",
    "Pushed",
    "RevocationEnforced",
    "Revoked",
    "Tagged",
]


class Pushed(FactBody, frozen=True, kw_only=True):
    """A manifest became available in a repository.

    ``subject`` is the digest of the manifest that this one is evidence for, such as the image of an SBOM.
    """

    schema: ClassVar[str] = "registry.pushed/1"
    feeds: ClassVar[tuple[str, ...]] = ("M2", "M9")

    repository: str
    digest: str
    media_type: str
    artifact_type: str | None
    subject: str | None
    size: int

    def subjects(self) -> tuple[str, ...]:
        """Return the manifest, and what it is evidence for."""
        return (self.digest,) if self.subject is None else (self.digest, self.subject)


class Tagged(FactBody, frozen=True, kw_only=True):
    """A tag names this digest from now on; ``previous`` is what it named before, where tags may move."""

    schema: ClassVar[str] = "registry.tagged/1"

    repository: str
    tag: str
    digest: str
    previous: str | None

    def subjects(self) -> tuple[str, ...]:
        """Return the digest that the tag names, and the one it named."""
        return (self.digest,) if self.previous is None else (self.digest, self.previous)


class OverwriteRefused(FactBody, frozen=True, kw_only=True):
    """Somebody tried to give an immutable tag another digest."""

    schema: ClassVar[str] = "registry.overwrite-refused/1"
    feeds: ClassVar[tuple[str, ...]] = ("F2",)

    repository: str
    tag: str
    digest: str
    attempted: str

    def subjects(self) -> tuple[str, ...]:
        """Return the digest that stays, and the one that was refused."""
        return (self.digest, self.attempted)


class IntegrityViolation(FactBody, frozen=True, kw_only=True):
    """Stored content no longer matched its digest when it was about to be served; it is quarantined.

    ``content`` is ``blob`` or ``manifest``, ``found`` is ``changed`` or ``missing``; ``repository`` is where the
    request that noticed it was made.
    """

    schema: ClassVar[str] = "registry.integrity-violated/1"
    feeds: ClassVar[tuple[str, ...]] = ("F2",)

    repository: str
    digest: str
    content: str
    found: str

    def subjects(self) -> tuple[str, ...]:
        """Return the content that was changed."""
        return (self.digest,)


class Revoked(FactBody, frozen=True, kw_only=True):
    """A digest was revoked, in one repository or (None) everywhere; nothing hands it out any more."""

    schema: ClassVar[str] = "registry.revoked/1"
    feeds: ClassVar[tuple[str, ...]] = ("M5",)

    digest: str
    repository: str | None
    reason: str

    def subjects(self) -> tuple[str, ...]:
        """Return the revoked digest."""
        return (self.digest,)


class RevocationEnforced(FactBody, frozen=True, kw_only=True):
    """A revocation was enforced for the first time on one path, so many milliseconds after it was made.

    ``digest`` is what was revoked, ``refused`` what was asked for (such as a layer of it), ``path`` the way on which it
    was asked for.
    """

    schema: ClassVar[str] = "registry.revocation-enforced/1"
    feeds: ClassVar[tuple[str, ...]] = ("M5",)

    repository: str
    digest: str
    refused: str
    path: str
    after_ms: int

    def subjects(self) -> tuple[str, ...]:
        """Return what was revoked, and what was refused because of it."""
        return (self.digest,) if self.refused == self.digest else (self.digest, self.refused)


class Deleted(FactBody, frozen=True, kw_only=True):
    """A manifest, or only a tag of it, was deleted: the tombstone that stays.

    ``tag`` is set where only that tag was deleted. ``tags`` are the tags (the first 64 of ``tag_count``) that were
    deleted with the manifest.
    """

    schema: ClassVar[str] = "registry.deleted/1"
    feeds: ClassVar[tuple[str, ...]] = ("F2",)

    repository: str
    digest: str
    tag: str | None
    tags: tuple[str, ...] = ()
    tag_count: int = 0

    def subjects(self) -> tuple[str, ...]:
        """Return the manifest."""
        return (self.digest,)


class BlobDeleted(FactBody, frozen=True, kw_only=True):
    """A blob that no manifest of its repository needed was deleted there: the tombstone that stays."""

    schema: ClassVar[str] = "registry.blob-deleted/1"
    feeds: ClassVar[tuple[str, ...]] = ("F2",)

    repository: str
    digest: str

    def subjects(self) -> tuple[str, ...]:
        """Return the blob."""
        return (self.digest,)


FACTS: Final[tuple[type[FactBody], ...]] = (
    Pushed,
    Tagged,
    OverwriteRefused,
    IntegrityViolation,
    Revoked,
    RevocationEnforced,
    Deleted,
    BlobDeleted,
)
