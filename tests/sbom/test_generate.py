"""The verb as a whole: merging, determinism, roots, and trees that were made to break it."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice, permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sbom.stand_ins import NOON, SUBJECT, MemoryTree, StoppedClock, edge_names, inventory, purls

from chainward.formats.cyclonedx import Aggregate, decode_bom, validate_bom
from chainward.kernel.digest import Digest
from chainward.kernel.purl import Purl
from chainward.sbom import encode, generate
from chainward.sbom.catalogers import ALL
from chainward.sbom.catalogers.declaration import Cataloger, Findings, Package, Source, Want, matches
from chainward.sbom.link import edges_of, roots_of
from chainward.sbom.model import Edge, Evidence, Hash, Location, Sbom, Scope, Subject, SubjectKind, Unreadable
from chainward.sbom.select import Selection

if TYPE_CHECKING:
    from collections.abc import Mapping

A, B = "a" * 64, "b" * 64
POLYGLOT = {
    "var/lib/dpkg/status": "Package: zlib1g\nVersion: 1:1.2\nArchitecture: amd64\n",
    "etc/os-release": "ID=debian\nVERSION_ID=12\n",
    "app/requirements.lock": f"starlette==1.0 --hash=sha256:{A}\nanyio==4.0\n    # via starlette\n",
    "lib/site-packages/starlette-1.0.dist-info/METADATA": (
        "Name: Starlette\nVersion: 1.0\nLicense-Expression: BSD-3-Clause\n"
    ),
    "app/frontend/package-lock.json": '{"lockfileVersion":3,"packages":{"node_modules/preact":{"version":"10.0.0"}}}',
    "README.md": "not looked at",
}


def generated(files: Mapping[str, bytes], **more: object) -> Sbom:
    return generate(MemoryTree(files, **more), subject=SUBJECT, clock=StoppedClock())  # type: ignore[arg-type]  # passed on


def test_all_ecosystems_of_a_tree_are_in_one_inventory() -> None:
    sbom = inventory(POLYGLOT)
    assert purls(sbom) == [
        "pkg:deb/debian/zlib1g@1:1.2?arch=amd64&distro=debian-12",
        "pkg:npm/preact@10.0.0",
        "pkg:pypi/anyio@4.0",
        "pkg:pypi/starlette@1.0",
    ]
    assert sbom.generated == NOON
    assert sbom.is_complete


def test_what_was_found_twice_is_one_component_with_everything_that_both_knew() -> None:
    starlette = inventory(POLYGLOT).components[-1]
    assert starlette.licences == ("BSD-3-Clause",)
    assert starlette.hashes == (Hash.parse("sha256", A),)
    assert starlette.locations == (
        Location("app/requirements.lock"),
        Location("lib/site-packages/starlette-1.0.dist-info/METADATA"),
    )
    assert starlette.evidence == (Evidence("python-installed", 100), Evidence("python-requirements", 90))


def test_the_strongest_scope_wins() -> None:
    assert Scope.strongest([Scope.DEV, Scope.OPTIONAL]) is Scope.OPTIONAL
    assert Scope.strongest([Scope.DEV, Scope.RUNTIME, Scope.OPTIONAL]) is Scope.RUNTIME


def test_the_layer_of_each_file_is_kept() -> None:
    layer = Digest.of(b"layer")
    sbom = generated({"requirements.txt": b"a==1"}, layer=layer)
    assert sbom.components[0].locations == (Location("requirements.txt", layer),)
    (component,) = decode_bom(encode(sbom)).components
    assert component.occurrences[0].context == f"layer {layer}"
    assert ("chainward:layer", str(layer)) in component.properties


def test_the_same_tree_gives_the_same_bytes_whatever_the_order_of_its_files() -> None:
    expected = encode(inventory(POLYGLOT))
    for names in islice(permutations(POLYGLOT), 0, 720, 90):
        assert encode(inventory({name: POLYGLOT[name] for name in names})) == expected


def test_the_document_is_valid_and_connected() -> None:
    data = encode(inventory(POLYGLOT))
    validate_bom(data)
    summary = decode_bom(data)
    assert summary.subject is not None
    reached, pending = set(), [summary.subject.ref]
    while pending:
        ref = pending.pop()
        reached.add(ref)
        pending.extend(target for source, target in summary.edges if source == ref and target not in reached)
    assert reached >= {component.ref for component in summary.components}
    assert summary.aggregate is Aggregate.COMPLETE
    assert {value for name, value in summary.properties if name == "chainward:cataloger"} == {
        cataloger.name for cataloger in ALL
    }


def test_the_subject_of_an_image_is_named_by_its_digest() -> None:
    digest = Digest.of(b"manifest")
    purl = Purl.build(type="oci", name="web", version=str(digest))
    subject = Subject("shop/web", SubjectKind.CONTAINER, digest=digest, purl=purl)
    data = encode(generate(MemoryTree({}), subject=subject, clock=StoppedClock()))
    validate_bom(data)
    summary = decode_bom(data)
    assert summary.subject_digests == {str(digest)}
    assert summary.subject is not None
    assert (summary.subject.type, summary.subject.name, summary.subject.purl) == ("container", "shop/web", purl)


def test_an_unreadable_file_makes_the_document_incomplete_and_is_named_in_it() -> None:
    sbom = inventory({**POLYGLOT, "broken/package-lock.json": "{"})
    assert len(sbom.components) == 4
    assert [found.path for found in sbom.unreadable] == ["broken/package-lock.json"]
    summary = decode_bom(encode(sbom))
    assert summary.aggregate is Aggregate.INCOMPLETE
    assert any("broken/package-lock.json" in value for name, value in summary.properties if name.endswith("unreadable"))


def test_what_the_tree_refused_makes_the_document_incomplete() -> None:
    refused = (Unreadable("secret", "cannot be listed"),)
    assert generated({}, refused=refused).unreadable == refused


def test_a_file_over_the_limit_of_its_cataloger_is_not_parsed() -> None:
    sbom = generated({"lib/a-1.dist-info/METADATA": b"Name: a\nVersion: 1\n" + b" " * 9 * 1024 * 1024})
    assert sbom.components == ()
    assert "larger than" in sbom.unreadable[0].reason


def test_a_companion_that_cannot_be_read_costs_nothing_but_its_own_knowledge() -> None:
    status = b"Package: a\nVersion: 1\nArchitecture: all\n"
    sbom = generated({"var/lib/dpkg/status": status, "etc/os-release": b"#" * 2_000_000})
    assert purls(sbom) == ["pkg:deb/debian/a@1?arch=all"]
    assert [found.path for found in sbom.unreadable] == ["etc/os-release"]


def test_a_defect_in_one_cataloger_does_not_lose_the_findings_of_the_others() -> None:
    def broken(source: Source) -> Findings:
        raise ZeroDivisionError(f"in {source.path}\nsecond line")

    defect = Cataloger("defect", "None", "", ("**/requirements.txt",), (), (), 1, broken)
    tree = MemoryTree({"requirements.txt": b"a==1"})
    sbom = generate(tree, subject=SUBJECT, clock=StoppedClock(), catalogers=(*ALL, defect))
    assert purls(sbom) == ["pkg:pypi/a@1"]
    assert "ZeroDivisionError" in sbom.unreadable[0].reason
    assert "\n" not in sbom.unreadable[0].reason


def test_a_flood_of_packages_is_stopped() -> None:
    files = {"a/requirements.txt": b"a==1\nb==1", "b/requirements.txt": b"c==1\nd==1", "c/requirements.txt": b"e==1"}
    sbom = generate(MemoryTree(files), subject=SUBJECT, clock=StoppedClock(), max_packages=3)
    assert [component.name for component in sbom.components] == ["a", "b", "e"]
    assert [found.path for found in sbom.unreadable] == ["b/requirements.txt"]


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "package-lock.json",
                "var/lib/dpkg/status",
                "etc/os-release",
                "a.dist-info/METADATA",
                "uv.lock",
                "poetry.lock",
                "pylock.toml",
                "requirements.txt",
                "node_modules/a/package.json",
            ]
        ),
        st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="surrogatepass")),
        max_size=4,
    )
)
def test_arbitrary_files_never_end_a_run_and_no_parser_is_caught_by_the_last_defence(files: dict[str, bytes]) -> None:
    sbom = generated(files)
    validate_bom(encode(sbom))
    assert not any("failed:" in found.reason for found in sbom.unreadable)


_VALID = [
    (
        "package-lock.json",
        b'{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"1"}},"node_modules/a":{"version":"1"}}}',
    ),
    (
        "var/lib/dpkg/status",
        b"Package: a\nVersion: 1\nDepends: b | c, d (>= 1)\nSource: x (2)\n\nPackage: b\nVersion: 2\n",
    ),
    ("a.dist-info/METADATA", b"Name: a\nVersion: 1\nRequires-Dist: b[c] (>1) ; extra == 'd'\nLicense: MIT\n"),
    ("uv.lock", b'version=1\n[[package]]\nname="a"\nversion="1"\nsource={registry="r"}\ndependencies=[{name="a"}]\n'),
    (
        "poetry.lock",
        b'[[package]]\nname="a"\nversion="1"\n[package.dependencies]\nb={extras=["x"],optional=true}\n[metadata]\n',
    ),
    ("pylock.toml", b'lock-version="1.0"\n[[packages]]\nname="a"\nwheels=[{hashes={sha256="00"}}]\n'),
    ("requirements.txt", b"a==1 --hash=sha256:00 \\\n  # via b\n  # c\n"),
    ("node_modules/a/package.json", b'{"name":"a","version":"1","dependencies":{"b":"1"},"license":{"type":"MIT"}}'),
]


@given(chosen=st.sampled_from(_VALID), cuts=st.lists(st.tuples(st.integers(0, 120), st.binary(max_size=3)), max_size=4))
def test_damaged_files_never_end_a_run(chosen: tuple[str, bytes], cuts: list[tuple[int, bytes]]) -> None:
    path, data = chosen
    for place, replacement in cuts:
        data = data[:place] + replacement + data[place + len(replacement) :]
    sbom = generated({path: data})
    validate_bom(encode(sbom))
    assert not any("failed:" in found.reason for found in sbom.unreadable)


_names = st.sampled_from("abcdef")


def _package(name: str, wants: list[str], *, is_direct: bool = False) -> Package:
    purl = Purl.build(type="generic", name=name)
    return Package(purl, (name,), tuple(Want((want,)) for want in wants), is_direct=is_direct)


@given(st.dictionaries(_names, st.lists(_names, max_size=4)))
def test_every_component_is_reached_from_the_roots_even_in_circles(graph: dict[str, list[str]]) -> None:
    packages = [_package(name, wants) for name, wants in graph.items()]
    edges = edges_of(packages)
    assert all(edge.source != edge.depends_on for edge in edges)
    every = sorted(package.purl for package in packages)
    reached, pending = set(), list(roots_of(every, edges, ()))
    while pending:
        purl = pending.pop()
        reached.add(purl)
        pending.extend(edge.depends_on for edge in edges if edge.source == purl and edge.depends_on not in reached)
    assert reached == set(every)


def test_what_is_asked_for_directly_is_a_root_although_others_need_it_too() -> None:
    packages = [_package("a", ["b"]), _package("b", [], is_direct=True)]
    edges = edges_of(packages)
    every = [package.purl for package in packages]
    assert [purl.name for purl in roots_of(every, edges, [packages[1].purl])] == ["a", "b"]
    assert edges == {Edge(every[0], every[1])}


def test_a_name_means_the_first_package_that_has_it() -> None:
    two = [Package(Purl.parse(f"pkg:generic/x@{version}"), ("x",)) for version in (1, 2)]
    (edge,) = edges_of([*two, _package("a", ["x"])])
    assert edge.depends_on.version == "1"


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("**/uv.lock", "uv.lock", True),
        ("**/uv.lock", "a/b/uv.lock", True),
        ("**/uv.lock", "a/my-uv.lock", False),
        ("**/*requirements*.txt", "a/dev-requirements-1.txt", True),
        ("**/node_modules/*/package.json", "node_modules/a/package.json", True),
        ("**/node_modules/*/package.json", "node_modules/a/b/package.json", False),
        ("**/node_modules/@*/*/package.json", "x/node_modules/@a/b/package.json", True),
        ("**/var/lib/dpkg/status", "var/lib/dpkg/status", True),
        ("**/var/lib/dpkg/status", "xvar/lib/dpkg/status", False),
        ("a.b", "aXb", False),
    ],
)
def test_globs_mean_what_they_say(glob: str, path: str, expected: bool) -> None:  # noqa: FBT001 - parametrised
    assert matches(glob, path) is expected


@given(st.lists(st.sampled_from(["node_modules", "a", "@s", "package.json", "uv.lock", "etc", "os-release", "x\n"])))
def test_the_quick_selection_agrees_with_the_globs(parts: list[str]) -> None:
    path = "/".join(parts)
    selection = Selection(ALL)
    expected = [member for member in ALL if any(matches(glob, path) for glob in member.globs)]
    assert selection.readers_of(path) == expected
    if expected:
        assert selection.wants(path)


def test_the_room_is_light_to_import() -> None:
    heavy = "socket ssl subprocess asyncio cryptography pydantic sqlalchemy httpx jsonschema_rs email"
    code = f"import sys, chainward.sbom; print([name for name in {heavy.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_edges_of_a_large_lock_are_found_quickly() -> None:
    packages = {f"node_modules/p{n}": {"version": "1", "dependencies": {f"p{n // 2}": "1"}} for n in range(5000)}
    sbom = inventory({"package-lock.json": json.dumps({"lockfileVersion": 3, "packages": packages})})
    assert len(sbom.components) == 5000
    assert len(edge_names(sbom)) == 4999
    validate_bom(encode(sbom))
