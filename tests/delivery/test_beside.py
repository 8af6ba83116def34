"""What stands beside an image in any registry: referrers, lists under a tag, and the tags of older clients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from chainward.attest.attach import bundle_artifact
from chainward.delivery.beside import Unreadable, found_beside
from chainward.formats.cosign import SIMPLE_SIGNING, LegacyLayer, fallback_tag, legacy_tags
from chainward.formats.oci import EMPTY_DESCRIPTOR, OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest, encode_manifest
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOP = RepositoryName("shop/web")
IMAGE = Descriptor.of(b"an image manifest", OCI_MANIFEST)


class NotThere(Problem):
    """The registry has no such thing."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "not-there"


class Broken(Problem):
    """The registry does not answer."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "broken"


@dataclass
class MemoryImages:
    """A registry in memory that may know the list of referrers or not; implements ImageSource."""

    lists: bool = True
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)
    broken: frozenset[str] = frozenset()

    def get_manifest(self, repository: RepositoryName, reference: str) -> tuple[str, bytes]:
        assert repository == SHOP
        if reference in self.broken:
            raise Broken(reference)
        if reference not in self.manifests:
            raise NotThere(reference)
        return self.manifests[reference]

    def referrers(self, repository: RepositoryName, digest: Digest) -> Sequence[dict[str, Any]]:
        assert (repository, digest) == (SHOP, IMAGE.digest)
        if "referrers" in self.broken:
            raise Broken("referrers")
        if not self.lists:
            raise NotThere("referrers")
        return self.listed

    def get_blob(self, repository: RepositoryName, digest: Digest, limit: int | None = None) -> bytes:
        assert repository == SHOP
        if digest not in self.blobs:
            raise NotThere(str(digest))
        assert limit is not None
        return self.blobs[digest][:limit]

    def attach(self, bundle: bytes) -> Descriptor:
        artifact = bundle_artifact(bundle, "https://example.org/x", IMAGE)
        self.blobs |= {descriptor.digest: content for descriptor, content in artifact.blobs}
        self.manifests[str(artifact.descriptor.digest)] = (OCI_MANIFEST, artifact.manifest)
        type_ = "application/vnd.dev.sigstore.bundle.v0.3+json"
        self.listed.append({"digest": str(artifact.descriptor.digest), "artifactType": type_})
        return artifact.descriptor

    def index(self, *descriptors: Descriptor) -> None:
        body = encode_manifest(Manifest(media_type=OCI_INDEX, manifests=descriptors))
        self.manifests[fallback_tag(IMAGE.digest)] = (OCI_INDEX, body)

    def tag(self, tag: str, *contents: bytes, media_type: str = SIMPLE_SIGNING) -> None:
        layers = []
        for content in contents:
            layer = Descriptor.of(content, media_type)
            layers.append(Descriptor(layer.media_type, layer.digest, layer.size, annotations={"note": "x"}))
            self.blobs[layer.digest] = content
        manifest = Manifest(media_type=OCI_MANIFEST, config=EMPTY_DESCRIPTOR, layers=tuple(layers))
        self.manifests[tag] = (OCI_MANIFEST, encode_manifest(manifest))


def found(source: MemoryImages) -> list[object]:
    return list(found_beside(source, SHOP, IMAGE.digest))


def test_bundles_are_found_among_the_referrers_and_nothing_else_is() -> None:
    source = MemoryImages()
    source.attach(b"one")
    source.attach(b"two")
    source.listed.append({"digest": f"sha256:{'0' * 64}", "artifactType": "image/png"})
    assert found(source) == [b"one", b"two"]


def test_where_no_list_is_kept_the_index_under_the_tag_is_read() -> None:
    source = MemoryImages(lists=False)
    source.index(source.attach(b"one"))
    assert found(source) == [b"one"]
    assert found(MemoryImages(lists=False)) == []


def test_a_list_that_is_kept_is_not_added_to_by_a_tag_that_anybody_may_move() -> None:
    source = MemoryImages()
    hidden = source.attach(b"one")
    source.listed.clear()
    source.index(hidden)
    assert found(source) == []


def test_layers_under_legacy_tags_come_with_their_annotations() -> None:
    source = MemoryImages()
    signatures, attestations = legacy_tags(IMAGE.digest)
    source.tag(signatures, b"a payload", b"another")
    source.tag(attestations, b"an envelope", media_type="application/vnd.dsse.envelope.v1+json")
    assert found(source) == [
        LegacyLayer(SIMPLE_SIGNING, b"a payload", {"note": "x"}),
        LegacyLayer(SIMPLE_SIGNING, b"another", {"note": "x"}),
        LegacyLayer("application/vnd.dsse.envelope.v1+json", b"an envelope", {"note": "x"}),
    ]


def test_a_manifest_other_than_the_one_that_was_listed_is_told_and_not_read() -> None:
    source = MemoryImages()
    listed, other = source.attach(b"one"), MemoryImages().attach(b"two")
    source.manifests[str(listed.digest)] = (OCI_MANIFEST, b"{}")
    (piece,) = found(source)
    assert isinstance(piece, Unreadable)
    assert (piece.where, piece.problem.code) == (str(listed.digest), "digest-mismatch")
    assert str(other.digest) not in source.manifests


@pytest.mark.parametrize("broken", ["blob", "manifest", "tag"])
def test_a_piece_that_cannot_be_had_is_told_and_the_others_are_read(broken: str) -> None:
    source = MemoryImages()
    first = source.attach(b"one")
    source.attach(b"two")
    if broken == "blob":
        del source.blobs[Digest.of(b"one")]
    elif broken == "manifest":
        source.broken = frozenset({str(first.digest)})
    else:
        source.manifests[legacy_tags(IMAGE.digest)[0]] = (OCI_MANIFEST, b"no manifest")
    pieces = found(source)
    assert b"two" in pieces
    assert sum(isinstance(piece, Unreadable) for piece in pieces) == 1


def test_a_registry_that_does_not_answer_says_nothing_about_the_image() -> None:
    with pytest.raises(Broken):
        found(MemoryImages(broken=frozenset({"referrers"})))


def test_a_flood_of_referrers_is_cut_off() -> None:
    source = MemoryImages()
    for number in range(300):
        source.attach(b"%d" % number)
    assert len(found(source)) == 256
