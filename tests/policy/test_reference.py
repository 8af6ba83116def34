"""The pages about policy: the reference is what the declarations say, and every example is a policy."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from chainward.policy.document import parse_policy
from chainward.policy.rules import KINDS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference" / "policy.md"
HOW_TO = ROOT / "docs" / "how-to" / "write-a-policy.md"


def documents(page: Path) -> list[str]:
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if block.startswith("apiVersion")]


def test_the_reference_is_what_the_declarations_say() -> None:
    spec = importlib.util.spec_from_file_location("docs_policy", ROOT / "tools" / "docs_policy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert REFERENCE.read_text(encoding="utf-8") == module.render(), "run: make docs-generate"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_reference_has_every_key_and_code_of_a_kind(kind: object) -> None:
    declared = next(each for each in KINDS if each is kind)
    section = re.search(
        rf"^## `{declared.name}`\n(.*?)(?=^## |\Z)", REFERENCE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert section is not None
    for word in (*declared.keys, *(code.code for code in declared.codes), *declared.reads):
        assert f"`{word}`" in section[1]


@pytest.mark.parametrize("page", [REFERENCE, HOW_TO], ids=lambda page: page.name)
def test_every_policy_on_a_page_is_one(page: Path) -> None:
    found = documents(page)
    assert found
    for document in found:
        parse_policy(document.encode())
