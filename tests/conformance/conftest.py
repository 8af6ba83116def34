"""An instance on loopback for stock clients: the whole platform with its development issuer, and its documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from tests.conformance.clients import Documents, Signer
from tests.flows.server import serve_platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.platforms import TestPlatform

SUBJECT: Final = "https://builder.test/shop/release"
SETTINGS: Final[dict[tuple[str, str], object]] = {("trust", "development_issuer"): True}


@dataclass(frozen=True, slots=True)
class Instance:
    """A running platform as a stock client sees it."""

    url: str
    token: str
    documents: Documents
    platform: TestPlatform

    def signer(self, subject: str = SUBJECT) -> Signer:
        """Return somebody with an identity token."""
        answer = httpx.post(
            f"{self.url}/dev/oidc/token",
            headers={"Authorization": f"Bearer {self.token}"},
            json={"subject": subject, "audience": "sigstore"},
        )
        assert answer.status_code == 200, answer.text
        return Signer(answer.json()["id_token"], subject, f"{self.url}/dev/oidc")


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Serve one platform for all clients."""
    folder = tmp_path_factory.mktemp("instance")
    with serve_platform(folder / "data", SETTINGS) as (platform, url):
        yield Instance(url, platform.admin, _documents(url, folder), platform)


def _documents(url: str, folder: Path) -> Documents:
    names = ("trusted_root.json", "signing_config.v0.2.json", "client_trust_config.json")
    for name in names:
        answer = httpx.get(f"{url}/{name}")
        assert answer.status_code == 200, answer.text
        (folder / name).write_bytes(answer.content)
    return Documents(*(folder / name for name in names))
