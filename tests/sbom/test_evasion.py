"""Ways to keep a package out of an inventory, or the inventory from ending; each test is named after the attempt."""

from __future__ import annotations

import json
import time
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sbom.stand_ins import (
    NOON,
    SUBJECT,
    MemoryFile,
    MemoryTree,
    StoppedClock,
    by_name,
    edge_names,
    inventory,
    parsed,
    purls,
)

from chainward.formats.cyclonedx import decode_bom
from chainward.formats.errors import Unwritable
from chainward.kernel.problem import Problem
from chainward.sbom import encode
from chainward.sbom.catalogers.debian import DPKG_STATUS
from chainward.sbom.catalogers.javascript import NODE_MODULES, PACKAGE_LOCK
from chainward.sbom.catalogers.python import INSTALLED, POETRY_LOCK, PYLOCK, REQUIREMENTS, UV_LOCK
from chainward.sbom.generate import generate
from chainward.sbom.model import Sbom, Scope, Subject, SubjectKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chainward.sbom.catalogers.declaration import Cataloger


def pins(text: str) -> list[str]:
    return [f"{package.purl.name}=={package.purl.version}" for package in parsed(REQUIREMENTS, text).packages]


# --- requirements files: what pip installs is listed -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a==1 \\\n# remark\nevil==2\n", ["a==1", "evil==2"], id="a-remark-ends-a-continuation"),
        pytest.param("a==1\nevil==2 \\", ["a==1", "evil==2"], id="the-file-ends-within-a-continuation"),
        pytest.param("a==1\nevil==2 \\\n", ["a==1", "evil==2"], id="nothing-follows-a-continuation"),
        pytest.param("evil==1.\\\n0\n", ["evil==1.0"], id="a-version-across-two-lines"),
        pytest.param("ev\\\nil==1\n", ["evil==1"], id="a-name-across-two-lines"),
        pytest.param("evil==1 \\\\\n --hash=md5:00\n", ["evil==1"], id="two-backslashes"),
        pytest.param("evil==1 \\\n\\\n\\\n", ["evil==1"], id="backslashes-alone"),
        pytest.param("\ufeffevil==1", ["evil==1"], id="byte-order-mark"),
        pytest.param("a==1\x0cevil==2", ["a==1", "evil==2"], id="form-feed-for-a-newline"),
        pytest.param("a==1\revil==2", ["a==1", "evil==2"], id="carriage-return-for-a-newline"),
        pytest.param("evil == 1 ; python_version > '3' # x", ["evil==1"], id="marker-and-remark"),
        pytest.param("EvIl__.pkg[x,y]===1+local", ["evil-pkg==1+local"], id="spelling"),
        pytest.param("a==1\n\n   \t\n\nevil==2", ["a==1", "evil==2"], id="blank-lines"),
    ],
)
def test_a_pin_that_pip_reads_cannot_be_written_so_that_it_is_missed(text: str, expected: list[str]) -> None:
    assert pins(text) == expected


def test_a_remark_after_a_continued_pin_still_names_who_asked_for_it() -> None:
    findings = parsed(REQUIREMENTS, "b==2\n    # via a\na==1 \\\n    --hash=md5:" + "0" * 32 + "\n    # via -r x.in\n")
    packages = by_name(findings)
    assert [tuple(want.alternatives) for want in packages["a"].wants] == [("b",)]
    assert (packages["a"].is_direct, packages["b"].is_direct) == (True, False)


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]){0,2}", fullmatch=True)


@given(
    st.lists(st.tuples(NAMES, VERSIONS), unique_by=lambda pair: pair[0], max_size=6),
    st.sampled_from(["\n", "\r\n", "\n\n", "\n# remark\n", " \\\n\n", "\n\\\n"]),
    st.sampled_from(["", " --hash=sha256:" + "0" * 64, " ; python_version > '3'", "  # why"]),
)
def test_whatever_stands_between_pins_each_of_them_is_found(
    wanted: list[tuple[str, str]], between: str, behind: str
) -> None:
    text = between.join(f"{name}=={version}{behind}" for name, version in wanted)
    if behind.endswith("why"):
        text = text.replace(" \\", "")  # a backslash within a remark continues the remark
    assert pins(text) == [f"{name}=={version}" for name, version in wanted]


# --- extras: what is asked for in any of several ways is needed ------------------------------------------------------


@pytest.mark.parametrize("asked", ["one", "two"])
def test_a_requirement_behind_either_of_two_extras_is_an_edge_for_both(asked: str) -> None:
    sbom = inventory(
        {
            "x/app.dist-info/METADATA": f"Name: app\nVersion: 1\nRequires-Dist: lib[{asked}]\n",
            "x/lib.dist-info/METADATA": 'Name: lib\nVersion: 1\nRequires-Dist: dep; extra == "one" or extra == "two"\n',
            "x/dep.dist-info/METADATA": "Name: dep\nVersion: 1\n",
        }
    )
    assert ("lib", "dep") in edge_names(sbom)


@pytest.mark.parametrize("asked", ["one", "two"])
def test_a_poetry_dependency_in_two_extras_is_an_edge_for_both(asked: str) -> None:
    lock = f"""
[[package]]
name = "app"
version = "1"
dependencies = {{lib = {{version = "*", extras = ["{asked}"]}}}}
[[package]]
name = "lib"
version = "1"
dependencies = {{dep = {{version = "*", optional = true}}}}
extras = {{one = ["dep (>=1)"], two = ["dep (>=1)"]}}
[[package]]
name = "dep"
version = "1"
[metadata]
lock-version = "2.1"
"""
    assert edge_names(inventory({"poetry.lock": lock})) == {("app", "lib"), ("lib", "dep")}


# --- locks: one odd member hides nothing else ------------------------------------------------------------------------

UV = 'version = 1\n[[package]]\nname = "a"\nversion = "1"\nsource = {{ registry = "r" }}\nsdist = {{ hash = "{}" }}\n'
POETRY = '[[package]]\nname = "a"\nversion = "1"\nfiles = [{{file = "f", hash = "{}"}}]\n[metadata]\n'
STANDARD = 'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\nsdist = {{hashes = {{{} = "{}"}}}}\n'


@pytest.mark.parametrize(("value", "flaws"), [("sha256:00", 1), ("blake2b:00", 0), ("nonsense", 0)])
@pytest.mark.parametrize("cataloger", [UV_LOCK, POETRY_LOCK, PYLOCK], ids=["uv", "poetry", "pylock"])
def test_a_locked_package_does_not_vanish_behind_its_hash(cataloger: Cataloger, value: str, flaws: int) -> None:
    text = {UV_LOCK: UV.format(value), POETRY_LOCK: POETRY.format(value)}
    standard = STANDARD.format(value.partition(":")[0], value.partition(":")[2])
    findings = parsed(cataloger, text.get(cataloger, standard))
    assert [str(package.purl) for package in findings.packages] == ["pkg:pypi/a@1"]
    assert findings.packages[0].hashes == ()
    assert len(findings.flaws) == flaws


def test_a_uv_lock_of_a_version_to_come_is_unreadable_and_not_half_read() -> None:
    with pytest.raises(Problem, match="unknown version 2"):
        parsed(UV_LOCK, 'version = 2\n[[package]]\nname = "a"\nversion = "1"\n')


def test_a_package_from_elsewhere_cannot_pass_for_the_project_itself() -> None:
    uv = 'version = 1\n[[package]]\nname = "evil"\nversion = "1"\nsource = {{ {} = "x", {} = "y" }}\n'
    for elsewhere in ("registry", "git", "url", "path"):
        for own in ("virtual", "editable", "directory"):
            assert list(by_name(parsed(UV_LOCK, uv.format(elsewhere, own)))) == ["evil"]
    standard = 'lock-version = "1.0"\n[[packages]]\nname = "evil"\ndirectory = {path = "."}\n'
    wheel = 'wheels = [{name = "evil.whl", hashes = {}}]\n'
    assert list(by_name(parsed(PYLOCK, standard + wheel))) == ["evil"]
    assert list(by_name(parsed(PYLOCK, standard))) == []


def test_a_repository_on_the_lockers_own_disk_is_no_origin() -> None:
    text = 'lock-version = "1.0"\n[[packages]]\nname = "a"\nvcs = {type = "git", path = "../a", commit-id = "abc"}\n'
    assert [str(package.purl) for package in parsed(PYLOCK, text).packages] == ["pkg:pypi/a"]


@pytest.mark.parametrize("separator", ["\n \n", "\n\t\n", "\n"])
def test_two_dpkg_paragraphs_that_are_not_parted_hide_neither_package_quietly(separator: str) -> None:
    one = "Package: good\nStatus: install ok installed\nVersion: 1"
    two = "Package: evil\nStatus: install ok installed\nVersion: 2"
    findings = parsed(DPKG_STATUS, f"{one}{separator}{two}\n", "var/lib/dpkg/status")
    assert findings.flaws, "the inventory must say that it is incomplete"


def test_a_removed_package_does_not_hide_an_installed_one_in_its_paragraph() -> None:
    text = "Package: a\nStatus: deinstall ok config-files\nPackage: evil\nStatus: install ok installed\nVersion: 2\n"
    assert parsed(DPKG_STATUS, text, "var/lib/dpkg/status").flaws


class TwinTree:
    """Two files whose names look the same to people, as two names in different encodings may."""

    def select(self, wanted: Callable[[str], bool]) -> Iterator[MemoryFile]:
        for content in (b"good==1", b"evil==1"):
            if wanted("requirements.txt"):
                yield MemoryFile("requirements.txt", content)

    def unreadable(self) -> tuple[()]:
        return ()


def test_of_two_files_that_look_the_same_neither_hides_the_other() -> None:
    sbom = generate(TwinTree(), subject=SUBJECT, clock=StoppedClock())
    assert purls(sbom) == ["pkg:pypi/evil@1", "pkg:pypi/good@1"]


# --- bombs: small files that ask for much work -----------------------------------------------------------------------


def quickly(seconds: float, action: Callable[[], object]) -> None:
    start = time.process_time()
    action()
    assert time.process_time() - start < seconds


def test_many_extras_of_a_package_with_many_requirements_are_no_bomb() -> None:
    count = 20_000
    needs = "".join(f"Requires-Dist: d{number}\n" for number in range(count))
    asks = ",".join(f"x{number}" for number in range(count))
    files = {
        "x/a.dist-info/METADATA": f"Name: a\nVersion: 1\nRequires-Dist: b[{asks}]\n",
        "x/b.dist-info/METADATA": f"Name: b\nVersion: 1\n{needs}",
    }
    quickly(8, lambda: inventory(files))


def test_many_extras_in_a_uv_lock_are_no_bomb() -> None:
    count = 5_000
    asks = ",".join(f'"x{number}"' for number in range(count))
    needs = ",".join(f'{{name = "d{number}"}}' for number in range(count))
    text = (
        f'version = 1\n[[package]]\nname = "me"\nversion = "1"\nsource = {{ virtual = "." }}\n'
        f'dependencies = [{{name = "b", extra = [{asks}]}}]\n'
        f'[[package]]\nname = "b"\nversion = "1"\ndependencies = [{needs}]\n'
    )
    quickly(8, lambda: parsed(UV_LOCK, text))


def test_a_lock_with_a_deep_path_and_many_wants_is_refused() -> None:
    path = "/".join(["node_modules/a"] * 270)
    wants = {f"w{number}": "*" for number in range(30_000)}
    data = json.dumps({"lockfileVersion": 3, "packages": {path: {"version": "1", "dependencies": wants}}})
    with pytest.raises(Problem, match="steps"):
        parsed(PACKAGE_LOCK, data)


def test_development_dependencies_of_a_deep_workspace_count_as_work_too() -> None:
    wants = {f"w{number}": "*" for number in range(5_000)}
    data = json.dumps({"lockfileVersion": 3, "packages": {"a/" * 2000: {"devDependencies": wants}}})
    with pytest.raises(Problem, match="steps"):
        parsed(PACKAGE_LOCK, data)


def test_a_deep_package_that_asks_for_much_does_not_fill_the_memory() -> None:
    """Every folder above a package is looked into for every name; written out that was a gigabyte for these 40 KiB."""
    path = "/".join(["node_modules/a"] * 250) + "/package.json"
    wants = {f"w{number}": "*" for number in range(3_000)}
    data = json.dumps({"name": "a", "version": "1", "dependencies": wants})
    tracemalloc.start()
    findings = parsed(NODE_MODULES, data, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert findings.steps > 1_000_000
    assert peak < 32 * 1024 * 1024


def test_a_tree_that_would_take_hours_to_resolve_is_called_incomplete() -> None:
    wants = json.dumps({"name": "b", "version": "1", "dependencies": {f"w{number}": "*" for number in range(30_000)}})
    deep = "/".join(["node_modules/b"] * 250) + "/package.json"
    sbom = inventory({"node_modules/a/package.json": '{"name":"a","version":"1"}', deep: wants})
    assert purls(sbom) == ["pkg:npm/a@1"]
    assert [(found.path, "too many dependencies" in found.reason) for found in sbom.unreadable] == [(deep, True)]


# --- laws ------------------------------------------------------------------------------------------------------------

SOME = {
    "requirements.txt": "a==1\nb==2 # via a\n",
    "web/package-lock.json": json.dumps(
        {"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1"}, "node_modules/b": {"version": "2"}}}
    ),
    "node_modules/a/package.json": '{"name":"a","version":"1","dependencies":{"b":"*"}}',
    "node_modules/b/package.json": '{"name":"b","version":"2"}',
    "x/a-1.dist-info/METADATA": "Name: a\nVersion: 1\nRequires-Dist: b\n",
    "x/b-2.dist-info/METADATA": "Name: b\nVersion: 2\nLicense: MIT\n",
    "var/lib/dpkg/status": "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n",
    "etc/os-release": "ID=debian\nVERSION_ID=13\n",
    "poetry.lock": '[[package]]\nname = "a"\nversion = "1"\n[metadata]\n',
    "uv.lock": 'version = 1\n[[package]]\nname = "b"\nversion = "2"\n',
    "pylock.toml": 'lock-version = "1.0"\n[[packages]]\nname = "a"\nversion = "1"\n',
    "bad/requirements.txt": "\0",
}
PARTS = st.sets(st.sampled_from(sorted(SOME)))
RELEASE_ASIDE = st.sets(st.sampled_from(sorted(SOME.keys() - {"etc/os-release"})))


def keyed(sbom: Sbom) -> dict[str, Any]:
    return {str(component.purl): component for component in sbom.components}


def some(names: set[str]) -> Sbom:
    return inventory({name: SOME[name] for name in names})


@given(RELEASE_ASIDE, RELEASE_ASIDE)
def test_adding_files_never_removes_a_component_or_what_was_known_of_it(fewer: set[str], more: set[str]) -> None:
    before, after = some(fewer), some(fewer | more)
    found = keyed(after)
    for name, component in keyed(before).items():
        assert {*component.hashes} <= {*found[name].hashes}
        assert {*component.licences} <= {*found[name].licences}
        assert {*component.locations} <= {*found[name].locations}
        assert {*component.evidence} <= {*found[name].evidence}
        assert Scope.strongest((found[name].scope, component.scope)) is found[name].scope
    assert {*before.edges} <= {*after.edges}
    assert {*before.unreadable} <= {*after.unreadable}


@given(RELEASE_ASIDE, RELEASE_ASIDE)
def test_the_components_of_two_trees_together_are_those_of_either(one: set[str], other: set[str]) -> None:
    assert keyed(some(one | other)).keys() == keyed(some(one)).keys() | keyed(some(other)).keys()


@given(PARTS, st.randoms(use_true_random=False))
def test_an_inventory_does_not_depend_on_the_order_in_which_a_tree_gives_its_files(
    names: set[str], chance: Any
) -> None:
    class Shuffled(MemoryTree):
        def select(self, wanted: Callable[[str], bool]) -> Iterator[MemoryFile]:
            files = list(super().select(wanted))
            chance.shuffle(files)
            yield from files

    data = {name: SOME[name].encode() for name in names}
    shuffled = generate(Shuffled(data), subject=SUBJECT, clock=StoppedClock())
    assert encode(shuffled) == encode(some(names))


@given(PARTS)
def test_what_is_written_reads_back_as_what_was_found(names: set[str]) -> None:
    sbom = some(names)
    read = decode_bom(encode(sbom))
    assert [str(component.purl) for component in read.components] == purls(sbom)
    assert {(edge.source, edge.depends_on) for edge in sbom.edges} == {
        (source.purl, target.purl)
        for source in read.components
        for target in read.components
        if (source.ref, target.ref) in read.edges
    }
    assert read.aggregate == ("complete" if sbom.is_complete else "incomplete")
    assert all(before < after for before, after in pairwise(purls(sbom)))


@pytest.mark.parametrize(
    ("cataloger", "path"),
    [
        (REQUIREMENTS, "requirements.txt"),
        (PACKAGE_LOCK, "web/package-lock.json"),
        (NODE_MODULES, "node_modules/a/package.json"),
        (INSTALLED, "x/a-1.dist-info/METADATA"),
        (DPKG_STATUS, "var/lib/dpkg/status"),
        (POETRY_LOCK, "poetry.lock"),
        (UV_LOCK, "uv.lock"),
        (PYLOCK, "pylock.toml"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_file_cut_at_any_byte_gives_findings_or_a_coded_problem(cataloger: Cataloger, path: str) -> None:
    whole = SOME[path].encode()
    for cut in range(len(whole)):
        with suppress(Problem):
            assert len(parsed(cataloger, whole[:cut], path).packages) <= 2


def test_a_subject_whose_name_is_not_unicode_is_refused_with_a_code() -> None:
    sbom = replace(inventory({}), subject=Subject("caf\udce9", SubjectKind.APPLICATION))
    assert sbom.generated == NOON
    with pytest.raises(Unwritable):
        encode(sbom)


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["git+https://", "git+http://", "git+ssh://"])
@pytest.mark.parametrize("user", ["SECRET", "me:SECRET", "me:SE@CRET", ":SECRET", "SECRET:x-oauth-basic"])
def test_a_token_in_the_address_of_a_locked_repository_is_not_published(scheme: str, user: str) -> None:
    if scheme == "git+ssh://" and user.startswith("SECRET"):
        user = f"git:{user}"  # over SSH a name alone is no secret
    address = f"{scheme}{user}@git.example/a"
    bare = address.removeprefix("git+")
    files = {
        "package-lock.json": json.dumps(
            {"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1", "resolved": f"{address}#abc"}}}
        ),
        "uv.lock": f'version = 1\n[[package]]\nname = "b"\nversion = "1"\nsource = {{ git = "{bare}#abc" }}\n',
        "pylock.toml": 'lock-version = "1.0"\n[[packages]]\nname = "c"\n'
        f'vcs = {{type = "git", url = "{bare}", commit-id = "abc"}}\n',
        "poetry.lock": '[[package]]\nname = "d"\nversion = "1"\n[package.source]\ntype = "git"\n'
        f'url = "{bare}"\nresolved_reference = "abc"\n[metadata]\n',
    }
    sbom = inventory(files)
    assert [component.name for component in sbom.components] == ["a", "b", "c", "d"]
    for component in sbom.components:
        assert "git.example/a" in component.purl.qualifier("vcs_url")
    document = encode(sbom)
    assert not any(part in document for part in (b"SECRET", b"CRET", b"oauth"))


def test_an_extra_that_only_the_project_asks_for_is_an_edge_of_the_package_that_has_it() -> None:
    text = """
version = 1
[[package]]
name = "me"
version = "1"
source = { virtual = "." }
dependencies = [{ name = "lib", extra = ["fast"] }]
[[package]]
name = "lib"
version = "1"
[package.optional-dependencies]
fast = [{ name = "accelerator" }]
slow = [{ name = "brake" }]
[[package]]
name = "accelerator"
version = "1"
[[package]]
name = "brake"
version = "1"
"""
    sbom = inventory({"uv.lock": text})
    assert edge_names(sbom) == {("lib", "accelerator")}
