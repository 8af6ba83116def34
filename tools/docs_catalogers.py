"""Write ``docs/reference/catalogers.md`` from the declarations, or check with ``--check`` that it is fresh."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from chainward.sbom.catalogers import ALL

if TYPE_CHECKING:
    from chainward.sbom.catalogers.declaration import Cataloger

__all__ = ["PAGE", "render"]

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "catalogers.md"

_HEAD = """\
# Catalogers

What `chainward sbom` looks for in a folder or an image. This page is generated from the declarations in
`chainward.sbom.catalogers`; change those, then run `python tools/docs_catalogers.py`.

A file is read up to its limit. One that is larger, damaged or of an unknown version is listed in the document as
`chainward:unreadable`, and the document then says of itself that it is incomplete. What two catalogers find is one
component: hashes, licences, places and dependencies are united, and the strongest scope counts.

| cataloger | ecosystem | finds | package URL types | gives | confidence |
|---|---|---|---|---|---|
"""


def render() -> str:
    """Return the page's text."""
    rows = "".join(_row(cataloger) for cataloger in ALL)
    return _HEAD + rows + "".join(_section(cataloger) for cataloger in ALL)


def _row(member: Cataloger) -> str:
    cells = (
        f"[`{member.name}`](#{member.name})",
        member.ecosystem,
        member.title,
        ", ".join(f"`{kind}`" for kind in member.purl_types),
        ", ".join(member.gives),
        f"{member.confidence} %",
    )
    return f"| {' | '.join(cells)} |\n"


def _section(member: Cataloger) -> str:
    lines = [f"\n## {member.name}\n", *(f"- reads `{glob}`" for glob in member.globs)]
    lines += [f"- asks `{glob}` for more" for glob in member.companions]
    lines.append(f"- reads at most {member.limit // (1024 * 1024)} MiB of a file")
    return "\n".join(lines) + f"\n\n{_rules(member)}\n"


def _rules(member: Cataloger) -> str:
    """The words above the parser's code are the rules for its users."""
    documentation = (sys.modules[member.parse.__module__].__doc__ or "").strip()
    return documentation.replace("``", "`")


def main() -> int:
    """Write or check the page."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
