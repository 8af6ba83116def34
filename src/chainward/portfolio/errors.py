"""What can be wrong with a declaration of a service or an environment."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = ["DeclarationAmbiguous", "DeclarationInvalid", "EnvironmentUnknown"]


class DeclarationInvalid(Problem):
    """A name, owner, tier or pattern is not one."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "declaration-invalid"
    hint = "Use lowercase names such as web-shop, and patterns such as shop/** or prod-*."


class DeclarationAmbiguous(Problem):
    """Two services would own the same repository, or two environments the same namespace or the same place in line."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "declaration-ambiguous"
    hint = "Change one of the two patterns, so that they share nothing or one lies within the other."


class EnvironmentUnknown(Problem):
    """There is no environment with that name."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "environment-unknown"
    hint = "List the environments with: chainward service list"
