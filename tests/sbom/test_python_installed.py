"""Installed Python distributions: names, licences, and edges that respect extras."""

from __future__ import annotations

import pytest
from tests.sbom.stand_ins import by_name, edge_names, inventory, parsed, purls, roots

from chainward.kernel.problem import Problem
from chainward.sbom.catalogers.python import INSTALLED


def metadata(name: str, version: str = "1.0", *fields: str) -> str:
    return "\n".join(
        ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *fields, "", "Long: description"]
    )


def environment(*files: str) -> dict[str, str]:
    return {f"lib/site-packages/p{number}-1.dist-info/METADATA": text for number, text in enumerate(files)}


def test_names_are_normalised_so_that_lock_and_environment_agree() -> None:
    sbom = inventory(
        {
            **environment(metadata("Ruamel.YAML", "0.18")),
            "requirements.lock": f"ruamel-yaml==0.18 --hash=sha256:{'a' * 64}\n",
        }
    )
    assert purls(sbom) == ["pkg:pypi/ruamel-yaml@0.18"]
    (component,) = sbom.components
    assert [location.path for location in component.locations] == [
        "lib/site-packages/p0-1.dist-info/METADATA",
        "requirements.lock",
    ]
    assert [str(found.hex) for found in component.hashes] == ["a" * 64]
    assert component.confidence == 100


def test_edges_follow_requirements_to_what_is_installed() -> None:
    sbom = inventory(
        environment(
            metadata("starlette", "1.0", "Requires-Dist: anyio (<5,>=3.6.2)", "Requires-Dist: not.installed"),
            metadata("anyio", "4.0", 'Requires-Dist: typing_extensions>=4.5; python_version < "3.13"'),
            metadata("typing_extensions"),
        )
    )
    assert edge_names(sbom) == {("starlette", "anyio"), ("anyio", "typing-extensions")}
    assert roots(sbom) == {"starlette"}


def test_a_requirement_behind_an_extra_counts_only_when_somebody_asks_for_the_extra() -> None:
    uvicorn = metadata(
        "uvicorn",
        "1",
        "Requires-Dist: h11",
        "Requires-Dist: httptools>=0.6; extra == 'standard'",
        "Requires-Dist: x; extra=='other'",
    )
    rest = [metadata("h11"), metadata("httptools"), metadata("x")]
    asking = metadata("app", "1", "Requires-Dist: uvicorn[Standard]")
    without = inventory(environment(uvicorn, *rest))
    assert edge_names(without) == {("uvicorn", "h11")}
    assert roots(without) == {"uvicorn", "httptools", "x"}
    assert ("uvicorn", "httptools") in edge_names(inventory(environment(uvicorn, *rest, asking)))
    assert ("uvicorn", "x") not in edge_names(inventory(environment(uvicorn, *rest, asking)))


def test_an_extra_that_refers_to_the_package_itself_is_followed() -> None:
    package = metadata("a", "1", 'Requires-Dist: a[one]; extra == "all"', 'Requires-Dist: b; extra == "one"')
    asking = metadata("app", "1", "Requires-Dist: a[all]")
    assert edge_names(inventory(environment(package, metadata("b"), asking))) == {("app", "a"), ("a", "b")}


def test_two_environments_do_not_mix() -> None:
    sbom = inventory(
        {
            "one/site-packages/a-1.dist-info/METADATA": metadata("a", "1", "Requires-Dist: b"),
            "one/site-packages/b-1.dist-info/METADATA": metadata("b", "1"),
            "two/site-packages/b-2.dist-info/METADATA": metadata("b", "2"),
        }
    )
    assert [(edge.source.name, edge.depends_on.version) for edge in sbom.edges] == [("a", "1")]


@pytest.mark.parametrize(
    ("fields", "licences"),
    [
        (["License-Expression: MIT OR Apache-2.0", "License: ignored"], ("MIT OR Apache-2.0",)),
        (["License: BSD-3-Clause"], ("BSD-3-Clause",)),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License"], ("MIT License",)),
        (
            ["Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"],
            ("GNU General Public License v3",),
        ),
        (["License: Permission is hereby granted\n        \n        free of charge"], ()),
        (["Classifier: Programming Language :: Python"], ()),
        ([], ()),
    ],
)
def test_licences_are_taken_from_the_most_precise_field(fields: list[str], licences: tuple[str, ...]) -> None:
    assert parsed(INSTALLED, metadata("a", "1", *fields)).packages[0].licences == licences


def test_a_description_cannot_speak_for_the_header() -> None:
    findings = parsed(INSTALLED, "Name: a\nVersion: 1\n\nName: evil\nRequires-Dist: evil\n")
    assert list(by_name(findings)) == ["a"]
    assert findings.packages[0].wants == ()


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"Name: a\n", b"Version: 1\n", b"Name: ///\nVersion: 1\n"])
def test_metadata_without_name_and_version_is_unreadable(data: bytes) -> None:
    with pytest.raises(Problem):
        parsed(INSTALLED, data)
