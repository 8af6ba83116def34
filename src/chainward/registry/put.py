"""Putting a manifest: everything it refers to must be there, and a tag that may not move does not.

OCI distribution-spec 1.1.1, "Pushing Manifests". Facts and rows become durable in one transaction, and that transaction
decides: what is read here first only says which facts to state, and is read again when it turned out to be outdated. So
the same push twice changes nothing and states nothing, and of two pushes that race for one tag exactly one wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.formats.codec import deterministic_json
from chainward.formats.oci import blob_digests, child_digests, decode_manifest
from chainward.kernel.digest import Digest
from chainward.registry.errors import ArtifactRevoked, ManifestTooWide, TagImmutable
from chainward.registry.facts import OverwriteRefused, Pushed, Tagged
from chainward.registry.insist import insist
from chainward.registry.model import RefusalPath, TagState
from chainward.registry.writes import HealManifest, KeepManifest, MoveTag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.formats.oci import Manifest
    from chainward.kernel.identity import Context
    from chainward.kernel.name import RepositoryName, Tag
    from chainward.ledger.commit import Ledger
    from chainward.ledger.model import FactBody, Write
    from chainward.registry.model import RepositoryRules
    from chainward.registry.ports import PushNotes, RegistryStore
    from chainward.registry.prove import Prover
    from chainward.registry.refuse import Refusals

__all__ = ["MAX_REFERENCES", "ManifestWriter", "PutManifest"]

MAX_REFERENCES: Final = 4096


@dataclass(frozen=True, slots=True)
class PutManifest:
    """A manifest that is in its repository now."""

    digest: Digest
    subject: Digest | None


@dataclass(frozen=True, slots=True)
class _Push:
    """One push, taken apart."""

    repository: RepositoryName
    tags: tuple[Tag, ...]
    digest: Digest
    manifest: Manifest
    body: bytes

    @property
    def subject(self) -> Digest | None:
        return self.manifest.subject.digest if self.manifest.subject else None

    def pushed(self) -> Pushed:
        return Pushed(
            repository=str(self.repository),
            digest=str(self.digest),
            media_type=self.manifest.media_type,
            artifact_type=self.manifest.effective_artifact_type,
            subject=str(self.subject) if self.subject else None,
            size=len(self.body),
        )

    def keep(self) -> KeepManifest:
        return KeepManifest(
            repository=self.repository,
            digest=self.digest,
            media_type=self.manifest.media_type,
            artifact_type=self.manifest.effective_artifact_type,
            subject=self.subject,
            annotations=deterministic_json(dict(self.manifest.annotations)),
            body=self.body,
            blobs=blob_digests(self.manifest),
            children=child_digests(self.manifest),
        )


class ManifestWriter:
    """Takes manifests in. Thread-safe."""

    def __init__(
        self,
        store: RegistryStore,
        ledger: Ledger,
        rules: RepositoryRules,
        refusals: Refusals,
        prover: Prover,
        notes: PushNotes | None = None,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._rules = rules
        self._refusals = refusals
        self._prover = prover
        self._notes = notes

    def put(
        self,
        repository: RepositoryName,
        reference: Tag | Digest,
        media_type: str,
        body: bytes,
        context: Context,
        *,
        tags: Sequence[Tag] = (),
    ) -> PutManifest:
        """Store a manifest under its digest and, if ``reference`` is a tag, let the tag name it.

        All of ``tags`` name it as well; either every tag does when this returns, or nothing was changed.

        Raises:
            DigestMismatch: ``reference`` is the digest of other bytes.
            TooLarge, Malformed, Unsupported, InvalidDigest: ``body`` is not a manifest of type ``media_type``.
            ManifestBlobUnknown: content that it refers to is not in this repository (a subject may be missing).
            TagImmutable: the tag names another digest, or did before it was deleted.
            ArtifactRevoked: it was revoked, or refers to something that was.
        """
        push = _take_apart(repository, reference, media_type, body, tags)
        try:
            insist(lambda: self._attempt(push, context))
        except ArtifactRevoked as problem:
            refused = (problem.revocation, problem.refused, repository, RefusalPath.PUT)
            raise self._refusals.refuse(*refused, context) from problem
        return PutManifest(push.digest, push.subject)

    def _attempt(self, push: _Push, context: Context) -> None:
        with self._store.view() as view:
            stored = view.manifest(push.repository, push.digest)
            tagged = {tag: view.tag(push.repository, tag) for tag in push.tags}
            revocation = view.refusal_of_manifest(push.repository, push.digest)
        if revocation is not None:
            raise ArtifactRevoked(revocation, push.digest)
        facts: list[FactBody] = []
        writes: list[Write] = []
        if stored is None:
            facts.append(push.pushed())
            writes.append(push.keep())
            writes += self._noted(push, context)
        elif stored.body != push.body:
            writes.append(HealManifest(push.repository, push.digest, push.body))
        for tag, previous in tagged.items():
            if previous != TagState(push.digest, is_deleted=False):
                facts.append(self._tagged(push, tag, previous, context))
                writes.append(MoveTag(push.repository, tag, push.digest, previous))
        if writes:
            self._ledger.commit(facts, writes, context=context)

    def _noted(self, push: _Push, context: Context) -> Sequence[Write]:
        """Return what other rooms note about a new manifest."""
        if self._notes is None:
            return ()

        def read(digest: Digest, limit: int) -> bytes:
            return self._prover.bytes_of(push.repository, digest, limit, context)

        return self._notes.writes(push.repository, push.manifest, read)

    def _tagged(self, push: _Push, tag: Tag, tagged: TagState | None, context: Context) -> Tagged:
        """Return the fact for a tag that may name the new digest; raises TagImmutable, after stating that."""
        if tagged and tagged.digest != push.digest and self._rules.tags_are_immutable(push.repository):
            fact = OverwriteRefused(
                repository=str(push.repository),
                tag=str(tag),
                digest=str(tagged.digest),
                attempted=str(push.digest),
            )
            self._ledger.commit((fact,), context=context)
            named = "named" if tagged.is_deleted else "names"
            raise TagImmutable(
                f"{push.repository}:{tag} {named} {tagged.digest}, and tags of this repository never move",
                details={"digest": str(tagged.digest), "attempted": str(push.digest)},
            )
        previous = str(tagged.digest) if tagged and not tagged.is_deleted else None
        return Tagged(repository=str(push.repository), tag=str(tag), digest=str(push.digest), previous=previous)


def _take_apart(
    repository: RepositoryName, reference: Tag | Digest, media_type: str, body: bytes, tags: Sequence[Tag]
) -> _Push:
    manifest = decode_manifest(body, media_type)
    width = len(manifest.layers) + len(manifest.manifests)
    if width > MAX_REFERENCES:
        raise ManifestTooWide(f"the manifest refers to {width} blobs or manifests, {MAX_REFERENCES} are allowed")
    if isinstance(reference, Digest):
        reference.verify(body)
        return _Push(repository, tuple(dict.fromkeys(tags)), reference, manifest, body)
    return _Push(repository, tuple(dict.fromkeys((reference, *tags))), Digest.of(body), manifest, body)
