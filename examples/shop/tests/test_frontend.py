"""The front end works as it lies there: every import is a file, and every vendored file is the locked release."""

from __future__ import annotations

import hashlib
import json
import re
import unittest
from pathlib import Path

import shop

FRONTEND = Path(shop.__file__).parents[1] / "frontend"
_IMPORT = re.compile(r"""^\s*(?:import|export)\b[^;]*?from\s*["']([^"']+)["']""", re.MULTILINE)


class Modules(unittest.TestCase):
    """What the browser will ask for."""

    def test_every_import_names_a_file_that_is_there(self) -> None:
        modules = [*FRONTEND.glob("src/*.js"), *FRONTEND.glob("vendor/*.mjs")]
        assert len(modules) == 5
        for module in modules:
            for target in _IMPORT.findall(module.read_text(encoding="utf-8")):
                with self.subTest(module=module.name, target=target):
                    assert target.startswith((".", "/")), "a browser cannot resolve bare names"
                    assert (module.parent / target).is_file()

    def test_everything_that_the_page_names_is_there(self) -> None:
        page = (FRONTEND / "index.html").read_text(encoding="utf-8")
        named = re.findall(r'(?:src|href)="(/(?:src|vendor)/[^"]+)"', page)
        assert len(named) == 2
        assert all((FRONTEND / name.lstrip("/")).is_file() for name in named)
        assert "<script>" not in page, "the content security policy forbids inline scripts"


class Vendored(unittest.TestCase):
    """Files that were copied out of packages."""

    vendored = json.loads((FRONTEND / "vendor" / "vendored.json").read_bytes())
    locked = json.loads((FRONTEND / "package-lock.json").read_bytes())["packages"]

    def test_each_file_is_unchanged_and_of_the_locked_version(self) -> None:
        assert {path.name for path in FRONTEND.glob("vendor/*.mjs")} == set(self.vendored)
        for name, origin in self.vendored.items():
            with self.subTest(file=name):
                data = (FRONTEND / "vendor" / name).read_bytes()
                assert hashlib.sha256(data).hexdigest() == origin["sha256"]
                assert self.locked[f"node_modules/{origin['package']}"]["version"] == origin["version"]

    def test_each_file_has_its_licence_beside_it(self) -> None:
        for origin in self.vendored.values():
            assert (FRONTEND / "vendor" / f"{origin['package']}.LICENSE").is_file()

    def test_the_lock_names_hashes_and_no_registry(self) -> None:
        for name, entry in self.locked.items():
            if name:
                assert entry["integrity"].startswith("sha512-")
                assert "resolved" not in entry


if __name__ == "__main__":
    unittest.main()
