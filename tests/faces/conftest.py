"""One platform for each test module of the faces, and a client with its admin token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.platforms import Client, TestPlatform, in_process, open_test_platform

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestPlatform]:
    """A furnished platform that the tests of one module share."""
    with open_test_platform(tmp_path_factory.mktemp("platform")) as platform:
        yield platform


@pytest.fixture(scope="module")
def admin(desk: TestPlatform) -> Iterator[Client]:
    """A client with every right."""
    with in_process(desk) as client:
        yield client
