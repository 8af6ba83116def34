"""What a document claims of the whole, and what only of a part; what has no form in JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from chainward.formats.cyclonedx import Aggregate, Bom, BomComponent, decode_bom, encode_bom, outline_bom
from chainward.formats.errors import Unwritable

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def claimed(*compositions: dict[str, Any], ref: str | None = "subject") -> Aggregate:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"type": "application", "name": "web", **({"bom-ref": ref} if ref else {})}},
        "components": [{"type": "library", "name": "lib", "bom-ref": "lib"}],
        "compositions": list(compositions),
    }
    read = decode_bom(orjson.dumps(document)).aggregate
    assert outline_bom(document).aggregate is read, "a gate reads the outline, everybody else the document"
    return read


@pytest.mark.parametrize("place", ["assemblies", "dependencies"])
def test_that_one_part_is_complete_does_not_make_the_document_complete(place: str) -> None:
    assert claimed({"aggregate": "complete", place: ["lib"]}) is Aggregate.UNKNOWN
    assert claimed({"aggregate": "complete", place: ["lib"]}, ref=None) is Aggregate.UNKNOWN
    assert claimed({"aggregate": "complete", place: ["lib", "subject"]}) is Aggregate.COMPLETE


def test_a_claim_without_parts_is_about_the_whole() -> None:
    assert claimed({"aggregate": "complete"}) is Aggregate.COMPLETE
    assert claimed({"aggregate": "complete", "assemblies": []}) is Aggregate.COMPLETE
    assert claimed({"aggregate": "complete"}, ref=None) is Aggregate.COMPLETE


@pytest.mark.parametrize(
    "gap",
    [
        "incomplete",
        "incomplete_first_party_only",
        "incomplete_first_party_proprietary_only",
        "incomplete_first_party_opensource_only",
        "incomplete_third_party_only",
        "incomplete_third_party_proprietary_only",
        "incomplete_third_party_opensource_only",
    ],
)
def test_a_gap_in_any_part_is_a_gap_in_the_whole(gap: str) -> None:
    whole = {"aggregate": "complete", "assemblies": ["subject"]}
    assert claimed(whole, {"aggregate": gap, "assemblies": ["lib"]}) is Aggregate.INCOMPLETE
    assert claimed({"aggregate": gap, "assemblies": ["lib"]}, whole) is Aggregate.INCOMPLETE


@pytest.mark.parametrize("doubt", ["unknown", "not_specified", "COMPLETE", "", "something new"])
def test_a_doubt_beside_a_claim_leaves_the_claim_in_doubt(doubt: str) -> None:
    assert claimed({"aggregate": "complete"}, {"aggregate": doubt}) is Aggregate.UNKNOWN
    assert claimed({"aggregate": doubt}) is Aggregate.UNKNOWN


def test_a_document_without_claims_claims_nothing() -> None:
    assert claimed() is Aggregate.UNKNOWN


def test_a_name_in_another_encoding_is_refused_with_a_code_and_not_written_wrongly() -> None:
    bom = Bom(BomComponent("s", "caf\udce9"), (), (), NOON, (), Aggregate.COMPLETE)
    with pytest.raises(Unwritable):
        encode_bom(bom)
