"""The example project: what its lock files say is what the inventory says, and its own tests hold."""

from __future__ import annotations

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.sbom.stand_ins import SUBJECT, StoppedClock, edge_names, roots

from chainward.adapters.tree import DirectoryTree
from chainward.formats.cyclonedx import validate_bom
from chainward.sbom import Sbom, encode, generate
from chainward.sbom.model import HashAlgorithm, Scope

if TYPE_CHECKING:
    from types import ModuleType

SHOP: Final = Path(__file__).parents[2] / "examples" / "shop"


@pytest.fixture
def built(tmp_path: Path) -> ModuleType:
    """The shop's build script, assembling in a folder of its own and installing nothing."""
    spec = spec_from_file_location("shop_build", SHOP / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.BUILD, module.PACKAGES, module.APP = tmp_path, tmp_path / "site-packages", tmp_path / "app"
    module.assemble()
    assert isinstance(module, type(json))
    return module


@pytest.fixture
def sbom(built: ModuleType) -> Sbom:
    return generate(DirectoryTree(built.BUILD), subject=SUBJECT, clock=StoppedClock())


def test_the_shops_own_tests_pass_against_what_is_assembled(built: Any) -> None:
    assert built.test() == 0
    results = json.loads((built.BUILD / "test-results.json").read_bytes())
    assert results["passed"] == len(results["tests"]) > 15
    assert results["failed"] == results["skipped"] == 0


def test_what_is_assembled_is_the_same_twice(built: Any, tmp_path: Path) -> None:
    def content(folder: Path) -> dict[str, tuple[int, bytes]]:
        return {
            str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes())
            for path in folder.rglob("*")
            if path.is_file()
        }

    built.normalise()
    first = content(tmp_path / "app")
    built.APP = tmp_path / "again"
    built.assemble()
    built.normalise()
    assert content(tmp_path / "again") == first
    assert all(mode == 0o100644 for mode, _ in first.values())


def test_the_inventory_has_both_ecosystems_with_hashes_and_edges(sbom: Sbom) -> None:
    validate_bom(encode(sbom))
    assert sbom.is_complete
    names = {component.name: component for component in sbom.components}
    assert {"starlette", "uvicorn", "anyio", "h11", "preact", "htm", "esbuild"} <= names.keys()
    assert {("starlette", "anyio"), ("uvicorn", "h11"), ("esbuild", "linux-x64")} <= edge_names(sbom)
    assert {"starlette", "uvicorn", "preact", "htm", "esbuild"} == roots(sbom)
    assert all(component.hashes for component in sbom.components)
    assert names["preact"].hashes[0].algorithm is HashAlgorithm.SHA512
    assert (names["preact"].scope, names["esbuild"].scope) == (Scope.RUNTIME, Scope.DEV)


def test_no_lock_file_names_a_registry() -> None:
    for path in (SHOP / "requirements.lock", SHOP / "frontend" / "package-lock.json"):
        hosts = set(re.findall(r"https?://([^/\"\s]+)", path.read_text()))
        assert hosts <= {"opencollective.com"}  # where preact asks for money


def test_every_pin_of_the_shop_has_a_hash() -> None:
    lock = (SHOP / "requirements.lock").read_text()
    assert len(re.findall(r"^[a-z0-9-]+==", lock, re.MULTILINE)) == len(
        re.findall(r"== ?[^\n]+\\\n\s+--hash=sha256:", lock)
    )
