"""What cannot be attested."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = ["SbomUnfit", "TestCountsInvalid"]


class SbomUnfit(Problem):
    """The document is not a CycloneDX bill of materials in JSON."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "attest-sbom-unfit"
    hint = "Make one with: chainward sbom TARGET --output sbom.cdx.json"


class TestCountsInvalid(Problem):
    """The counts of a test run contradict themselves."""

    __test__: ClassVar[bool] = False  # the trade's word; not a class of tests

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "attest-test-counts-invalid"
    hint = "Give the counts of the report as they are; a name of a failed test for each failure, or none."
