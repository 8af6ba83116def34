"""Registry and ledger driven at random against a small model: push, tag, retag, delete, revoke, tamper, pull, restart.

The model knows nothing of rows or files: sets of what was pushed, which tag names what, what was revoked. After every
step the facts tell the same story as the model, and at the end the whole ledger is audited.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.databases import keys_of_logs, sqlite_platform
from tests.registry_stand import ALICE, SANDBOX, WEB, Stand, image_of, index_of

from chainward.adapters.sql.ledger import SqlAuditView
from chainward.formats.oci import OCI_INDEX, OCI_MANIFEST
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, Tag
from chainward.ledger.audit import audit
from chainward.registry.errors import (
    ArtifactRevoked,
    BlobInUse,
    BlobUnknown,
    ManifestBlobUnknown,
    ManifestUnknown,
    TagImmutable,
)

if TYPE_CHECKING:
    from chainward.kernel.problem import Problem

BLOBS: Final = (b"{}", b"base", b"app one", b"app two")
IMAGES: Final = (
    image_of(b"{}", b"base"),
    image_of(b"{}", b"base", b"app one"),
    image_of(b"{}", b"app two"),
)
INDEXES: Final = (index_of(IMAGES[0], IMAGES[1]), index_of(IMAGES[1], IMAGES[2]))
BODIES: Final = IMAGES + INDEXES
USES: Final = {
    IMAGES[0]: BLOBS[:2],
    IMAGES[1]: BLOBS[:3],
    IMAGES[2]: (BLOBS[0], BLOBS[3]),
    INDEXES[0]: IMAGES[:2],
    INDEXES[1]: IMAGES[1:],
}
Place = tuple[RepositoryName, bytes]

repositories = st.sampled_from((WEB, SANDBOX))
bodies = st.sampled_from(BODIES)
blobs = st.sampled_from(BLOBS)
tags = st.sampled_from(("v1", "v2"))


class RegistryMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.resources = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="registry-machine-"))
        self.resources.callback(shutil.rmtree, self.folder)
        self.database = self.resources.enter_context(sqlite_platform(self.folder))
        self.stand = Stand.over(self.database, self.folder)
        self.blobs: set[Place] = set()
        self.stored: set[bytes] = set()
        self.manifests: set[Place] = set()
        self.edges: set[tuple[RepositoryName, bytes, bytes]] = set()
        self.tags: dict[tuple[RepositoryName, str], bytes] = {}
        self.deleted_tags: dict[tuple[RepositoryName, str], bytes] = {}
        self.revoked: set[bytes] = set()
        self.story: list[str] = []

    @initialize(
        stocked=st.sets(st.tuples(repositories, blobs), min_size=4), tagged=st.sets(st.tuples(repositories, tags))
    )
    def begin(self, stocked: set[Place], tagged: set[tuple[RepositoryName, str]]) -> None:
        """Begin with some blobs and some tags, so that few steps lead to interesting places."""
        for repository, data in sorted(stocked):
            self.push_blob(repository, data)
        for number, (repository, tag) in enumerate(sorted(tagged)):
            self.put(repository, IMAGES[number % len(IMAGES)], tag)

    # What the model says.

    def is_refused(self, repository: RepositoryName, content: bytes) -> bool:
        """Whether a manifest is refused: revoked, or without a tag and listed only by refused indexes."""
        if content in self.revoked:
            return True
        if content in [body for (place, _), body in self.tags.items() if place == repository]:
            return False
        parents = [user for place, user, used in self.edges if (place, used) == (repository, content)]
        return bool(parents) and all(self.is_refused(repository, parent) for parent in parents)

    def is_blob_refused(self, repository: RepositoryName, content: bytes) -> bool:
        users = [user for place, user, used in self.edges if (place, used) == (repository, content)]
        return content in self.revoked or (bool(users) and all(self.is_refused(repository, user) for user in users))

    def expected_of_put(self, repository: RepositoryName, body: bytes, tag: str | None) -> type[Problem] | None:
        if self.is_refused(repository, body):
            return ArtifactRevoked
        named = self.tags.get((repository, tag or "")) or self.deleted_tags.get((repository, tag or ""))
        if tag and named not in {None, body} and repository == WEB:
            return TagImmutable
        if (repository, body) in self.manifests:
            return None
        is_index = body in INDEXES
        held = self.manifests if is_index else self.blobs
        if any((repository, used) not in held for used in USES[body]):
            return ManifestBlobUnknown
        refused = (self.is_refused(repository, used) if is_index else used in self.revoked for used in USES[body])
        return ArtifactRevoked if any(refused) else None

    # What happens.

    @rule(repository=repositories, data=blobs)
    def push_blob(self, repository: RepositoryName, data: bytes) -> None:
        self.stand.push_blob(data, repository)
        self.blobs.add((repository, data))
        self.stored.add(data)

    @rule(repository=repositories, body=bodies, tag=st.none() | tags)
    def put(self, repository: RepositoryName, body: bytes, tag: str | None) -> None:
        expected = self.expected_of_put(repository, body, tag)
        media_type = OCI_INDEX if body in INDEXES else OCI_MANIFEST
        if expected is not None:
            with pytest.raises(expected):
                self.stand.put(body, tag, repository, media_type)
            self.story += ["overwrite-refused"] if expected is TagImmutable else []
            return
        self.stand.put(body, tag, repository, media_type)
        if (repository, body) not in self.manifests:
            self.story.append("pushed")
        self.manifests.add((repository, body))
        self.edges |= {(repository, body, used) for used in USES[body]}
        if tag and self.tags.get((repository, tag)) != body:
            self.story.append("tagged")
            self.tags[repository, tag] = body
            self.deleted_tags.pop((repository, tag), None)

    @rule(repository=repositories, tag=tags)
    def delete_tag(self, repository: RepositoryName, tag: str) -> None:
        try:
            self.stand.registry.deletions.tag(repository, Tag(tag), ALICE)
        except ManifestUnknown:
            assert (repository, tag) not in self.tags
            return
        self.deleted_tags[repository, tag] = self.tags.pop((repository, tag))
        self.story.append("deleted")

    @rule(repository=repositories, body=bodies)
    def delete_manifest(self, repository: RepositoryName, body: bytes) -> None:
        try:
            self.stand.registry.deletions.manifest(repository, Digest.of(body), ALICE)
        except ManifestUnknown:
            assert (repository, body) not in self.manifests
            return
        self.manifests.remove((repository, body))
        for place, named in list(self.tags.items()):
            if (place[0], named) == (repository, body):
                self.deleted_tags[place] = self.tags.pop(place)
        self.story.append("deleted")

    @rule(repository=repositories, data=blobs)
    def delete_blob(self, repository: RepositoryName, data: bytes) -> None:
        used = any(
            (place, content) == (repository, data) and (place, user) in self.manifests
            for place, user, content in self.edges
        )
        try:
            self.stand.registry.deletions.blob(repository, Digest.of(data), ALICE)
        except BlobUnknown:
            assert (repository, data) not in self.blobs
            return
        except BlobInUse:
            assert used
            return
        assert not used
        self.blobs.remove((repository, data))
        self.story.append("blob-deleted")

    @rule(content=bodies | blobs)
    def revoke(self, content: bytes) -> None:
        self.stand.registry.revocations.revoke(Digest.of(content), "because", ALICE)
        if content not in self.revoked:
            self.story.append("revoked")
        self.revoked.add(content)

    @rule(source=repositories, into=repositories, data=blobs)
    def mount(self, source: RepositoryName, into: RepositoryName, data: bytes) -> None:
        allowed = (source, data) in self.blobs and not (
            self.is_blob_refused(source, data) or self.is_blob_refused(into, data)
        )
        assert self.stand.registry.mounts.mount(into, Digest.of(data), source, ALICE) is allowed
        if allowed:
            self.blobs.add((into, data))

    @rule()
    def restart(self) -> None:
        self.stand.ledger.close()
        self.stand = Stand.over(self.database, self.folder)

    # What must hold.

    @rule(repository=repositories, tag=tags)
    def pull_by_tag(self, repository: RepositoryName, tag: str) -> None:
        body = self.tags.get((repository, tag))
        try:
            assert self.stand.pull(tag, repository) == body
        except ManifestUnknown:
            assert body is None
        except ArtifactRevoked:
            assert body is not None
            assert self.is_refused(repository, body)
        else:
            assert body is not None
            assert not self.is_refused(repository, body)

    @rule(repository=repositories, body=bodies)
    def pull_by_digest(self, repository: RepositoryName, body: bytes) -> None:
        try:
            assert self.stand.pull(str(Digest.of(body)), repository) == body
        except ManifestUnknown:
            assert (repository, body) not in self.manifests
        except ArtifactRevoked:
            assert self.is_refused(repository, body)
        else:
            assert (repository, body) in self.manifests
            assert not self.is_refused(repository, body)

    @rule(repository=repositories, data=blobs)
    def pull_blob(self, repository: RepositoryName, data: bytes) -> None:
        try:
            assert self.stand.read(Digest.of(data), repository) == data
        except BlobUnknown:
            assert (repository, data) not in self.blobs
        except ArtifactRevoked:
            assert self.is_blob_refused(repository, data)
        else:
            assert (repository, data) in self.blobs
            assert not self.is_blob_refused(repository, data)

    @invariant()
    def the_facts_tell_the_story_and_no_more(self) -> None:
        told = [schema for schema in self.stand.schemas() if schema != "revocation-enforced"]
        assert told == self.story

    @invariant()
    def tags_are_listed_as_they_are(self) -> None:
        for repository in (WEB, SANDBOX):
            if any(place == repository for place, _ in self.blobs):
                named = {tag: body for (place, tag), body in self.tags.items() if place == repository}
                assert list(self.stand.registry.listing.tags(repository).names) == sorted(named)
                for tag, body in named.items():
                    assert self.stand.registry.resolve(repository, Tag(tag)) == Digest.of(body)
            for place, tag in self.deleted_tags:
                with pytest.raises(ManifestUnknown):
                    self.stand.registry.resolve(place, Tag(tag))

    @invariant()
    def no_upload_is_left_behind(self) -> None:
        assert self.stand.uploads() == []
        assert len(self.stand.files()) == len(self.stored)

    def teardown(self) -> None:
        with self.database.database.read() as connection:
            audit(SqlAuditView(connection), keys_of_logs())
        self.resources.close()


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(
    max_examples=40, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestRegistryMachine = pytest.mark.timeout(300)(TestRegistryMachine)
