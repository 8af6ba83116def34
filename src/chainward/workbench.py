"""Where ports meet adapters on a workstation or in CI: the command line's half of the wiring.

The server's half is :mod:`chainward.wiring`. Everything heavy is imported by the function that needs it, because a verb
pays for what it uses and nothing else.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from chainward.adapters.folder import LayoutReader
    from chainward.adapters.remote import Remote, RemoteRegistry, RemoteSignatureLog
    from chainward.delivery.build import Builder
    from chainward.delivery.image import LayerPlan
    from chainward.delivery.ports import ResultFolder
    from chainward.kernel.instant import Clock
    from chainward.keys.local import PrivateKey

__all__ = [
    "builder",
    "clock",
    "layer",
    "layout",
    "open_key",
    "registry",
    "remote",
    "result_folder",
    "signature_log",
]


@contextmanager
def remote(url: str, token: str | None, *, certificate_authority: str | None = None) -> Iterator[Remote]:
    """Open a connection to a platform."""
    from chainward.adapters.remote import Remote

    with Remote(url, token, certificate_authority=certificate_authority) as connection:
        yield connection


def registry(connection: Remote) -> RemoteRegistry:
    """Return the registry of a platform."""
    from chainward.adapters.remote import RemoteRegistry

    return RemoteRegistry(connection)


def signature_log(connection: Remote) -> RemoteSignatureLog:
    """Return the signature log of a platform."""
    from chainward.adapters.remote import RemoteSignatureLog

    return RemoteSignatureLog(connection)


def clock() -> Clock:
    """Return this machine's clock."""
    from chainward.adapters.system import SystemClock

    return SystemClock()


def builder(source: Path, environment: Mapping[str, str]) -> Builder:
    """Return a builder of the project in ``source`` that may pass on variables of ``environment``."""
    from chainward.adapters.git import SourceFolder
    from chainward.adapters.process import SubprocessRunner
    from chainward.adapters.system import SystemClock, SystemEntropy
    from chainward.delivery.build import Builder

    runner = SubprocessRunner(source, environment)
    return Builder(runner, SourceFolder(source), SystemClock(), SystemEntropy())


def layer(folder: Path, target: str) -> LayerPlan:
    """Return the plan of a layer that puts the content of ``folder`` at ``target``."""
    from chainward.adapters.folder import FolderTree
    from chainward.delivery.image import LayerPlan

    return LayerPlan(FolderTree(folder), target)


def result_folder(path: Path) -> ResultFolder:
    """Return the folder that a build fills; it replaces what stood there only when the build succeeds."""
    from chainward.adapters.folder import ResultWriter

    return ResultWriter(path)


def layout(path: Path) -> LayoutReader:
    """Return the image in ``path``: an OCI image layout, or the result folder of a build."""
    from chainward.adapters.folder import LayoutReader

    inner = path / "image"
    return LayoutReader(inner if (inner / "oci-layout").is_file() else path)


def open_key(reference: str, passphrase: bytes | None) -> PrivateKey:
    """Open the private key that a reference such as ``file:release.key`` names."""
    from chainward.adapters.signers import open_signer
    from chainward.keys.uri import KeyReference

    return open_signer(KeyReference.parse(reference), passphrase)
