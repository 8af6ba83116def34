"""What the rooms may import from outside, and that importing them opens no door to the outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "chainward"
ABOVE = {"adapters", "config", "faces", "wiring", "workbench"}
ROOMS = sorted(path.name for path in SOURCE.iterdir() if path.is_dir() and path.name not in ABOVE | {"__pycache__"})

ALLOWED = {
    "kernel": set[str](),
    "formats": {"msgspec", "orjson", "jsonschema_rs", "cryptography"},
    "keys": {"cryptography", "msgspec"},
    "ledger": {"msgspec", "cryptography"},
    "trust": {"cryptography", "msgspec", "orjson"},
    "registry": {"msgspec"},
    "access": {"msgspec"},
    "sbom": {"msgspec", "orjson"},
    "attest": {"msgspec", "orjson"},
    "policy": {"msgspec", "yaml"},
    "portfolio": {"msgspec"},
    "delivery": {"msgspec", "orjson"},
}
# Not _socket: typing_extensions (under msgspec, before Python 3.13) loads it for a type; alone it opens nothing.
# cryptography.x509 loads email.utils to read addresses, and that loads socket for a function that nobody calls here: so
# it is loaded beforehand and forgotten, and whatever else loads it is still seen.
FORGOTTEN = "import email.utils; del sys.modules['socket']"
FORBIDDEN = ("socket", "subprocess", "_posixsubprocess", "sqlalchemy", "httpx", "ssl", "sqlite3")


def external_imports(room: str) -> set[str]:
    found: set[str] = set()
    for path in (SOURCE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return {name for name in found if name not in sys.stdlib_module_names and name != "chainward"}


def test_every_room_has_its_allow_list() -> None:
    assert set(ROOMS) == set(ALLOWED)


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_uses_only_the_packages_on_its_list(room: str) -> None:
    assert external_imports(room) <= ALLOWED[room]


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_importing_a_room_opens_no_socket_database_or_subprocess(room: str) -> None:
    """Import every module of a room in a fresh interpreter and look at what came with it."""
    script = (
        "import importlib, pkgutil, sys, chainward\n"
        f"{FORGOTTEN}\n"
        f"package = importlib.import_module('chainward.{room}')\n"
        "for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        f"print([name for name in {FORBIDDEN!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
