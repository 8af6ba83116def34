"""One switch: ``pytest tests/sbom --record`` writes the golden documents anew; read the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.config.argparsing import Parser


def pytest_addoption(parser: Parser) -> None:
    parser.addoption("--record", action="store_true", help="write the golden SBOMs of tests/data/sbom anew")


@pytest.fixture
def record(request: pytest.FixtureRequest) -> bool:
    """Whether golden documents are to be written instead of compared."""
    return bool(request.config.getoption("--record", default=False))
