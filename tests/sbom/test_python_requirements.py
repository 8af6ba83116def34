"""Requirements files: only pins are components; hashes and the remarks of the lockers are used."""

from __future__ import annotations

import pytest
from tests.sbom.stand_ins import by_name, edge_names, inventory, parsed, purls, roots

from chainward.kernel.problem import Problem
from chainward.sbom.catalogers.python import REQUIREMENTS
from chainward.sbom.model import Hash

A, B = "a" * 64, "b" * 64
UV = f"""\
anyio==4.16.0 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
    # via starlette
idna==3.20 --hash=sha256:{A}
    # via anyio
starlette==1.10.0 \\
    --hash=sha256:{A}
    # via -r requirements.in
typing-extensions==4.16.0 ; python_full_version < '3.15' \\
    --hash=sha256:{A}
    # via
    #   anyio
    #   starlette[full]
"""


def test_pins_carry_their_hashes_and_edges() -> None:
    sbom = inventory({"requirements.lock": UV})
    assert purls(sbom) == [
        "pkg:pypi/anyio@4.16.0",
        "pkg:pypi/idna@3.20",
        "pkg:pypi/starlette@1.10.0",
        "pkg:pypi/typing-extensions@4.16.0",
    ]
    assert sbom.components[0].hashes == (Hash.parse("sha256", A), Hash.parse("sha256", B))
    assert edge_names(sbom) == {
        ("starlette", "anyio"),
        ("anyio", "idna"),
        ("anyio", "typing-extensions"),
        ("starlette", "typing-extensions"),
    }
    assert roots(sbom) == {"starlette"}


@pytest.mark.parametrize(
    "line",
    [
        "requests",
        "requests>=2",
        "requests~=2.0",
        "requests==2.*",
        "requests==2.0,!=2.1",
        "requests @ file:///tmp/x",
        "-r other.txt",
        "--index-url somewhere",
        "-e .",
        "./local",
        ".",
        "# requests==1.0",
        "",
    ],
)
def test_what_is_not_pinned_is_not_a_component(line: str) -> None:
    findings = parsed(REQUIREMENTS, f"{line}\npinned==1.0\n")
    assert list(by_name(findings)) == ["pinned"]
    assert findings.flaws == ()


@pytest.mark.parametrize(
    ("line", "purl"),
    [
        ("Django==5.2", "pkg:pypi/django@5.2"),
        ("uvicorn[standard]==0.38.0", "pkg:pypi/uvicorn@0.38.0"),
        ("a == 1.0 ; sys_platform == 'win32'", "pkg:pypi/a@1.0"),
        ("a===1.0+local", "pkg:pypi/a@1.0%2Blocal"),
        ("a==1!2.0  # remark", "pkg:pypi/a@1%212.0"),
        ("a==1.0 --config-settings=x=y", "pkg:pypi/a@1.0"),
        ("\ufeffa==1.0", "pkg:pypi/a@1.0"),
    ],
)
def test_a_pin_is_read_in_all_its_spellings(line: str, purl: str) -> None:
    assert [str(package.purl) for package in parsed(REQUIREMENTS, line).packages] == [purl]


def test_a_continuation_ends_at_an_empty_line() -> None:
    findings = parsed(REQUIREMENTS, "a==1 \\\n\nb==2\n")
    assert list(by_name(findings)) == ["a", "b"]


def test_a_pin_does_not_vanish_behind_a_broken_or_unknown_hash() -> None:
    findings = parsed(REQUIREMENTS, "a==1 --hash=sha256:abc\nb==2 --hash=blake2b:00 --hash=md5:" + "0" * 32)
    assert {name: len(package.hashes) for name, package in by_name(findings).items()} == {"a": 0, "b": 1}
    assert len(findings.flaws) == 1


@pytest.mark.parametrize("data", [b"\xff\xfea\x00", b"a==1\x00\n"])
def test_a_binary_file_with_that_name_is_unreadable(data: bytes) -> None:
    with pytest.raises(Problem):
        parsed(REQUIREMENTS, data)


@pytest.mark.parametrize(
    "path",
    [
        "requirements.txt",
        "requirements-dev.txt",
        "a/b/dev-requirements.txt",
        "requirements/base.txt",
        "requirements.lock",
    ],
)
def test_the_usual_names_are_found(path: str) -> None:
    assert purls(inventory({path: "a==1"})) == ["pkg:pypi/a@1"]


@pytest.mark.parametrize("path", ["docs/installing.txt", "requirements.in", "my.lock", "requirements/README.md"])
def test_other_names_are_not_looked_at(path: str) -> None:
    assert purls(inventory({path: "a==1"})) == []
