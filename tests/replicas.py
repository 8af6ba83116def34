"""Two ``chainward up`` over one PostgreSQL database, set up as docs/how-to/run-the-platform.md says under "Replicas".

``pair(folder, url)`` makes the platform in ``folder/first``, copies settings, marker and keys to ``folder/second``, and
runs one process on each; both know the image host :data:`HOST` and share one folder of blobs. With ``shared`` both run
on ``folder/first`` itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
from tests.delivery.rig import Rig
from tests.flows.processes import Process, chainward, free_port, start

from chainward.config import Config, load
from chainward.formats.oci import OCI_MANIFEST
from chainward.kernel.digest import Digest
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.wiring import open_platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chainward.wiring import Platform

__all__ = ["HOST", "Pair", "PlatformRig", "Replica", "pair", "settings_of"]

HOST: Final = "registry.test:5000"
_CONFIG: Final = b'{"architecture":"amd64","os":"linux"}'
_CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"


class PlatformRig(Rig):
    """What a Rig does, on the rooms of an opened platform, with a release key that is trusted for ``shop/**``."""

    def __init__(self, platform: Platform, name: str = "release") -> None:
        self.clock = platform.clock  # type: ignore[assignment]  # the real one
        self.ledger, self.registry, self.rekor = platform.ledger, platform.registry, platform.rekor
        self.signers, self.policies, self.portfolios = platform.signers, platform.policies, platform.portfolios
        self.reader, self.judge = platform.reader, platform.judge
        self.release_key = generate(Scheme.ECDSA_P256_SHA256)
        self.trust_key(name, self.release_key, "shop/**")


@dataclass(slots=True)
class Replica:
    """One process and a client of it with the first token."""

    folder: Path
    process: Process
    client: httpx.Client

    def post(self, path: str, status: int, **body: object) -> Any:
        """POST JSON and return the answer; any other status fails."""
        answer = self.client.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def push(self, repository: str, reference: str, note: str = "") -> httpx.Response:
        """Push an image without layers; ``note`` makes it another one. Returns the answer to its manifest."""
        config = Digest.of(_CONFIG)
        uploads = f"/v2/{repository}/blobs/uploads/"
        assert self.client.post(uploads, params={"digest": str(config)}, content=_CONFIG).status_code == 201
        descriptor = {"mediaType": _CONFIG_TYPE, "digest": str(config), "size": len(_CONFIG)}
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor, "layers": []}
        body = json.dumps(document | {"annotations": {"note": note}}).encode()
        headers = {"Content-Type": OCI_MANIFEST}
        return self.client.put(f"/v2/{repository}/manifests/{reference}", content=body, headers=headers)

    def pull(self, repository: str, reference: str) -> httpx.Response:
        """Ask for a manifest."""
        return self.client.get(f"/v2/{repository}/manifests/{reference}")

    def verdict(self, image: str, environment: str = "dev") -> bool:
        """Ask what the admission gate would say."""
        told = self.post("/api/v1/verdicts", 200, image=image, environment=environment, gate="admit")
        return bool(told["allowed"])

    def revoke(self, digest: str, reason: str = "test") -> httpx.Response:
        """Revoke a digest everywhere."""
        return self.client.post("/api/v1/revocations", json={"digest": digest, "reason": reason})


@dataclass(frozen=True, slots=True)
class Pair:
    """Two replicas."""

    first: Replica
    second: Replica
    token: str

    @property
    def config(self) -> Config:
        """The settings of the first."""
        return load(self.first.folder / "chainward.toml", {}, {("storage", "folder"): self.first.folder})

    @contextmanager
    def inside(self) -> Iterator[Platform]:
        """Give the platform once more, opened in this process: a third replica without background work."""
        platform = open_platform(self.config)
        try:
            yield platform
        finally:
            platform.close()


def settings_of(url: str, blobs: Path) -> str:
    """Return a configuration file for a replica."""
    return f'[storage]\ndatabase = "{url}"\nblobs = "{blobs}"\n\n[instance]\nhosts = ["{HOST}"]\n'


@contextmanager
def pair(folder: Path, url: str, *, shared: bool = False) -> Iterator[Pair]:
    """Make a platform over the empty database ``url`` and run two replicas of it."""
    first, second, token = folder / "first", folder / "second", folder / "admin.token"
    first.mkdir(mode=0o700)
    (first / "chainward.toml").write_text(settings_of(url, folder / "blobs"), encoding="utf-8")
    words = chainward("init", "--data", str(first), "--token-out", str(token))
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    if shared:
        second = first
    else:
        second.mkdir(mode=0o700)
        for name in ("chainward.toml", "instance.json"):
            shutil.copy2(first / name, second / name)
        shutil.copytree(first / "keys", second / "keys")
    text = token.read_text(encoding="utf-8").strip()
    with ExitStack() as ending:
        one, other = (ending.enter_context(_replica(each, text)) for each in (first, second))
        yield Pair(one, other, text)


@contextmanager
def _replica(folder: Path, token: str) -> Iterator[Replica]:
    process = start(folder, free_port())
    assert process.process.poll() is None, process.stderr.read_text()
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=process.url, headers=headers, trust_env=False, timeout=30) as client:
            yield Replica(folder, process, client)
    finally:
        process.kill()
