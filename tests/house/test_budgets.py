"""The budgets of the house: small files, small functions, everything annotated and described."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[2] / "src" / "chainward"
TESTS = Path(__file__).parents[1]
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "migrations/versions" not in path.as_posix())

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in MODULES:
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def functions() -> Iterator[tuple[Path, _Function]]:
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, _Function):
                yield path, node


def p95(values: list[int]) -> float:
    return quantiles(values, n=20)[-1]


def code_lines(paths: list[Path]) -> int:
    return sum(bool(line.strip()) for path in paths for line in path.read_text(encoding="utf-8").splitlines())


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert p95(list(lengths.values())) <= 400
    assert {str(path): length for path, length in lengths.items() if length > 600} == {}


def test_functions_are_short() -> None:
    lengths = [node.end_lineno - node.lineno + 1 for _, node in functions() if node.end_lineno is not None]
    assert p95(lengths) <= 45


def test_every_function_is_annotated() -> None:
    bare = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"
        for path, node in functions()
        if node.returns is None
        or any(
            argument.annotation is None and argument.arg not in {"self", "cls"}
            for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        )
    ]
    assert bare == []


def test_every_module_says_what_it_is() -> None:
    assert [str(path) for path, tree in trees() if not ast.get_docstring(tree)] == []


def test_nearly_every_public_name_is_described() -> None:
    described = total = 0
    for _, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef | _Function) and not node.name.startswith("_"):
                total += 1
                described += ast.get_docstring(node) is not None
    assert described / total >= 0.95


def test_type_ignores_are_rare_and_give_their_reason() -> None:
    pattern = re.compile(r"#\s*type:\s*ignore(?P<code>\[[a-z-]+(?:,\s*[a-z-]+)*\])?(?P<reason>.*)")
    found = [(path, match) for path in MODULES for match in pattern.finditer(path.read_text(encoding="utf-8"))]
    unargued = [str(path) for path, match in found if not match["code"] or "#" not in match["reason"]]
    assert unargued == []
    assert len(found) <= 0.5 * code_lines(MODULES) / 1000 + 1


def test_mocks_are_rare() -> None:
    paths = sorted(TESTS.rglob("*.py"))
    word = re.compile(r"\b(?:Magic)?Mock\(|\bpatch\(|mock\.patch")
    found = sum(len(word.findall(path.read_text(encoding="utf-8"))) for path in paths if path != Path(__file__))
    assert found <= 5 * code_lines(paths) / 1000


def test_ports_are_narrow() -> None:
    wide: dict[str, int] = {}
    for path, tree in trees():
        if path.name != "ports.py":
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base).startswith("Protocol") for base in node.bases):
                methods = [part for part in node.body if isinstance(part, _Function)]
                if len(methods) > 8:
                    wide[f"{path.relative_to(SOURCE)}:{node.name}"] = len(methods)
    assert wide == {}


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "misc"])
def test_there_is_no_drawer_called(name: str) -> None:
    assert [str(path) for path in SOURCE.rglob("*") if path.stem == name] == []
