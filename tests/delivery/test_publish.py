"""Publishing: whoever sees the tag sees the evidence, and twice is as good as once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.delivery.rig import CONTEXT, REPOSITORY, Release, Rig

from chainward.delivery.errors import BundleUnfit, LayoutInvalid
from chainward.delivery.local import LocalRegistry
from chainward.delivery.publish import predicate_type_of, publish
from chainward.formats.cyclonedx import decode_bom
from chainward.formats.intoto import SLSA_PROVENANCE
from chainward.formats.oci import OCI_INDEX, Descriptor, Manifest, encode_manifest
from chainward.kernel.digest import Digest, DigestMismatch
from chainward.kernel.name import Tag
from chainward.registry.errors import ManifestUnknown
from chainward.trust.sign import sign_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from chainward.kernel.name import RepositoryName


class Layout:
    """A release as an image layout."""

    def __init__(self, release: Release) -> None:
        self.release = release

    def manifest(self) -> tuple[Descriptor, bytes]:
        return self.release.manifest, self.release.body

    def chunks(self, digest: Digest) -> Iterator[bytes]:
        return self.release.chunks(digest)


class Watched:
    """Our registry, with a note of what was put in which order; fails at the call with number ``stop``."""

    def __init__(self, rig: Rig, stop: int | None = None) -> None:
        self._inner = LocalRegistry(rig.registry, CONTEXT)
        self._stop = stop
        self.calls: list[str] = []

    def has_blob(self, repository: RepositoryName, digest: Digest) -> bool:
        return self._inner.has_blob(repository, digest)

    def put_blob(self, repository: RepositoryName, digest: Digest, size: int, chunks: Iterable[bytes]) -> None:
        self._note("blob")
        self._inner.put_blob(repository, digest, size, chunks)

    def put_manifest(self, repository: RepositoryName, reference: str, media_type: str, body: bytes) -> Digest:
        self._note("manifest" if ":" in reference else "tag")
        return self._inner.put_manifest(repository, reference, media_type, body)

    def _note(self, call: str) -> None:
        if len(self.calls) == self._stop:
            raise OSError("the network is gone")
        self.calls.append(call)


def _bundles(rig: Rig, release: Release) -> list[bytes]:
    return [rig.sign(statement) for statement in release.statements.values()]


def test_layers_come_first_then_the_image_then_its_evidence_then_the_tag(rig: Rig) -> None:
    release, client = rig.release(), Watched(rig)
    bundles = _bundles(rig, release)
    shown: list[int] = []
    published = publish(
        client, REPOSITORY, Tag("1"), Layout(release), bundles=bundles, progress=lambda _, size: shown.append(size)
    )
    assert client.calls[0] == "blob"
    assert client.calls[-1] == "tag"
    assert client.calls.count("manifest") == 4
    assert client.calls.index("manifest") > client.calls.index("blob")
    assert published.digest == rig.registry.resolve(REPOSITORY, Tag("1"))
    referrers = {referrer.digest for referrer in rig.registry.referrers(REPOSITORY, release.digest)}
    assert referrers == set(published.attachments)
    assert shown == [len(data) for digest, data in release.blobs.items() if digest != release.digest]


def test_publishing_again_sends_no_blob_and_changes_nothing(rig: Rig) -> None:
    release = rig.release()
    bundles = _bundles(rig, release)
    first = publish(Watched(rig), REPOSITORY, Tag("1"), Layout(release), bundles=bundles)
    again = Watched(rig)
    assert publish(again, REPOSITORY, Tag("1"), Layout(release), bundles=bundles) == first
    assert "blob" not in again.calls
    assert len(rig.bodies("registry.pushed/1")) == 4


def test_a_push_that_breaks_off_anywhere_shows_no_tag_and_can_be_repeated(rig: Rig) -> None:
    whole = Watched(rig)
    publish(whole, REPOSITORY, Tag("whole"), Layout(rig.release("whole")), bundles=_bundles(rig, rig.release("whole")))
    for stop in range(len(whole.calls) - 1):
        release, tag = rig.release(f"part-{stop}"), Tag(f"part-{stop}")
        bundles = _bundles(rig, release)
        with pytest.raises(OSError, match="network"):
            publish(Watched(rig, stop), REPOSITORY, tag, Layout(release), bundles=bundles)
        with pytest.raises(ManifestUnknown):
            rig.registry.resolve(REPOSITORY, tag)
        publish(Watched(rig), REPOSITORY, tag, Layout(release), bundles=bundles)
        assert rig.registry.resolve(REPOSITORY, tag) == release.digest
        assert len(rig.registry.referrers(REPOSITORY, release.digest)) == 3


def test_an_sbom_travels_as_it_is_beside_the_bundle_that_signs_it(rig: Rig) -> None:
    release = rig.release()
    bom = b'{"bomFormat":"CycloneDX","specVersion":"1.6","version":1}'
    publish(Watched(rig), REPOSITORY, Tag("1"), Layout(release), sboms=[bom])
    (referrer,) = rig.registry.referrers(REPOSITORY, release.digest)
    assert referrer.artifact_type == "application/vnd.cyclonedx+json"
    layer = Digest.of(bom)
    assert decode_bom(rig.registry.blob_bytes(REPOSITORY, layer, 1000)).spec_version == "1.6"


def test_a_bundle_of_another_image_is_not_published_beside_this_one(rig: Rig) -> None:
    release, other, client = rig.release(), rig.release("other"), Watched(rig)
    with pytest.raises(BundleUnfit, match="not about"):
        publish(client, REPOSITORY, Tag("1"), Layout(release), bundles=_bundles(rig, other))
    with pytest.raises(BundleUnfit, match="signs a file"):
        publish(
            client,
            REPOSITORY,
            Tag("1"),
            Layout(release),
            bundles=[sign_digest(Digest.of(b"file"), rig.release_key, rig.rekor)],
        )
    assert client.calls == []


def test_what_a_bundle_claims_to_hold_can_be_asked(rig: Rig) -> None:
    release = rig.release()
    bundle = rig.sign(release.statements["provenance"])
    assert predicate_type_of(bundle, release.digest) == SLSA_PROVENANCE


def test_a_layout_whose_blob_was_changed_never_gets_a_tag(rig: Rig) -> None:
    release = rig.release()
    for digest in [each for each in release.blobs if each != release.digest]:
        release.blobs[digest] = b"x" * len(release.blobs[digest])
    with pytest.raises(DigestMismatch):
        publish(Watched(rig), REPOSITORY, Tag("1"), Layout(release))


def test_a_layout_of_an_index_is_refused(rig: Rig) -> None:
    body = encode_manifest(Manifest(media_type=OCI_INDEX))
    release = Release(Descriptor.of(body, OCI_INDEX), body, {})
    with pytest.raises(LayoutInvalid):
        publish(Watched(rig), REPOSITORY, None, Layout(release))
