"""A registry over SQLite for each test of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.registry_stand import Stand, sqlite_stand

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with sqlite_stand(tmp_path) as stand:
        yield stand
