"""What can be wrong with a policy document, and with having none."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = ["PolicyAbsent", "PolicyInvalid"]


class PolicyInvalid(Problem):
    """The document is not a policy; the message and ``details`` give line and column, both counted from 1."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "policy-invalid"
    hint = "Mend the line; docs/reference/policy.md lists every key. Check again with: chainward policy check FILE"

    def __init__(self, line: int, column: int, why: str) -> None:
        super().__init__(f"line {line}, column {column}: {why}", details={"line": line, "column": column})


class PolicyAbsent(Problem):
    """No policy was ever activated, so no gate opens."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "policy-absent"
    hint = "Activate one with: chainward policy activate FILE"
