"""The registry that is judged: the one that the environment names, or a Chainward that is served for this purpose.

``CHAINWARD_OCI_URL`` is the base URL of a registry, ``CHAINWARD_OCI_USER`` and ``CHAINWARD_OCI_PASSWORD`` are who asks
it, ``CHAINWARD_OCI_NAMESPACE`` is where repositories are made. What the specification leaves to a registry is skipped
where a foreign one does without; ours has to have everything.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

import pytest
from tests.conformance.oci.auth import Credentials
from tests.conformance.oci.client import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from tests.conformance.oci.client import Repository
    from tests.conformance.oci.data import DataSet

SETTINGS: Final[dict[tuple[str, str], object]] = {("registry", "mutable_tags"): ("**",)}


@dataclass(frozen=True, slots=True)
class Target:
    """A registry under judgement."""

    url: str
    credentials: Credentials | None
    registry: Registry
    namespace: str
    is_ours: bool
    _stocked: dict[str, Repository] = field(default_factory=dict)

    def new_repository(self) -> Repository:
        """Return a repository that nothing was pushed to."""
        return self.registry.repository(f"{self.namespace}/{uuid.uuid4().hex}")

    def stocked(self, data: DataSet) -> Repository:
        """Return a repository that holds a data set and is not to be changed: checks that only read share it."""
        if data.name not in self._stocked:
            repository = self.new_repository()
            self.stock(repository, data)
            self._stocked[data.name] = repository
        return self._stocked[data.name]

    def stock(self, repository: Repository, data: DataSet) -> None:
        """Push a data set: its blobs, its manifests by digest, its tags."""
        for blob in data.blobs:
            repository.stock_blob(blob)
        for manifest in data.manifests:
            tags = data.tags_of(manifest)
            repository.stock_manifest(manifest, tags=tags if data.tags_are_parameters else ())
            if tags and data.tags_are_parameters:
                self.need_tag_parameters(repository, tags)
            for tag in () if data.tags_are_parameters else tags:
                repository.stock_manifest(manifest, tag)

    def need_tag_parameters(self, repository: Repository, tags: list[str]) -> None:
        """Go on only if tags that were given as parameters exist."""
        for tag in tags:
            if repository.manifest(tag, "HEAD").status_code != 200:
                self.do_without("tags as parameters")

    def need(self, answer: httpx.Response, status: int, *instead: int, feature: str) -> None:
        """Go on only if the answer has this status; others that the specification allows mean that it does without."""
        if answer.status_code in instead:
            self.do_without(f"{feature} ({answer.status_code})")
        assert answer.status_code == status, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}"

    def do_without(self, feature: str) -> NoReturn:
        """End a check of something that the specification leaves to the registry."""
        if self.is_ours:
            pytest.fail(f"the registry does without {feature}")
        pytest.skip(f"this registry does without {feature}, which is left to it")


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Give the registry to judge."""
    namespace = os.environ.get("CHAINWARD_OCI_NAMESPACE", "conformance")
    url = os.environ.get("CHAINWARD_OCI_URL")
    if url is None:
        from tests.flows.server import serve_platform  # here: a foreign registry can be judged without it

        folder = tmp_path_factory.mktemp("registry")
        with serve_platform(folder / "data", SETTINGS) as (platform, served):
            credentials = Credentials("conformance", platform.admin)
            with Registry(served, credentials) as registry:
                yield Target(served, credentials, registry, namespace, is_ours=True)
        return
    user = os.environ.get("CHAINWARD_OCI_USER")
    found = None if user is None else Credentials(user, os.environ.get("CHAINWARD_OCI_PASSWORD", ""))
    with Registry(url, found) as registry:
        yield Target(url, found, registry, namespace, is_ours=False)


@pytest.fixture
def repository(target: Target) -> Repository:
    """Give a repository that nothing was pushed to."""
    return target.new_repository()
