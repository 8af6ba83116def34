"""Names and requirement strings, held against the reference implementation of PEP 503, PEP 508 and PEP 685."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement as Reference
from packaging.utils import canonicalize_name

from chainward.sbom.catalogers.python.names import normalised, pypi, requirement

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
SPECIFIERS = st.sampled_from(
    ["", "==1.0", " == 1.0", ">=1,<2", "~=1.4.2", "!=1.*", "===weird", " (>=1.0)", "==1!2.0+x.1"]
)
EXTRAS = st.lists(NAMES, max_size=3)
MARKERS = st.sampled_from(
    ["", "; python_version < '3.11'", ' ; sys_platform == "win32"', "; os_name == 'nt' and python_version > '3'"]
)


@given(NAMES)
def test_a_name_is_normalised_as_the_reference_does_it(name: str) -> None:
    assert normalised(name) == canonicalize_name(name)
    assert normalised(normalised(name)) == normalised(name)
    assert pypi(name, "1").name == canonicalize_name(name)


@given(NAMES, EXTRAS, SPECIFIERS, MARKERS, st.sampled_from(["", " ", "  "]))
def test_a_requirement_is_read_as_the_reference_reads_it(
    name: str, extras: list[str], specifier: str, marker: str, space: str
) -> None:
    asked = f"[{', '.join(extras)}]" if extras else ""
    text = f"{space}{name}{space}{asked}{specifier}{marker}"
    reference, found = Reference(text.strip()), requirement(text)
    assert found is not None
    assert found.name == canonicalize_name(reference.name)
    assert {*found.extras} == {canonicalize_name(extra) for extra in reference.extras}
    assert found.constraint.replace(" ", "").count(",") == str(reference.specifier).count(",")
    assert bool(found.marker.strip()) == (reference.marker is not None)
    assert found.needed_by_extras == ()


@pytest.mark.parametrize(
    ("marker", "extras"),
    [
        ('extra == "web"', ("web",)),
        ("extra == 'web'", ("web",)),
        ('"web" == extra', ("web",)),
        ('extra=="Web_Socket"', ("web-socket",)),
        ('extra == "a" or extra == "b"', ("a", "b")),
        ('(extra == "a" or "b" == extra) and python_version < "4"', ("a", "b")),
        ('extra == "a" or extra == "a"', ("a",)),
        ('python_version < "4"', ()),
        ("", ()),
    ],
)
def test_the_extras_behind_a_marker_are_all_known(marker: str, extras: tuple[str, ...]) -> None:
    found = requirement(f"dep; {marker}")
    assert found is not None
    assert found.needed_by_extras == extras


@pytest.mark.parametrize("text", ["", " ", ";", "[x]", "==1.0", "-e .", "./path", "(a)", "é"])
def test_what_begins_with_no_name_is_no_requirement(text: str) -> None:
    assert requirement(text) is None


@given(st.text(max_size=60))
def test_arbitrary_text_never_ends_a_run(text: str) -> None:
    found = requirement(text)
    assert found is None or found.name == normalised(found.name)


def test_a_hostile_requirement_is_read_in_no_time() -> None:
    start = time.process_time()
    for text in ("a-" * 200_000, "a[" + "x," * 200_000, "a;" + "extra == " * 100_000, "a" + " " * 500_000 + "!"):
        requirement(text)
        found = requirement("a;" + text)
        assert found is None or found.needed_by_extras is not None
    assert time.process_time() - start < 5
