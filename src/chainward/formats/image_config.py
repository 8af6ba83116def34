"""The configuration of an OCI image: what it runs on, what it starts, which layers it stands on.

Follows image-spec 1.1.1, config.md. In: the bytes of a config blob. Out: an :class:`ImageConfig`; unknown members are
skipped. Written deterministically: equal values, equal bytes. ``created`` is kept as text, because what others wrote
there is theirs; we write RFC 3339 or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import decode_json, deterministic_json, without_empty
from chainward.formats.errors import Malformed
from chainward.kernel.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_IMAGE_CONFIG", "History", "ImageConfig", "decode_image_config", "encode_image_config"]

MAX_IMAGE_CONFIG: Final = 4 * 1024 * 1024
_WHAT: Final = "image config"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How one layer came to be; ``empty_layer`` marks a step that changed no file."""

    created: str | None = None
    created_by: str | None = None
    author: str | None = None
    comment: str | None = None
    empty_layer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """Platform, process and layers of an image; ``diff_ids`` are the digests of the uncompressed layers, base first."""

    architecture: str
    os: str
    diff_ids: tuple[Digest, ...]
    variant: str | None = None
    created: str | None = None
    author: str | None = None
    user: str | None = None
    environment: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_dir: str | None = None
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str | None = None
    history: tuple[History, ...] = ()


class _WireHistory(msgspec.Struct, frozen=True, kw_only=True):
    created: str | None = None
    created_by: str | None = None
    author: str | None = None
    comment: str | None = None
    empty_layer: bool | None = None


class _WireProcess(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    user: str | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    working_dir: str | None = None
    exposed_ports: dict[str, Any] | None = None
    volumes: dict[str, Any] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None


class _WireRootFs(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    diff_ids: tuple[str, ...] | None = None


class _WireConfig(msgspec.Struct, frozen=True, kw_only=True):
    architecture: str
    os: str
    rootfs: _WireRootFs
    variant: str | None = None
    created: str | None = None
    author: str | None = None
    config: _WireProcess | None = None
    history: tuple[_WireHistory, ...] | None = None


def decode_image_config(data: bytes) -> ImageConfig:
    """Read an image configuration; raises TooLarge, Malformed or InvalidDigest."""
    wire = decode_json(data, _WireConfig, limit=MAX_IMAGE_CONFIG, what=_WHAT)
    if wire.rootfs.type != "layers":
        raise Malformed(_WHAT, f"rootfs.type is {wire.rootfs.type[:40]!r}, not 'layers'")
    process = wire.config or _WireProcess()
    return ImageConfig(
        architecture=wire.architecture,
        os=wire.os,
        diff_ids=tuple(Digest.parse(text) for text in wire.rootfs.diff_ids or ()),
        variant=wire.variant,
        created=wire.created,
        author=wire.author,
        user=process.user,
        environment=process.env or (),
        entrypoint=process.entrypoint or (),
        command=process.cmd or (),
        working_dir=process.working_dir,
        exposed_ports=tuple(process.exposed_ports or ()),
        volumes=tuple(process.volumes or ()),
        labels=process.labels or {},
        stop_signal=process.stop_signal,
        history=tuple(_history(step) for step in wire.history or ()),
    )


def encode_image_config(config: ImageConfig) -> bytes:
    """Write an image configuration; raises Unwritable."""
    process: dict[str, Any] = {
        "User": config.user,
        "Env": config.environment,
        "Entrypoint": config.entrypoint,
        "Cmd": config.command,
        "WorkingDir": config.working_dir,
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Volumes": {path: {} for path in config.volumes},
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
    }
    members: dict[str, Any] = {
        "architecture": config.architecture,
        "os": config.os,
        "rootfs": {"type": "layers", "diff_ids": [str(digest) for digest in config.diff_ids]},
    }
    optional = {
        "variant": config.variant,
        "created": config.created,
        "author": config.author,
        "config": without_empty(process),
        "history": [_history_members(step) for step in config.history],
    }
    return deterministic_json(members | without_empty(optional))


def _history(wire: _WireHistory) -> History:
    return History(
        created=wire.created,
        created_by=wire.created_by,
        author=wire.author,
        comment=wire.comment,
        empty_layer=bool(wire.empty_layer),
    )


def _history_members(step: History) -> dict[str, Any]:
    return without_empty(
        {
            "created": step.created,
            "created_by": step.created_by,
            "author": step.author,
            "comment": step.comment,
            "empty_layer": step.empty_layer,
        }
    )
