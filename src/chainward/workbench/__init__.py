"""Where ports meet adapters on a workstation or in CI: the command line's half of the wiring.

The server's half is :mod:`chainward.wiring`. Files are in :mod:`~chainward.workbench.files`, what is believed and who
signs in :mod:`~chainward.workbench.trust`; verbs take everything from here. Everything heavy is imported by the
function that needs it, because a verb pays for what it uses and nothing else.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from chainward.workbench.files import (
    FileUnusable,
    OutputRefused,
    check_key_pair,
    check_new,
    check_output,
    file_digest,
    key_text,
    open_key,
    read_bytes,
    read_public_key,
    signable_digest,
    store_key,
    write_bytes,
    write_durably,
    write_secret,
)
from chainward.workbench.trust import (
    PinPlace,
    certify,
    exported_root,
    identity_token,
    material_of,
    next_tuf_root,
    platform_root,
    platform_services,
    sigstore_services,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from chainward.adapters.folder import LayoutReader, ResultWriter
    from chainward.adapters.remote import Remote, RemoteRegistry
    from chainward.delivery.build import Builder
    from chainward.delivery.image import LayerPlan
    from chainward.kernel.instant import Clock
    from chainward.ledger.neighbours import TileLog
    from chainward.sbom.model import Sbom

__all__ = [
    "FileUnusable",
    "OutputRefused",
    "PinPlace",
    "builder",
    "certify",
    "check_key_pair",
    "check_new",
    "check_output",
    "clock",
    "exported_root",
    "file_digest",
    "identity_token",
    "inventory",
    "key_text",
    "layer",
    "layout",
    "material_of",
    "next_tuf_root",
    "open_key",
    "platform_root",
    "platform_services",
    "published_file",
    "published_log",
    "read_bytes",
    "read_public_key",
    "registry",
    "remote",
    "result_folder",
    "signable_digest",
    "sigstore_services",
    "store_key",
    "unprotected_host",
    "write_bytes",
    "write_durably",
    "write_secret",
]


@contextmanager
def remote(url: str, token: str | None, *, certificate_authority: str | None = None) -> Iterator[Remote]:
    """Open a connection to a platform."""
    from chainward.adapters.remote import Remote

    with Remote(url, token, certificate_authority=certificate_authority) as connection:
        yield connection


def unprotected_host(url: str) -> str | None:
    """Return the host that a token would travel to unencrypted, None if it stays on this machine or goes by TLS."""
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
    except ValueError:
        return None  # Remote refuses it
    if parts.scheme != "http" or parts.hostname in {None, "localhost"}:
        return None
    try:
        return None if ip_address(parts.hostname or "").is_loopback else parts.hostname
    except ValueError:
        return parts.hostname


def registry(connection: Remote) -> RemoteRegistry:
    """Return the registry of a platform."""
    from chainward.adapters.remote import RemoteRegistry

    return RemoteRegistry(connection)


@contextmanager
def published_log(prefix: str, certificate_authority: Path | None = None) -> Iterator[TileLog]:
    """Open a log that anybody publishes below a URL prefix (C2SP tlog-tiles)."""
    from chainward.adapters.published import HttpTileLog, Outside

    with Outside(certificate_authority) as outside:
        yield HttpTileLog(outside, prefix)


def published_file(url: str, certificate_authority: Path | None = None) -> bytes:
    """Return a checkpoint that anybody publishes at a URL; raises PublishedUnavailable."""
    from chainward.adapters.published import Outside, PublishedUnavailable
    from chainward.formats.note import MAX_NOTE

    with Outside(certificate_authority) as outside:
        answer = outside.ask("GET", url, limit=MAX_NOTE)
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise PublishedUnavailable(f"{url} was answered with status {answer.status}")
    return answer.content


def clock() -> Clock:
    """Return the clock of this machine."""
    from chainward.adapters.system import SystemClock

    return SystemClock()


def builder(source: Path, environment: Mapping[str, str], result: ResultWriter) -> Builder:
    """Return a builder of the project in ``source`` that may pass on variables of ``environment``.

    ``result`` is not part of the source, even if it lies below it.
    """
    from chainward.adapters.git import SourceFolder
    from chainward.adapters.process import SubprocessRunner
    from chainward.adapters.system import SystemClock, SystemEntropy
    from chainward.delivery.build import Builder

    runner = SubprocessRunner(source, environment)
    below = [place.resolve() for place in result.places if place.resolve().is_relative_to(source)]
    left_out = tuple(place.relative_to(source).as_posix() for place in below)
    return Builder(runner, SourceFolder(source, left_out=left_out), SystemClock(), SystemEntropy())


def layer(folder: Path, target: str) -> LayerPlan:
    """Return the plan of a layer that puts the content of ``folder`` at ``target``."""
    from chainward.adapters.folder import FolderTree
    from chainward.delivery.image import LayerPlan

    return LayerPlan(FolderTree(folder), target)


def result_folder(path: Path, source: Path) -> ResultWriter:
    """Return the folder that a build fills; it replaces a former result there only when the build succeeds.

    Raises:
        OutputRefused: something else is there, which would be lost, or the source lies in it.
        FileUnusable: it cannot be made.
    """
    from chainward.adapters.folder import ResultWriter

    target = path.absolute()
    if source.resolve().is_relative_to(target.resolve()):
        raise OutputRefused(f"{path} holds the source itself")
    try:
        taken = path.is_symlink() or (path.exists() and not _is_result(path))
        if taken:
            raise OutputRefused(f"{path} is there already, and is not the result of a build")
        return ResultWriter(target)
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from error


def _is_result(path: Path) -> bool:
    """Whether a folder is empty, or the result of an earlier build."""
    return path.is_dir() and (not any(path.iterdir()) or (path / "build.json").is_file())


def layout(path: Path) -> LayoutReader:
    """Return the image in ``path``: an OCI image layout, or the result folder of a build."""
    from chainward.adapters.folder import LayoutReader

    return LayoutReader(_layout_folder(path) or path)


def inventory(path: Path, name: str | None) -> Sbom:
    """Return what is in ``path``: an OCI image layout, the result folder of a build, or any folder."""
    from chainward.adapters.system import SystemClock
    from chainward.adapters.tree.directory import DirectoryTree
    from chainward.adapters.tree.layout import image_in_layout
    from chainward.sbom.generate import generate
    from chainward.sbom.model import Subject, SubjectKind

    image = _layout_folder(path)
    shown = name or path.resolve().name
    if image is None:
        return generate(DirectoryTree(path), subject=Subject(shown, SubjectKind.APPLICATION), clock=SystemClock())
    digest, tree = image_in_layout(image)
    return generate(tree, subject=Subject(shown, SubjectKind.CONTAINER, digest=digest), clock=SystemClock())


def _layout_folder(path: Path) -> Path | None:
    """Return the image layout that ``path`` is or holds, if any."""
    for candidate in (path, path / "image"):
        if (candidate / "oci-layout").is_file():
            return candidate
    return None
