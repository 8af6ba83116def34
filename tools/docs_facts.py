"""Write ``docs/reference/facts.md`` from every room's FACTS, or check with ``--check`` that it is fresh."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, get_type_hints

import msgspec

import chainward

if TYPE_CHECKING:
    from chainward.ledger.model import FactBody

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "facts.md"
HEAD = """# Facts

A fact is what changes a decision, a service level or a timeline. It is typed, versioned and never changed: canonical
JSON in an envelope with `actor`, `body`, `correlation` (the request id), `occurred_at`, `recorded_at`, `schema`,
`subjects` and `tenant`. The facts log holds a salted commitment to each, so that a body can be pruned and every proof
stays valid. *Feeds* names the service levels (M1 to M10) and detections (F1 to F7) that are computed from it.
"""
MEASURES = """## What is computed from facts

| | from |
|---|---|
| M1, M3, M8 | admissions allowed and denied, exceptions, false positives |
| M2, M9 | pushed, attested, SBOM indexed, completed |
| M4 | a change detected, less the change itself |
| M5 | revoked, and its first refusal on each path, less detected |
| M6 | attested by an isolated builder |
| M7 | fixed, less matched |
| M10 | incident opened |
| F1 | attested or logged with an unusual signer or runner |
| F2 | integrity violated, overwrite refused |
| F3 | promotion or admission denied as unsigned |
| F4 | a change of the components of an artifact |
| F5 | drift observed |
| F6 | denied, and later marked a false positive |
| F7 | an attestation rejected |
"""
PLANNED = (
    ("delivery.excepted/1", "delivery", "A time-boxed exception from a policy was granted.", "M1, M3, M8"),
    ("delivery.marked-false-positive/1", "delivery", "A denial turned out to be wrong.", "M8, F6"),
    ("sbom.indexed/1", "sbom", "The components of an artifact can be searched for.", "M2, M9"),
    ("sbom.delta/1", "sbom", "An artifact has other components than the one before it.", "F4"),
    ("advisories.matched/1", "advisories", "A known flaw touches a component of an artifact.", "M7"),
    ("advisories.fixed/1", "advisories", "A matched flaw is fixed where it was deployed.", "M7"),
    ("runtime.changed/1", "runtime", "A workload was changed from outside.", "M4"),
    ("runtime.drift-observed/1", "runtime", "Something runs that was not declared, or not as it was signed.", "F5"),
    ("response.detected/1", "response", "A detection fired.", "M4, M5"),
    ("response.incident-opened/1", "response", "An incident was opened.", "M10"),
)


def rooms() -> dict[str, tuple[type[FactBody], ...]]:
    """Return the facts of every room that has any."""
    found: dict[str, tuple[type[FactBody], ...]] = {}
    for module in sorted(iter_modules(chainward.__path__), key=lambda each: each.name):
        path = Path(str(chainward.__path__[0])) / module.name / "facts.py"
        if module.name != "faces" and path.is_file():
            found[module.name] = import_module(f"chainward.{module.name}.facts").FACTS
    return found


def _fact(kind: type[FactBody]) -> list[str]:
    first, _, rest = (kind.__doc__ or "").partition("\n\n")
    lines = [f"### `{kind.schema}`", "", " ".join(first.split()), ""]
    if rest.strip():
        lines += [" ".join(rest.split()).replace("``", "`"), ""]
    room = kind.schema.partition(".")[0]
    feeds = ", ".join(kind.feeds) or "timelines only"
    lines += [f"Written by: the room `{room}`. Feeds: {feeds}.", "", "| member | type |", "|---|---|"]
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        text = hint.__name__ if isinstance(hint, type) and not str(hint).startswith("tuple") else str(hint)
        lines.append(f"| `{field.name}` | {text.replace('|', 'or').replace('NoneType', 'None')} |")
    return [*lines, ""]


def render() -> str:
    """Return the page."""
    lines = [HEAD]
    for room, facts in rooms().items():
        lines += [f"## {room}", ""]
        for kind in facts:
            lines += _fact(kind)
    lines += [MEASURES, "## Planned", "", "These types come with the rooms that write them.", ""]
    lines += ["| schema | written by | what happened | feeds |", "|---|---|---|---|"]
    lines += [f"| `{schema}` | {room} | {what} | {feeds} |" for schema, room, what, feeds in PLANNED]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write or check the page; returns 1 if a check finds it stale."""
    page = render()
    if "--check" in sys.argv:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != page)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
