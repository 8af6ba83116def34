"""CycloneDX: what is written validates and reads back; what others write is read within limits."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainward.formats
from chainward.formats.cyclonedx import (
    Aggregate,
    Bom,
    BomComponent,
    Identification,
    InvalidBom,
    Occurrence,
    Tool,
    decode_bom,
    encode_bom,
    outline_bom,
    validate_bom,
)
from chainward.formats.errors import Malformed, TooLarge, Unsupported
from chainward.kernel.problem import Kind, Problem
from chainward.kernel.purl import Purl

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHA256 = "a" * 64


def component(purl: str, **changes: Any) -> BomComponent:
    read = Purl.parse(purl)
    return replace(BomComponent(ref=purl, name=read.name, version=read.version, purl=read), **changes)


def bom(*components: BomComponent, **changes: Any) -> Bom:
    subject = BomComponent(ref="subject", type="container", name="shop", hashes=(("SHA-256", SHA256),))
    made = Bom(
        subject=subject,
        components=components,
        edges=(("subject", tuple(found.ref for found in components)),),
        timestamp=NOON,
        tools=(Tool("chainward", "0.1.0"),),
        aggregate=Aggregate.COMPLETE,
    )
    return replace(made, **changes)


FULL = component(
    "pkg:npm/%40angular/core@20.0.0",
    group="@angular",
    scope="optional",
    hashes=(("SHA-512", "b" * 128), ("SHA-1", "c" * 40)),
    licences=("MIT",),
    occurrences=(Occurrence("app/package-lock.json", "layer sha256:00"), Occurrence("b")),
    identification=Identification("manifest-analysis", 90, "app/package-lock.json"),
    properties=(("chainward:cataloger", "npm-lock"),),
)


def test_a_written_document_is_valid_and_reads_back() -> None:
    data = encode_bom(bom(FULL, component("pkg:pypi/requests@2.32.5"), properties=(("a", "b"),)))
    validate_bom(data)
    read = decode_bom(data)
    assert read.components[0] == replace(FULL, identification=None)
    assert read.components[1].purl == Purl.parse("pkg:pypi/requests@2.32.5")
    assert read.edges == (
        ("subject", "pkg:npm/%40angular/core@20.0.0"),
        ("subject", "pkg:pypi/requests@2.32.5"),
    )
    assert read.subject_digests == {f"sha256:{SHA256}"}
    assert (read.timestamp, read.aggregate, read.tools) == (NOON, Aggregate.COMPLETE, (Tool("chainward", "0.1.0"),))
    assert read.properties == (("a", "b"),)
    assert (read.spec_version, read.version) == ("1.6", 1)


def test_the_same_document_is_the_same_bytes_and_another_has_another_serial_number() -> None:
    first, again, other = encode_bom(bom(FULL)), encode_bom(bom(FULL)), encode_bom(bom())
    assert first == again
    serials = {decode_bom(data).serial_number for data in (first, other)}
    assert len(serials) == 2
    assert all(serial.startswith("urn:uuid:") and serial[23] == "8" for serial in serials)


def test_an_empty_document_is_valid_and_says_that_it_is_incomplete() -> None:
    data = encode_bom(bom(aggregate=Aggregate.INCOMPLETE))
    validate_bom(data)
    assert decode_bom(data).aggregate is Aggregate.INCOMPLETE


@pytest.mark.parametrize(
    ("licences", "written"),
    [
        (("MIT",), [{"license": {"id": "MIT"}}]),
        (("apache-2.0",), [{"license": {"id": "Apache-2.0"}}]),
        (("MIT License",), [{"license": {"id": "MIT"}}]),
        (("Our own",), [{"license": {"name": "Our own"}}]),
        (("MIT or apache-2.0",), [{"expression": "MIT OR Apache-2.0"}]),
        (("(MIT OR GPL-2.0+) AND LicenseRef-x",), [{"expression": "(MIT OR GPL-2.0+) AND LicenseRef-x"}]),
        (("MIT OR", "MIT"), [{"license": {"name": "MIT OR"}}, {"license": {"id": "MIT"}}]),
        (("MIT AND) (MIT",), [{"license": {"name": "MIT AND) (MIT"}}]),
        (("MIT MIT MIT",), [{"license": {"name": "MIT MIT MIT"}}]),
        (("MIT OR Nonsense-1.0",), [{"license": {"name": "MIT OR Nonsense-1.0"}}]),
        (("MIT", "MIT", " "), [{"license": {"id": "MIT"}}]),
        (("MIT OR ISC", "BSD"), [{"license": {"name": "MIT OR ISC"}}, {"license": {"name": "BSD"}}]),
    ],
)
def test_licences_are_written_as_identifier_expression_or_name(
    licences: tuple[str, ...], written: list[dict[str, Any]]
) -> None:
    data = encode_bom(bom(component("pkg:pypi/a@1", licences=licences)))
    validate_bom(data)
    assert orjson.loads(data)["components"][0]["licenses"] == written


@pytest.mark.parametrize("text", ["x" * 5000, "(" * 3000, "MIT OR " * 3000])
def test_a_licence_as_long_as_a_book_becomes_a_short_name(text: str) -> None:
    data = encode_bom(bom(component("pkg:pypi/a@1", licences=(text,))))
    validate_bom(data)
    assert len(orjson.loads(data)["components"][0]["licenses"][0]["license"]["name"]) == 200


def _damaged(**changes: Any) -> bytes:
    document = orjson.loads(encode_bom(bom(FULL)))
    document["components"][0] |= changes.pop("component", {})
    return orjson.dumps(document | changes)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (_damaged(component={"scope": "sometimes"}), "/components/0/scope"),
        (_damaged(component={"hashes": [{"alg": "SHA-256", "content": "xyz"}]}), "/components/0/hashes/0/content"),
        (_damaged(component={"licenses": [{"license": {"id": "Nonsense"}}]}), "/components/0/licenses"),
        (_damaged(serialNumber="urn:uuid:1"), "/serialNumber"),
        (_damaged(unheard="of"), "/"),
        (_damaged(specVersion="1.5"), "/specVersion"),
        (_damaged(metadata={"timestamp": "yesterday"}), "/metadata/timestamp"),
        (_damaged(dependencies=[{"ref": "a", "dependsOn": ["b", "b"]}]), "/dependencies/0/dependsOn"),
    ],
)
def test_a_document_against_the_schema_is_refused_with_the_place(data: bytes, place: str) -> None:
    with pytest.raises(InvalidBom) as caught:
        validate_bom(data)
    assert (caught.value.code, caught.value.kind) == ("sbom-invalid", Kind.INVALID)
    errors = caught.value.details["errors"]
    assert isinstance(errors, list)
    assert any(error.startswith(place) for error in errors)


def test_a_violation_in_the_last_of_many_components_is_found() -> None:
    many = [component(f"pkg:pypi/a@{number}") for number in range(3000)]
    many[-1] = replace(many[-1], scope="sometimes")
    with pytest.raises(InvalidBom, match="/components/2999/scope"):
        validate_bom(encode_bom(bom(*many)))


def test_only_the_first_violations_are_listed() -> None:
    many = [component(f"pkg:pypi/a@{number}", scope="x") for number in range(50)]
    with pytest.raises(InvalidBom) as caught:
        validate_bom(encode_bom(bom(*many)))
    errors = caught.value.details["errors"]
    assert isinstance(errors, list)
    assert len(errors) == 10


@pytest.mark.parametrize("check", [validate_bom, decode_bom])
def test_a_document_over_the_limit_is_refused_before_it_is_decoded(check: Any) -> None:
    with pytest.raises(TooLarge):
        check(encode_bom(bom(FULL)), limit=100)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"bomFormat":"SPDX","specVersion":"1.6"}',
        b'{"bomFormat":"CycloneDX","specVersion":1.6}',
        b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{}]}',
        b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":{}}',
        b'{"bomFormat":"CycloneDX","specVersion":"1.6","dependencies":[{"dependsOn":[]}]}',
        b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":' + b'[{"name":"a","components":' * 200 + b"[]",
        b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"name":"\xff"}]}',
    ],
)
def test_what_is_not_a_cyclonedx_document_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_bom(data)


def test_an_unknown_version_of_the_format_is_refused() -> None:
    with pytest.raises(Unsupported):
        decode_bom(b'{"bomFormat":"CycloneDX","specVersion":"9.0"}')


def test_other_writers_documents_are_read() -> None:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.4",
        "serialNumber": None,
        "metadata": {
            "timestamp": "not a time",
            "tools": [{"vendor": "v", "name": "other", "version": "2"}],
            "component": {
                "bom-ref": "root",
                "type": "application",
                "name": "app",
                "components": [{"name": "inner", "purl": "not a purl"}],
            },
        },
        "components": [
            {
                "name": "outer",
                "purl": "pkg:PyPI/Outer@1",
                "hashes": [{"alg": "SHA-256", "content": "A" * 64}],
                "licenses": [{"license": {"name": "Own"}}, {"expression": "MIT OR ISC"}, {}],
                "components": [{"name": "nested", "version": None}],
                "evidence": {"occurrences": [{"location": "x"}, {}]},
                "unknown": [1, {"a": 2}],
            }
        ],
        "dependencies": [{"ref": "root"}],
        "compositions": [{"aggregate": "not_specified"}],
        "vulnerabilities": [{"id": "ignored"}],
    }
    read = decode_bom(orjson.dumps(document))
    assert [found.name for found in read.components] == ["inner", "outer", "nested"]
    assert [found.purl for found in read.components] == [None, Purl.parse("pkg:pypi/outer@1"), None]
    assert read.components[1].hashes == (("SHA-256", "a" * 64),)
    assert read.components[1].licences == ("Own", "MIT OR ISC")
    assert read.components[1].occurrences == (Occurrence("x"),)
    assert (read.timestamp, read.aggregate, read.edges) == (None, Aggregate.UNKNOWN, ())
    assert read.tools == (Tool("other", "2"),)


def test_one_incomplete_composition_makes_the_document_incomplete() -> None:
    compositions = [{"aggregate": "complete"}, {"aggregate": "incomplete_third_party_only"}]
    data = orjson.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "compositions": compositions})
    assert decode_bom(data).aggregate is Aggregate.INCOMPLETE


def test_a_document_without_a_subject_has_no_subject_digest() -> None:
    assert decode_bom(b'{"bomFormat":"CycloneDX","specVersion":"1.6"}').subject_digests == frozenset()


_MEMBERS = ["name", "purl", "components", "hashes", "alg", "content", "licenses", "evidence", "tools", "component"]
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_MEMBERS), inner, max_size=4),
    max_leaves=12,
)


@given(metadata=_json, components=_json, dependencies=_json)
def test_a_document_of_any_shape_is_read_or_refused_with_a_code(
    metadata: object, components: object, dependencies: object
) -> None:
    head = {"bomFormat": "CycloneDX", "specVersion": "1.6"}
    parts = {"metadata": metadata, "components": components, "dependencies": dependencies}
    with suppress(Malformed):
        assert decode_bom(orjson.dumps(head | parts)).spec_version == "1.6"
    with suppress(InvalidBom):
        validate_bom(orjson.dumps(head | parts))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_not_a_document(data: bytes) -> None:
    for check in (decode_bom, validate_bom):
        with pytest.raises(Problem):
            check(data)


_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(
    name=_text,
    version=st.text(st.characters(codec="utf-8"), max_size=20),
    licences=st.lists(_text, max_size=3),
    places=st.lists(_text, max_size=3),
)
def test_whatever_packages_call_themselves_the_document_validates(
    name: str, version: str, licences: list[str], places: list[str]
) -> None:
    found = BomComponent(
        ref="ref",
        name=name,
        version=version,
        licences=tuple(licences),
        occurrences=tuple(Occurrence(place) for place in places),
    )
    data = encode_bom(bom(found))
    validate_bom(data)
    assert decode_bom(data).components[0].name == name


def test_the_shipped_schemas_are_the_ones_that_their_readme_names() -> None:
    folder = Path(chainward.formats.__file__).parent / "schemas"
    readme = (folder / "README.md").read_text()
    schemas = sorted(folder.glob("*.json"))
    assert len(schemas) == 3
    for schema in schemas:
        assert f"| `{schema.name}` |" in readme
        assert hashlib.sha256(schema.read_bytes()).hexdigest() in readme


def test_an_outline_says_what_a_full_reading_says() -> None:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {
            "timestamp": "2026-11-23T09:30:00Z",
            "component": {
                "name": "web",
                "hashes": [{"alg": "SHA-256", "content": "ab" * 32}],
                "components": [{"name": "inner", "components": [{"name": "innermost"}]}],
            },
        },
        "components": [{"name": "a", "purl": "no purl"}, {"name": "b", "components": [{"name": "c"}]}],
        "compositions": [{"aggregate": "complete"}],
    }
    full, outline = decode_bom(orjson.dumps(document)), outline_bom(document)
    assert outline.components == len(full.components) == 5
    assert outline.subject_digests == full.subject_digests == {f"sha256:{'ab' * 32}"}
    assert (outline.timestamp, outline.aggregate) == (full.timestamp, full.aggregate)
    assert outline.subject == full.subject


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, Malformed),
        ({"bomFormat": "SPDX", "specVersion": "1.6"}, Malformed),
        ({"bomFormat": "CycloneDX", "specVersion": "9.9"}, Unsupported),
        ({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": "none"}, Malformed),
        ({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"version": "1"}]}, Malformed),
        ({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [1]}, Malformed),
    ],
)
def test_what_has_no_outline_is_refused(document: dict[str, object], problem: type[Exception]) -> None:
    with pytest.raises(problem):
        outline_bom(document)
