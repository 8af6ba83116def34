"""Evidence in, decision and trace out; pure, total, deterministic.

:func:`~chainward.policy.document.parse_policy` reads a YAML document, :func:`~chainward.policy.decide.decide` answers
one :class:`Question` from one :class:`Evidence`, and :class:`~chainward.policy.activate.Policies` keeps which policy is
in force.
"""

from __future__ import annotations

from chainward.policy.activate import Policies
from chainward.policy.decide import decide
from chainward.policy.document import parse_policy
from chainward.policy.model import (
    Check,
    Decision,
    Evidence,
    Gate,
    Outcome,
    Policy,
    Promotion,
    Question,
    RejectedEvidence,
    SbomEvidence,
)
from chainward.policy.starter import starter_policy

__all__ = [
    "Check",
    "Decision",
    "Evidence",
    "Gate",
    "Outcome",
    "Policies",
    "Policy",
    "Promotion",
    "Question",
    "RejectedEvidence",
    "SbomEvidence",
    "decide",
    "parse_policy",
    "starter_policy",
]
