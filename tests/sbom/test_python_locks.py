"""uv.lock, poetry.lock and pylock.toml."""

from __future__ import annotations

import pytest
from tests.sbom.stand_ins import by_name, edge_names, inventory, parsed, purls, roots

from chainward.kernel.problem import Problem
from chainward.sbom.catalogers.python import POETRY_LOCK, PYLOCK, UV_LOCK
from chainward.sbom.model import Scope

A, B = "a" * 64, "b" * 64

UV = f"""\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "app"
version = "0.1.0"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "httpx", extra = ["http2"] }},
    {{ name = "numpy", version = "1.26.4", source = {{ registry = "r" }}, marker = "x" }},
]
[package.optional-dependencies]
fast = [{{ name = "uvloop" }}]
[package.dev-dependencies]
dev = [{{ name = "pytest" }}]
[package.metadata]
requires-dist = [{{ name = "httpx" }}]

[[package]]
name = "httpx"
version = "0.28.1"
source = {{ registry = "r" }}
dependencies = [{{ name = "idna" }}]
sdist = {{ url = "u", hash = "sha256:{A}", size = 1 }}
wheels = [{{ url = "u", hash = "sha256:{B}", size = 1 }}]
[package.optional-dependencies]
http2 = [{{ name = "h2" }}]
socks = [{{ name = "socksio" }}]

[[package]]
name = "h2"
version = "4.3.0"
source = {{ registry = "r" }}

[[package]]
name = "idna"
version = "3.11"
source = {{ registry = "r" }}

[[package]]
name = "socksio"
version = "1.0.0"
source = {{ registry = "r" }}

[[package]]
name = "uvloop"
version = "0.22.1"
source = {{ registry = "r" }}

[[package]]
name = "pytest"
version = "9.0"
source = {{ git = "https://git.example/pytest?rev=main#abc" }}
dependencies = [{{ name = "idna" }}]

[[package]]
name = "numpy"
version = "1.26.4"
source = {{ registry = "r" }}

[[package]]
name = "numpy"
version = "2.3.0"
source = {{ registry = "r" }}
"""


def test_uv_locks_give_hashes_edges_and_scopes() -> None:
    sbom = inventory({"uv.lock": UV})
    scopes = {component.name: component.scope for component in sbom.components}
    assert scopes["httpx"] is scopes["h2"] is scopes["idna"] is Scope.RUNTIME
    assert (scopes["uvloop"], scopes["pytest"]) == (Scope.OPTIONAL, Scope.DEV)
    httpx = next(component for component in sbom.components if component.name == "httpx")
    assert [found.hex for found in httpx.hashes] == [A, B]
    assert edge_names(sbom) >= {("httpx", "idna"), ("pytest", "idna")}
    assert "app" not in scopes
    assert sbom.is_complete


def test_uv_locks_say_what_the_project_asks_for_itself() -> None:
    sbom = inventory({"uv.lock": UV})
    direct = {str(purl) for purl in sbom.roots}
    assert "pkg:pypi/httpx@0.28.1" in direct
    assert "pkg:pypi/numpy@1.26.4" in direct
    assert any(purl.startswith("pkg:pypi/pytest@9.0?vcs_url=git%2Bhttps") or "pytest" in purl for purl in direct)


def test_two_versions_of_one_name_are_told_apart() -> None:
    sbom = inventory({"uv.lock": UV})
    assert [purl for purl in purls(sbom) if "numpy" in purl] == ["pkg:pypi/numpy@1.26.4", "pkg:pypi/numpy@2.3.0"]


POETRY = f"""\
[[package]]
name = "Requests"
version = "2.32.5"
description = ""
optional = false
python-versions = ">=3.9"
groups = ["main"]
files = [{{file = "requests.whl", hash = "sha256:{A}"}}]

[package.dependencies]
idna = ">=2.5,<4"
PySocks = {{version = ">=1.5.6", optional = true}}

[package.extras]
socks = ["PySocks (>=1.5.6,!=1.5.7)"]

[[package]]
name = "idna"
version = "3.11"
optional = false
groups = ["main", "dev"]
files = []

[[package]]
name = "pysocks"
version = "1.7.1"
optional = true
groups = ["main"]
files = []

[[package]]
name = "pytest"
version = "9.0"
optional = false
groups = ["dev"]
files = []
[package.dependencies]
requests = [{{version = ">=2", extras = ["socks"]}}]

[package.source]
type = "git"
url = "https://git.example/pytest.git"
reference = "main"
resolved_reference = "abc"

[metadata]
lock-version = "2.1"
python-versions = ">=3.11"
content-hash = "x"
"""


def test_poetry_locks_give_hashes_edges_scopes_and_origins() -> None:
    sbom = inventory({"poetry.lock": POETRY})
    scopes = {component.name: component.scope for component in sbom.components}
    assert scopes == {
        "requests": Scope.RUNTIME,
        "idna": Scope.RUNTIME,
        "pysocks": Scope.OPTIONAL,
        "pytest": Scope.DEV,
    }
    assert edge_names(sbom) == {("requests", "idna"), ("requests", "pysocks"), ("pytest", "requests")}
    assert "pkg:pypi/pytest@9.0?vcs_url=git%2Bhttps:%2F%2Fgit.example%2Fpytest.git%40abc" in purls(sbom)
    assert roots(sbom) == {"pytest"}


def test_old_poetry_locks_keep_categories_and_hashes_elsewhere() -> None:
    old = f"""\
[[package]]
name = "attrs"
version = "21.2.0"
category = "dev"
optional = false

[metadata]
lock-version = "1.1"

[metadata.files]
attrs = [{{file = "attrs.whl", hash = "sha256:{A}"}}]
"""
    (package,) = parsed(POETRY_LOCK, old).packages
    assert (package.scope, package.hashes[0].hex) == (Scope.DEV, A)


PEP751 = f"""\
lock-version = "1.0"
created-by = "tool"

[[packages]]
name = "attrs"
version = "25.1.0"
wheels = [{{name = "attrs.whl", hashes = {{sha256 = "{A}", blake2b = "00"}}}}]

[[packages]]
name = "cattrs"
version = "24.1.2"
dependencies = [{{name = "attrs"}}]
sdist = {{name = "cattrs.tar.gz", hashes = {{sha256 = "{B}"}}}}

[[packages]]
name = "mine"
directory = {{path = "."}}

[[packages]]
name = "fork"
vcs = {{type = "git", url = "https://git.example/fork", commit-id = "abc"}}
"""


def test_standard_locks_give_hashes_and_edges() -> None:
    sbom = inventory({"pylock.toml": PEP751, "sub/pylock.dev.toml": PEP751})
    assert purls(sbom) == [
        "pkg:pypi/attrs@25.1.0",
        "pkg:pypi/cattrs@24.1.2",
        "pkg:pypi/fork?vcs_url=git%2Bhttps:%2F%2Fgit.example%2Ffork%40abc",
    ]
    assert [[found.hex for found in component.hashes] for component in sbom.components] == [[A], [B], []]
    assert edge_names(sbom) == {("cattrs", "attrs")}
    assert roots(sbom) == {"cattrs", "fork"}


def test_an_unknown_version_of_the_standard_lock_is_unreadable() -> None:
    with pytest.raises(Problem, match="unknown version"):
        parsed(PYLOCK, 'lock-version = "2.0"\npackages = []\n')


@pytest.mark.parametrize("cataloger", [UV_LOCK, POETRY_LOCK, PYLOCK])
@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe",
        b"not toml",
        b"version = 1\npackage = 3\npackages = 3\n[metadata]",
        b"x = " + b"[" * 100_000,
        b"x = " + b"9" * 5000,
        b"[a]\n" * 2,
    ],
)
def test_a_hostile_lock_is_refused_with_a_code(cataloger: object, data: bytes) -> None:
    with pytest.raises(Problem):
        parsed(cataloger, data)  # type: ignore[arg-type]  # parametrize loses the type


@pytest.mark.parametrize("cataloger", [UV_LOCK, POETRY_LOCK])
def test_one_impossible_package_is_remarked_and_the_others_are_kept(cataloger: object) -> None:
    lock = 'version = 1\n[[package]]\nname = "/"\nversion = "1"\n[[package]]\nname = "b"\nversion = "2"\n[metadata]\n'
    findings = parsed(cataloger, lock)  # type: ignore[arg-type]  # likewise
    assert list(by_name(findings)) == ["b"]
    assert len(findings.flaws) == 1
