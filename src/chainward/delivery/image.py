"""Assembles an OCI image from folders, without a container engine: same input, same digest, every time.

In: layers, each the nodes of a folder and the path at which it stands in the image, and what the image starts. Out:
blobs in a :class:`BlobSink` and the descriptor of the manifest. Follows image-spec 1.1.1 (layer.md, config.md,
manifest.md); layers are POSIX ustar, with pax headers only where ustar has no room.

What could differ between two machines is fixed: order, owner 0:0, modes 0644 or 0755, one mtime for everything, no
device numbers, gzip without name and time. Memory is bounded by one chunk of one file. The digest of a compressed layer
also depends on the zlib that compresses; the diff ids in the config do not.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from chainward.delivery.errors import SourceChanged, SourceRefused
from chainward.delivery.ports import NodeKind
from chainward.formats.oci import (
    OCI_CONFIG,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
    History,
    ImageConfig,
    Manifest,
    encode_image_config,
    encode_manifest,
)
from chainward.kernel.digest import Algorithm, Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from chainward.delivery.ports import BlobSink, SourceTree, TreeNode

__all__ = ["AssembledImage", "ImagePlan", "LayerPlan", "assemble", "gzip_chunks", "tar_chunks"]

_GZIP_LEVEL: Final = 6
_GZIP_WINDOW: Final = 31  # a gzip header whose mtime is 0 and that carries no name
_WHITEOUT: Final = ".wh."  # layer.md, "Whiteouts": such a file would delete another one when the layer is applied
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_PATH: Final = 4096
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A folder that becomes a layer, and the absolute path at which its content stands in the image."""

    tree: SourceTree
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """Everything that goes into an image; ``created`` is also the mtime of every file in it."""

    layers: tuple[LayerPlan, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    working_dir: str | None = None
    user: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    architecture: str = "amd64"
    os: str = "linux"
    created: datetime = _EPOCH


@dataclass(frozen=True, slots=True)
class AssembledImage:
    """The manifest of a finished image, as descriptor and as bytes, with its config and its layers."""

    manifest: Descriptor
    body: bytes
    config: ImageConfig
    layers: tuple[Descriptor, ...]


def assemble(plan: ImagePlan, sink: BlobSink) -> AssembledImage:
    """Write the layers, the config and the manifest of ``plan`` into ``sink``.

    Raises:
        SourceRefused: a node that no image may carry.
        SourceChanged: a file changed while it was packed.
    """
    packed = [_pack(layer, plan.created, sink) for layer in plan.layers]
    layers = tuple(descriptor for descriptor, _ in packed)
    config = _config_of(plan, tuple(diff_id for _, diff_id in packed))
    config_body = encode_image_config(config)
    manifest = Manifest(
        media_type=OCI_MANIFEST,
        config=_stored(sink, config_body, OCI_CONFIG),
        layers=layers,
        annotations=plan.annotations,
    )
    body = encode_manifest(manifest)
    return AssembledImage(_stored(sink, body, OCI_MANIFEST), body, config, layers)


def tar_chunks(tree: SourceTree, target: str, created: datetime) -> Iterator[bytes]:
    """Yield the uncompressed tar of ``tree`` standing at ``target``; raises SourceRefused and SourceChanged."""
    root = _normal_target(target)
    mtime = int(created.timestamp())
    written = 0
    for chunk in _members(tree, root, mtime):
        written += len(chunk)
        yield chunk
    end = tarfile.BLOCKSIZE * 2
    yield tarfile.NUL * (end + -(written + end) % tarfile.RECORDSIZE)


def gzip_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Compress with a fixed level and a header that says nothing about when and where."""
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    for chunk in chunks:
        if packed := compressor.compress(chunk):
            yield packed
    yield compressor.flush()


def _pack(layer: LayerPlan, created: datetime, sink: BlobSink) -> tuple[Descriptor, Digest]:
    hasher = hashlib.sha256()

    def observed() -> Iterator[bytes]:
        for chunk in tar_chunks(layer.tree, layer.target, created):
            hasher.update(chunk)
            yield chunk

    digest, size = sink.put(gzip_chunks(observed()))
    return Descriptor(OCI_LAYER_GZIP, digest, size), Digest(Algorithm.SHA256, hasher.hexdigest())


def _stored(sink: BlobSink, body: bytes, media_type: str) -> Descriptor:
    digest, size = sink.put((body,))
    return Descriptor(media_type, digest, size)


def _config_of(plan: ImagePlan, diff_ids: tuple[Digest, ...]) -> ImageConfig:
    created = plan.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ImageConfig(
        architecture=plan.architecture,
        os=plan.os,
        diff_ids=diff_ids,
        created=created,
        user=plan.user,
        environment=plan.environment,
        entrypoint=plan.entrypoint,
        command=plan.command,
        working_dir=plan.working_dir,
        labels=plan.labels,
        history=tuple(
            History(created=created, created_by=f"chainward build --layer {_normal_target(layer.target) or '/'}")
            for layer in plan.layers
        ),
    )


def _normal_target(target: str) -> str:
    """Return ``target`` without its leading slash: ``/srv/app/`` is ``srv/app``, ``/`` is the empty text."""
    parts = [part for part in target.split("/") if part]
    if not target.startswith("/") or any(part in {".", ".."} for part in parts):
        raise SourceRefused(
            f"{target[:120]!r} is not an absolute path in an image", hint="Write a layer as FOLDER:/path"
        )
    return "/".join(parts)


def _members(tree: SourceTree, root: str, mtime: int) -> Iterator[bytes]:
    """Yield header and content of every member, parents first."""
    parents = root.split("/") if root else []
    for depth in range(1, len(parents) + 1):
        yield _header("/".join(parents[:depth]) + "/", tarfile.DIRTYPE, mtime)
    last: list[str] = []
    for node in tree.nodes():
        parts = node.path.split("/")
        if parts <= last:
            raise SourceRefused(f"{node.path[:200]!r} is listed twice or out of order")
        last = parts
        _check_name(node.path, parts)
        yield from _member(tree, node, f"{root}/{node.path}" if root else node.path, root, mtime)


def _check_name(path: str, parts: list[str]) -> None:
    _check_text(path)
    if any(part in {"", ".", ".."} for part in parts):
        raise SourceRefused(f"{path[:200]!r} is not a path inside a folder")
    if any(part.startswith(_WHITEOUT) for part in parts):
        raise SourceRefused(f"{path[:200]!r} would delete other files when the layer is unpacked")


def _check_text(text: str) -> None:
    if _CONTROL.search(text):
        raise SourceRefused(f"the name {text[:200]!r} has a control character")
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise SourceRefused(f"the name {text[:200]!r} is not UTF-8") from None
    if not 0 < length <= _MAX_PATH:
        raise SourceRefused(f"the name {text[:200]!r} has {length} bytes")


def _member(tree: SourceTree, node: TreeNode, name: str, root: str, mtime: int) -> Iterator[bytes]:
    match node.kind:
        case NodeKind.DIRECTORY:
            yield _header(f"{name}/", tarfile.DIRTYPE, mtime)
        case NodeKind.SYMLINK:
            _check_link(node, name, root)
            yield _header(name, tarfile.SYMTYPE, mtime, target=node.target)
        case NodeKind.FILE:
            yield _header(name, tarfile.REGTYPE, mtime, size=node.size, executable=node.executable)
            yield from _content(tree, node)
        case _:
            raise SourceRefused(f"{node.path[:200]!r} is neither file, folder nor link")


def _check_link(node: TreeNode, name: str, root: str) -> None:
    """Refuse a link that ends outside of its layer's own path; both ends are taken as text, nothing is followed."""
    _check_text(node.target)
    base = [] if node.target.startswith("/") else name.split("/")[:-1]
    for part in node.target.split("/"):
        if part == ".." and not base:
            raise SourceRefused(f"the link {node.path[:200]!r} leaves the image: {node.target[:200]!r}")
        if part == "..":
            base.pop()
        elif part not in {"", "."}:
            base.append(part)
    inside = root.split("/") if root else []
    if base[: len(inside)] != inside:
        raise SourceRefused(f"the link {node.path[:200]!r} leaves its layer: {node.target[:200]!r}")


def _content(tree: SourceTree, node: TreeNode) -> Iterator[bytes]:
    """Yield exactly as many bytes as were announced, padded to whole blocks."""
    left = node.size
    for chunk in tree.chunks(node.path):
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left != 0:
        raise SourceChanged(f"{node.path[:200]!r} changed its size while it was packed")
    if padding := -node.size % tarfile.BLOCKSIZE:
        yield tarfile.NUL * padding


def _header(name: str, kind: bytes, mtime: int, *, size: int = 0, executable: bool = False, target: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = size
    info.mtime = mtime
    info.mode = 0o777 if kind == tarfile.SYMTYPE else 0o755 if executable or kind == tarfile.DIRTYPE else 0o644
    info.linkname = target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
