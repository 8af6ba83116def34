"""npm: lock files of all versions, and what lies in node_modules."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from tests.sbom.stand_ins import by_name, edge_names, inventory, parsed, purls, roots

from chainward.kernel.problem import Problem
from chainward.sbom.catalogers.javascript import NODE_MODULES, PACKAGE_LOCK
from chainward.sbom.model import HashAlgorithm, Scope

SHA512 = "sha512-" + base64.b64encode(bytes(64)).decode()
SHA1 = "sha1-" + base64.b64encode(bytes(20)).decode()


def lock(packages: dict[str, Any], version: int = 3) -> str:
    return json.dumps({"name": "app", "lockfileVersion": version, "requires": True, "packages": packages})


PACKAGES: dict[str, Any] = {
    "": {
        "name": "app",
        "dependencies": {"preact": "^10", "wide": "npm:string-width@4"},
        "devDependencies": {"esbuild": "1", "ui": "*"},
        "workspaces": ["packages/*"],
    },
    "node_modules/preact": {"version": "10.27.2", "integrity": f"{SHA512} {SHA1}", "license": "MIT"},
    "node_modules/wide": {"name": "string-width", "version": "4.2.3", "dependencies": {"strip-ansi": "^6"}},
    "node_modules/strip-ansi": {"version": "7.0.0"},
    "node_modules/wide/node_modules/strip-ansi": {"version": "6.0.1", "license": {"type": "MIT", "url": "u"}},
    "node_modules/esbuild": {
        "version": "0.25.0",
        "dev": True,
        "optionalDependencies": {"@esbuild/linux-x64": "0.25.0", "@esbuild/other": "0.25.0"},
    },
    "node_modules/@esbuild/linux-x64": {"version": "0.25.0", "dev": True, "optional": True},
    "node_modules/ui": {"resolved": "packages/ui", "link": True},
    "packages/ui": {"name": "ui", "version": "1.0.0", "dependencies": {"preact": "*", "fork": "*"}},
    "node_modules/fork": {
        "version": "1.0.0",
        "resolved": "git+ssh://git@git.example/fork.git#abc",
        "peerDependencies": {"preact": "*"},
        "devOptional": True,
    },
}


def test_locks_give_hashes_licences_scopes_and_edges() -> None:
    sbom = inventory({"package-lock.json": lock(PACKAGES)})
    assert purls(sbom) == [
        "pkg:npm/%40esbuild/linux-x64@0.25.0",
        "pkg:npm/esbuild@0.25.0",
        "pkg:npm/fork@1.0.0?vcs_url=git%2Bssh:%2F%2Fgit%40git.example%2Ffork.git%23abc",
        "pkg:npm/preact@10.27.2",
        "pkg:npm/string-width@4.2.3",
        "pkg:npm/strip-ansi@6.0.1",
        "pkg:npm/strip-ansi@7.0.0",
    ]
    scopes = {component.name: component.scope for component in sbom.components}
    assert (scopes["preact"], scopes["esbuild"], scopes["fork"]) == (Scope.RUNTIME, Scope.DEV, Scope.OPTIONAL)
    preact = next(component for component in sbom.components if component.name == "preact")
    assert [found.algorithm for found in preact.hashes] == [HashAlgorithm.SHA1, HashAlgorithm.SHA512]
    assert preact.hashes[1].hex == "00" * 64
    assert preact.licences == ("MIT",)
    assert edge_names(sbom) == {("string-width", "strip-ansi"), ("esbuild", "linux-x64"), ("fork", "preact")}


def test_an_alias_is_known_by_what_is_really_installed_and_finds_its_nested_dependency() -> None:
    sbom = inventory({"package-lock.json": lock(PACKAGES)})
    (edge,) = [edge for edge in sbom.edges if edge.source.name == "string-width"]
    assert edge.depends_on.version == "6.0.1"
    assert not any("wide" in purl for purl in purls(sbom))


def test_what_the_project_and_its_workspaces_ask_for_is_direct() -> None:
    assert roots(inventory({"package-lock.json": lock(PACKAGES)})) == {
        "preact",
        "string-width",
        "esbuild",
        "fork",
        "strip-ansi",
    }


def test_the_first_version_of_the_format_is_nested() -> None:
    old = {
        "lockfileVersion": 1,
        "dependencies": {
            "a": {
                "version": "1.0.0",
                "integrity": SHA1,
                "requires": {"b": "^1", "c": "^1"},
                "dependencies": {"b": {"version": "1.5.0", "dev": True}},
            },
            "b": {"version": "2.0.0", "bundled": True},
            "c": {"version": "npm:@real/name@1.2.3", "requires": True},
            "d": {"version": "git+https://git.example/d.git#abc"},
        },
    }
    sbom = inventory({"npm-shrinkwrap.json": json.dumps(old)})
    assert purls(sbom) == [
        "pkg:npm/%40real/name@1.2.3",
        "pkg:npm/a@1.0.0",
        "pkg:npm/b@1.5.0",
        "pkg:npm/b@2.0.0",
        "pkg:npm/d?vcs_url=git%2Bhttps:%2F%2Fgit.example%2Fd.git%23abc",
    ]
    assert {(edge.source.name, str(edge.depends_on)) for edge in sbom.edges} == {
        ("a", "pkg:npm/b@1.5.0"),
        ("a", "pkg:npm/%40real/name@1.2.3"),
    }


def test_the_second_version_is_read_by_its_newer_half() -> None:
    both = json.loads(lock({"": {}, "node_modules/a": {"version": "1"}}, 2)) | {"dependencies": {"a": {"version": "9"}}}
    assert purls(inventory({"package-lock.json": json.dumps(both)})) == ["pkg:npm/a@1"]


def test_a_deeper_scope_of_the_same_component_does_not_win_over_run_time() -> None:
    packages = {
        "node_modules/a": {"version": "1", "dev": True},
        "node_modules/b/node_modules/a": {"version": "1"},
        "node_modules/b": {"version": "1"},
    }
    sbom = inventory({"package-lock.json": lock(packages)})
    assert sbom.components[0].scope is Scope.RUNTIME


def test_one_impossible_package_is_remarked_and_the_others_are_kept() -> None:
    findings = parsed(PACKAGE_LOCK, lock({"node_modules/": {"version": "1"}, "node_modules/c": {"version": "1"}}))
    assert list(by_name(findings)) == ["c"]
    assert len(findings.flaws) == 1


def test_a_package_does_not_vanish_behind_a_broken_or_unknown_hash() -> None:
    packages = {
        "node_modules/a": {"version": "1", "integrity": "sha512-!!!"},
        "node_modules/b": {"version": "1", "integrity": f"sha513-{'A' * 8} sha1-{'A' * 27}="},
        "node_modules/c": {"version": "1"},
    }
    findings = parsed(PACKAGE_LOCK, lock(packages))
    assert {name: len(package.hashes) for name, package in by_name(findings).items()} == {"a": 0, "b": 1, "c": 0}
    assert len(findings.flaws) == 1, "an unknown algorithm says nothing (Subresource Integrity, 3.3.4)"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"lockfileVersion":4}',
        b'{"lockfileVersion":"3"}',
        b'{"lockfileVersion":3,"packages":{"node_modules/a":[]}}',
        b'{"lockfileVersion":1,"dependencies":{"a":[]}}',
        b'{"lockfileVersion":1,"dependencies":{"a":{"dependencies":' * 60,
        b'{"lockfileVersion":3,"packages":{"node_modules/' + b"a/" * 3000 + b'":{}}}',
    ],
)
def test_a_hostile_lock_is_refused_with_a_code(data: bytes) -> None:
    with pytest.raises(Problem):
        parsed(PACKAGE_LOCK, data)


def test_a_lock_that_nests_names_until_paths_explode_is_refused() -> None:
    nested: dict[str, Any] = {}
    for _ in range(40):
        nested = {"x" * 400: {"version": "1", "dependencies": nested}}
    with pytest.raises(Problem, match="path"):
        parsed(PACKAGE_LOCK, json.dumps({"lockfileVersion": 1, "dependencies": nested}))


def package_json(name: str, version: str = "1.0.0", **more: Any) -> str:
    return json.dumps({"name": name, "version": version, **more})


def test_installed_packages_are_found_by_the_folder_rule_alone() -> None:
    sbom = inventory(
        {
            "app/package.json": package_json("first-party"),
            "app/node_modules/a/package.json": package_json("a", dependencies={"@s/b": "*", "c": "*"}),
            "app/node_modules/a/test/fixtures/package.json": package_json("fixture"),
            "app/node_modules/a/dist/package.json": '{"type":"module"}',
            "app/node_modules/@s/b/package.json": package_json("@s/b", license="MIT", peerDependencies={"c": "*"}),
            "app/node_modules/@s/b/lib/package.json": package_json("inner"),
            "app/node_modules/a/node_modules/c/package.json": package_json("c", "2.0.0"),
            "app/node_modules/c/package.json": package_json("c", "1.0.0"),
            "other/node_modules/d/package.json": package_json("d", optionalDependencies={"c": "*"}),
        }
    )
    assert purls(sbom) == [
        "pkg:npm/%40s/b@1.0.0",
        "pkg:npm/a@1.0.0",
        "pkg:npm/c@1.0.0",
        "pkg:npm/c@2.0.0",
        "pkg:npm/d@1.0.0",
    ]
    assert {(edge.source.name, str(edge.depends_on)) for edge in sbom.edges} == {
        ("a", "pkg:npm/c@2.0.0"),
        ("a", "pkg:npm/%40s/b@1.0.0"),
        ("b", "pkg:npm/c@1.0.0"),
    }


@pytest.mark.parametrize(
    ("more", "licences"),
    [
        ({"license": "MIT"}, ("MIT",)),
        ({"license": {"type": "ISC"}}, ("ISC",)),
        ({"licenses": [{"type": "MIT"}, {"type": "BSD"}, 3]}, ("BSD", "MIT")),
        ({"license": ["MIT", "ISC"]}, ("ISC", "MIT")),
        ({"license": 7, "dependencies": ["a"], "peerDependencies": None}, ()),
    ],
)
def test_licences_are_read_in_all_shapes(more: dict[str, Any], licences: tuple[str, ...]) -> None:
    assert parsed(NODE_MODULES, package_json("a", **more)).packages[0].licences == licences


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"name":3}', b'{"name":"a","version":[]}', b'{"name":"/"}'])
def test_a_package_without_a_name_is_unreadable(data: bytes) -> None:
    with pytest.raises(Problem):
        parsed(NODE_MODULES, data)
