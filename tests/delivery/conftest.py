"""A prepared platform below the faces, on SQLite, for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.databases import sqlite_platform
from tests.delivery.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with sqlite_platform(tmp_path) as platform:
        yield Rig(platform, tmp_path).prepare()
