"""How much CPU one decision costs: 4 rules that apply, 3 statements. The promise is 0.2 ms.

python bench/policy_decide.py
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.policy.evidence import NOTHING, QUESTION, everything

from chainward.policy.decide import decide
from chainward.policy.document import parse_policy

PROMISE = 0.2e-3
ROUNDS, CALLS = 30, 200
POLICY = b"""apiVersion: chainward.dev/v1
kind: Policy
name: bench
rules:
  - id: signed
    match: {repositories: ["shop/**"]}
    require: {signature: {signers: [release]}}
  - id: built
    match: {environments: [staging, prod]}
    signers: [release]
    require:
      provenance: {builders: ["https://chainward.example/builders/*"], source: ["git+https://git.example/shop/**"]}
      tests: {result: passed}
  - id: known
    match: {tiers: [critical]}
    signers: [release]
    require: {sbom: {formats: [cyclonedx], complete: true, max-age: 30d}, age: {max-days: 90}}
  - id: moved
    match: {gates: [admit, promote]}
    require: {promotion: {from: staging}, registry: {hosts: [registry.example]}}
"""


def main() -> int:
    """Measure, print, and return 1 when the promise is broken."""
    policy = parse_policy(POLICY)
    worst = 0.0
    for name, evidence in (("allowed", everything()), ("denied", NOTHING)):
        assert decide(policy, QUESTION, evidence).allowed == (name == "allowed")
        cost = median(_round(lambda evidence=evidence: decide(policy, QUESTION, evidence)) for _ in range(ROUNDS))
        worst = max(worst, cost)
        print(f"decide, 4 rules with 7 checks, {len(evidence.statements)} statements, {name}: {cost * 1e6:7.1f} us CPU")
    cost = median(_round(lambda: parse_policy(POLICY), 20) for _ in range(ROUNDS))
    print(f"parse that policy: {cost * 1e6:7.1f} us CPU")
    other = replace(QUESTION, environment="dev", tier="low")
    cost = median(_round(lambda: decide(policy, other, everything())) for _ in range(ROUNDS))
    print(f"decide, 2 rules apply, evidence made anew: {cost * 1e6:7.1f} us CPU")
    print(f"promise: {PROMISE * 1e6:.0f} us: {'kept' if worst <= PROMISE else 'BROKEN'}")
    return 0 if worst <= PROMISE else 1


def _round(call: object, calls: int = CALLS) -> float:
    assert callable(call)
    started = time.process_time()
    for _ in range(calls):
        call()
    return (time.process_time() - started) / calls


if __name__ == "__main__":
    raise SystemExit(main())
