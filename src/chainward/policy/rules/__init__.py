"""The rule kinds: what a policy can demand of an image. One module each, registered by one line in :data:`KINDS`.

The order of the list is the order in which checks of one rule are shown. ``docs/reference/policy.md`` is generated from
the declarations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chainward.policy.rules import age, promotion, provenance, registry, sbom, signature, tests

if TYPE_CHECKING:
    from chainward.policy.rules.declaration import RuleKind

__all__ = ["BY_NAME", "KINDS"]

KINDS: Final[tuple[RuleKind[Any], ...]] = (
    signature.KIND,
    provenance.KIND,
    sbom.KIND,
    tests.KIND,
    registry.KIND,
    age.KIND,
    promotion.KIND,
)

BY_NAME: Final[dict[str, RuleKind[Any]]] = {kind.name: kind for kind in KINDS}
