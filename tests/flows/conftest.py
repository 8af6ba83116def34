"""One platform for each test process, made and run by the command itself, and one image that was shipped to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.databases import cluster
from tests.flows.command_line import Desk, running

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["cluster", "desk", "shipped"]


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A workspace with a running platform; tests keep to names and tags of their own."""
    with running(tmp_path_factory.mktemp("command-line")) as started:
        yield started


@pytest.fixture(scope="session")
def shipped(desk: Desk) -> str:
    """The digest of ``shop/web:1.0``, pushed with all its evidence; its result folder is ``1.0``."""
    return desk.complete("1.0")
