"""Small realistic trees and the documents that they give, word for word, so that a change of either is seen.

The trees lie in ``tests/data/sbom``, each with its document beside it; ``pytest tests/sbom --record`` writes them anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.layers import MemoryBlobs, image, tar
from tests.sbom.stand_ins import StoppedClock

from chainward import __version__
from chainward.adapters.tree import DirectoryTree, ImageTree
from chainward.formats.cyclonedx import validate_bom
from chainward.sbom import Subject, SubjectKind, encode, generate

GOLDEN = Path(__file__).parents[1] / "data" / "sbom"
TREES = sorted(folder.name for folder in GOLDEN.iterdir() if folder.is_dir())


def document(tree: DirectoryTree | ImageTree, name: str) -> dict[str, Any]:
    """The document without what may differ from version to version."""
    subject = Subject(name, SubjectKind.APPLICATION, "1.0")
    data = encode(generate(tree, subject=subject, clock=StoppedClock()))
    validate_bom(data)
    read: dict[str, Any] = json.loads(data)
    assert read.pop("serialNumber").startswith("urn:uuid:")
    (tool,) = read["metadata"]["tools"]["components"]
    assert tool.pop("version") == __version__
    return read


@pytest.mark.parametrize("name", TREES)
def test_a_tree_gives_the_document_that_it_gave_before(name: str, *, record: bool) -> None:
    golden = GOLDEN / f"{name}.cdx.json"
    found = document(DirectoryTree(GOLDEN / name), name)
    if record:
        golden.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(golden.read_text())
    assert found["components"], "a tree in which nothing is found shows nothing"


@pytest.mark.parametrize("name", TREES)
def test_the_same_tree_as_an_image_gives_the_same_components_with_their_layers(name: str) -> None:
    root = GOLDEN / name
    files = [(str(path.relative_to(root)), path.read_bytes()) for path in sorted(root.rglob("*")) if path.is_file()]
    blobs = MemoryBlobs()
    layers = image(blobs, *(tar(file) for file in files))
    found = document(ImageTree(layers, blobs), name)
    expected = json.loads((GOLDEN / f"{name}.cdx.json").read_text())
    assert found["dependencies"] == expected["dependencies"]
    for component in found["components"]:
        own = [each for each in component["properties"] if each["name"] != "chainward:layer"]
        assert len(own) < len(component["properties"])
        component["properties"] = own
        for occurrence in component["evidence"]["occurrences"]:
            assert occurrence.pop("additionalContext").startswith("layer sha256:")
    assert found["components"] == expected["components"]


def test_every_golden_document_has_its_tree() -> None:
    assert sorted(path.name.removesuffix(".cdx.json") for path in GOLDEN.glob("*.cdx.json")) == TREES
