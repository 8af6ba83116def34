"""What is pushed: blobs, manifests and whole data sets as values, one for each shape that an artifact can have.

Everything is made from its name, so that a data set has the same digests in every run. Follows image-spec 1.1 for the
documents, and distribution-spec 1.1.1 ("Listing Referrers") for what a registry has to say about a referrer.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "DATA_SETS",
    "INDEX",
    "MANIFEST",
    "Content",
    "DataSet",
    "Image",
    "artifact",
    "image",
    "index",
    "noise",
    "referrer_of",
]

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
FOREIGN_LAYER: Final = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
SBOM: Final = "application/vnd.example.sbom.v1"
SIGNATURE: Final = "application/vnd.example.signature.v1"
PAPER: Final = "application/vnd.example.paper.v1+text"
FEW_ANNOTATIONS: Final = {"org.example.colour": "blue", "org.example.number": "7"}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes with a name: a blob or a manifest."""

    body: bytes
    media_type: str
    algorithm: str = "sha256"

    @property
    def digest(self) -> str:
        """Their name."""
        return f"{self.algorithm}:{hashlib.new(self.algorithm, self.body).hexdigest()}"

    def is_named_by(self, digest: str) -> bool:
        """Whether a digest, of whichever algorithm, is one of these bytes."""
        algorithm = digest.partition(":")[0]
        return algorithm in {"sha256", "sha512"} and Content(self.body, self.media_type, algorithm).digest == digest

    @property
    def document(self) -> Document:
        """What a manifest says."""
        document: Document = json.loads(self.body)
        return document

    def descriptor(self, **more: object) -> Document:
        """Return how other documents refer to them."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body)} | more


@dataclass(frozen=True, slots=True)
class Image:
    """A manifest and the blobs that it needs."""

    manifest: Content
    blobs: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class DataSet:
    """What is pushed together into one repository; ``manifests`` in an order in which they can be."""

    name: str
    blobs: tuple[Content, ...]
    manifests: tuple[Content, ...]
    tags: Mapping[str, Content] = field(default_factory=dict)
    tags_are_parameters: bool = False

    def __str__(self) -> str:
        return self.name

    def tags_of(self, manifest: Content) -> list[str]:
        """Return the tags that are to name a manifest."""
        return [tag for tag, named in self.tags.items() if named == manifest]

    def subjects(self) -> dict[str, list[Document]]:
        """Return the subjects that are named, with how their referrers have to be listed."""
        found: dict[str, list[Document]] = {}
        for manifest in self.manifests:
            if "subject" in manifest.document:
                found.setdefault(manifest.document["subject"]["digest"], []).append(referrer_of(manifest))
        return found


def referrer_of(manifest: Content) -> Document:
    """Return how a manifest is listed among the referrers of its subject."""
    document = manifest.document
    kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
    listed = manifest.descriptor()
    if kind:
        listed["artifactType"] = kind
    if "annotations" in document:
        listed["annotations"] = document["annotations"]
    return listed


def noise(name: str, size: int) -> bytes:
    """Return bytes that do not compress."""
    return hashlib.shake_256(name.encode()).digest(size)


def image(
    name: str, *, layers: int = 2, compressed: bool = True, algorithm: str = "sha256", inline: bool = False, **more: Any
) -> Image:
    """Return an image for linux; ``inline`` repeats the config in its descriptor, ``more`` are further fields."""
    tars = [_tar(f"{name}/{number}") for number in range(layers)]
    blobs = [_layer(tar, algorithm, compressed=compressed) for tar in tars]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "author": name,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]},
    }
    return _manifest(Content(_encode(config), CONFIG, algorithm), blobs, inline=inline, **more)


def artifact(name: str, *, layers: int = 1, **more: Any) -> Image:
    """Return an artifact: what it holds is in its layers, its config is empty."""
    papers = [Content(f"{name}, page {number}\n".encode(), PAPER) for number in range(layers)]
    empty = Content(b"{}", EMPTY)
    return _manifest(empty, papers or [empty], **({"artifactType": SBOM} | more))


def index(children: Sequence[Content], *, algorithm: str = "sha256", **more: Any) -> Content:
    """Return an index of manifests."""
    listed = [child.descriptor(platform={"os": "linux", "architecture": "amd64"}) for child in children]
    return Content(_encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed} | more), INDEX, algorithm)


def _manifest(config: Content, layers: Sequence[Content], *, inline: bool = False, **more: Any) -> Image:
    repeated = {"data": base64.b64encode(config.body).decode()} if inline else {}
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(**repeated),
        "layers": [layer.descriptor() for layer in layers],
    }
    manifest = Content(_encode(document | more), MANIFEST, config.algorithm)
    return Image(manifest, tuple(dict.fromkeys([config, *layers])))


def _tar(name: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("etc/noise")
        member.size = 512
        archive.addfile(member, io.BytesIO(noise(name, member.size)))
    return packed.getvalue()


def _layer(tar: bytes, algorithm: str, *, compressed: bool) -> Content:
    if compressed:
        return Content(gzip.compress(tar, mtime=0), f"{LAYER}+gzip", algorithm)
    return Content(tar, LAYER, algorithm)


def _encode(document: Document) -> bytes:
    return json.dumps(document, indent=2).encode()


def _of(name: str, *images: Image, tagged: Content | None = None, also: Sequence[Content] = ()) -> DataSet:
    blobs = dict.fromkeys(blob for each in images for blob in each.blobs)
    manifests = (*(each.manifest for each in images), *also)
    return DataSet(name, tuple(blobs), manifests, {f"{name}-tag": tagged or manifests[-1]})


def _indexed(name: str, algorithm: str = "sha256") -> tuple[tuple[Content, ...], tuple[Content, ...]]:
    images = [image(f"{name}/{each}", algorithm=algorithm) for each in ("one", "two")]
    blobs = tuple(blob for each in images for blob in each.blobs)
    manifests = [each.manifest for each in images]
    return blobs, (*manifests, index(manifests, algorithm=algorithm))


def _plain() -> list[DataSet]:
    large = {f"org.example.large-{number}": "x" * 10_000 for number in range(400)}
    foreign = Content(b"kept elsewhere", FOREIGN_LAYER).descriptor(urls=["https://elsewhere.test/layer"])
    part = image("non-distributable")
    elsewhere = part.manifest.document
    elsewhere["layers"].insert(0, foreign)
    return [
        _of("image", image("image")),
        _of("image-uncompressed", image("image-uncompressed", compressed=False)),
        _of("image-without-layers", image("image-without-layers", layers=0)),
        _of("custom-fields", image("custom-fields", customField="kept", another={"as": ["it", "is"]})),
        _of("data-field", image("data-field", inline=True)),
        _of("large-manifest", image("large-manifest", annotations=large)),
        _of("non-distributable", Image(Content(_encode(elsewhere), MANIFEST), part.blobs)),
        _of("artifact", artifact("artifact")),
        _of("artifact-without-layers", artifact("artifact-without-layers", layers=0)),
    ]


def _indexes() -> list[DataSet]:
    one, two = image("index/one"), image("index/two")
    pair = index([one.manifest, two.manifest])
    papers = [artifact(f"artifact-index/{number}") for number in range(2)]
    listed = index([paper.manifest for paper in papers], artifactType=SBOM, annotations=FEW_ANNOTATIONS)
    return [
        _of("index", one, two, also=[pair]),
        _of("nested-index", one, two, also=[pair, index([pair], annotations={"org.example.level": "2"})]),
        _of("empty-index", also=[index([])]),
        _of("artifact-index", *papers, also=[listed]),
        _of("index-with-custom-fields", one, also=[index([one.manifest], customField=["kept"])]),
    ]


def _referring() -> list[DataSet]:
    base = image("subject")
    about = base.manifest.descriptor()
    sbom = artifact("referrers/sbom", subject=about, annotations=FEW_ANNOTATIONS)
    signature = artifact("referrers/signature", subject=about, artifactType=SIGNATURE)
    by_config = image("referrers/by-config", subject=about, annotations={"org.example.kind": "from the config"})
    typed = index([sbom.manifest], subject=about, artifactType=SIGNATURE, annotations=FEW_ANNOTATIONS)
    untyped = index([signature.manifest], subject=about)
    absent = Content(b"never pushed", MANIFEST).descriptor()
    lonely = artifact("missing-subject", subject=absent, annotations=FEW_ANNOTATIONS)
    return [
        _of("artifact-with-subject", base, sbom, signature, tagged=base.manifest),
        _of("image-with-subject", base, by_config, tagged=base.manifest),
        _of("index-with-subject", base, sbom, signature, tagged=base.manifest, also=[typed, untyped]),
        _of("missing-subject", lonely),
    ]


def _with_parameters(name: str, algorithm: str) -> DataSet:
    blobs, manifests = _indexed(name, algorithm)
    tags = {f"{name}-{number}": manifests[-1] for number in range(10)}
    return DataSet(name, blobs, manifests, tags | {f"{name}-child": manifests[0]}, tags_are_parameters=True)


DATA_SETS: Final = (
    *_plain(),
    *_indexes(),
    *_referring(),
    DataSet("sha512", *_indexed("sha512", "sha512")),
    _with_parameters("tag-parameters", "sha256"),
    _with_parameters("tag-parameters-sha512", "sha512"),
)
