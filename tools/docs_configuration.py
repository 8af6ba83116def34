"""Write ``docs/reference/configuration.md`` from the declarations, or check with ``--check`` that it is fresh."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import Literal, get_args, get_origin

import msgspec

from chainward.config import Config, IssuerSettings, ProviderSettings, Setting, settings

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"
REPEATED = "trust.issuers"
TABLES = {REPEATED: IssuerSettings, "trust.providers.NAME": ProviderSettings}
HEAD = """# Configuration

Everything has a default that works on one machine. The file is TOML: `--config FILE`, else the file that
`CHAINWARD_CONFIG` names, else `chainward.toml` in the data folder. What the environment sets wins over the file, and
the command line over both. An unknown setting is an error; every error names file, line, key and what was expected.
Paths in the file are relative to the file.
"""


def _type_text(setting: Setting) -> str:
    base, *notes = get_args(setting.annotation)
    if get_origin(base) is Literal:
        return " or ".join(f'`"{choice}"`' for choice in get_args(base))
    low = next((note.ge for note in notes if note.ge is not None), None)
    high = next((note.le for note in notes if note.le is not None), None)
    if base is bool:
        return "boolean"
    if base is int:
        return f"integer from {low}" + (f" to {high}" if high is not None else "")
    if base == Path | None:
        return "path"
    if get_origin(base) is dict:
        return "table of texts"
    return "list of texts" if get_origin(base) is tuple else "text"


def _default_text(value: object) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return f"`{str(value).lower()}`"
        case ():
            return "`[]`"
        case {}:
            return "`{}`"
        case str():
            return f'`"{value}"`'
        case _:
            return f"`{value}`"


def render() -> str:
    """Return the page."""
    sections = {field.name: field.type for field in msgspec.structs.fields(Config)} | TABLES
    lines = [HEAD]
    for section, group in groupby(settings(), key=lambda setting: setting.section):
        heading = f"[[{section}]]" if section == REPEATED else f"[{section}]"
        lines += [f"## {heading}", "", sections[section].__doc__ or "", ""]
        lines += ["| setting | type | default | environment | |", "|---|---|---|---|---|"]
        for setting in group:
            variable = f"`{setting.environment}`" if setting.environment else ""
            default = "required" if setting.default is msgspec.NODEFAULT else _default_text(setting.default)
            lines.append(
                f"| `{setting.key}` | {_type_text(setting)} | {default} | {variable} | {setting.description} |"
            )
        lines.append("")
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
