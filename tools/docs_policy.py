"""Write ``docs/reference/policy.md`` from the declarations of the rule kinds; ``--check`` says whether it is fresh."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainward.policy.decide import BUILT_IN
from chainward.policy.document import API_VERSION
from chainward.policy.rules import KINDS
from chainward.policy.tree import MAX_DOCUMENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from chainward.policy.rules.declaration import Code, RuleKind

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "policy.md"

HEAD = f"""# Policy rules

A policy is one YAML document. How to write, check and activate one: [write a policy](../how-to/write-a-policy.md).

```yaml
apiVersion: {API_VERSION}
kind: Policy
name: shop
rules:
  - id: prod-evidence
    match: {{environments: [prod]}}
    signers: [release]
    require:
      provenance: {{builders: ["https://ci.example/builders/*"]}}
      sbom: {{complete: true}}
```

An image is allowed if and only if at least one rule applies to the question **and** every check of every rule that
applies passes **and** nobody revoked the image. No rule, missing evidence, an error in a check: no.

## The document

| key | type | meaning |
|---|---|---|
| `apiVersion` | `{API_VERSION}` | Required. |
| `kind` | `Policy` | Required. |
| `name` | lowercase letters, digits, dots, hyphens | Required. What decisions and facts call it. |
| `description` | text | For people. |
| `rules` | list of 1 to 200 rules | Required. Their order makes no difference. |

Read strictly: an unknown key, a value of another type, a repeated key or rule id, an anchor, alias or tag, more
than {MAX_DOCUMENT // 1024} KiB or 16 levels of nesting is an error (`policy-invalid`, `input-too-large`) that names
line and column. Numbers and words such as `on`, `yes` or `1.10` are never turned into something else: write text
that looks like a number or like `true` or `null` in quotes.

## A rule

| key | type | meaning |
|---|---|---|
| `id` | lowercase letters, digits, dots, hyphens | Required, once in the document. |
| `description` | text | For people. |
| `match` | mapping | Where the rule applies; all of its keys must fit. Without it: everywhere. |
| `signers` | list of signers | Who must have signed the statements that the checks of this rule read. |
| `require` | mapping with at least one check | Required. What is demanded; all of it. |

| key of `match` | type | fits |
|---|---|---|
| `repositories` | list of repository patterns | The repository of the image. |
| `environments` | list of environment names | The environment that the image is to go into. |
| `tiers` | list of tiers | The tier of the owning service. A repository that no service owns fits every list. |
| `gates` | list of `promote`, `admit` | The gate that asks. |

In patterns `*` stands for text without a slash and `**` for any text.

**Signers** are names as `chainward trust list` shows them, in which `*` stands for any text, or `key:` and the 64
hex digits of a key's fingerprint. A check that reads statements takes its own `signers`, or else those of the rule,
or else those of the rule's `signature`; with none of them the document is refused. Each check asks for **one**
statement about this very digest, by such a signer, that has everything the check demands: what another statement
says, or who signed it, never counts for it.

Every decision begins with these, which no document can leave out:

"""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _codes(codes: Iterable[Code]) -> str:
    return _table(
        ("code", "outcome", "meaning"), ((f"`{each.code}`", each.outcome.value, each.meaning) for each in codes)
    )


def _kind(kind: RuleKind[Any]) -> str:
    parameters = ((f"`{each.name}`", each.type, each.default, each.meaning) for each in kind.parameters)
    reads = ", ".join(f"`{member}`" for member in kind.reads)
    return f"""## `{kind.name}`

{kind.summary} {kind.explanation}

```yaml
{kind.example}
```

{_table(("key", "type", "default", "meaning"), parameters)}

Reads of the evidence: {reads}.

{_codes(kind.codes)}
"""


def render() -> str:
    """Return the page."""
    return HEAD + _codes(BUILT_IN) + "\n\n" + "\n".join(_kind(kind) for kind in KINDS)


def main() -> int:
    """Write or check the page."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
