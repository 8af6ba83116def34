"""Write ``docs/reference/cli.md`` from the commands themselves, or check with ``--check`` that it is fresh."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chainward.faces.cli import VERBS, cli
from chainward.faces.cli.exits import EXIT_STATUS

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "cli.md"
WIDTH = 100


def _sections(command: click.Command, name: str, parent: click.Context | None) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    lines = [
        f"{'##' if parent and parent.parent is None else '###'} {context.command_path}",
        "",
        "```text",
        text,
        "```",
        "",
    ]
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                lines += _sections(found, child, context)
    return lines


def render() -> str:
    """Return the page."""
    settings = {**cli.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    root = click.Context(cli, info_name="chainward", **settings)
    lines = [
        "# Command line",
        "",
        "Every verb takes `--json` where it prints a result. A token or passphrase is never an argument: it comes",
        "from a file, the environment or a prompt.",
        "",
        "| exit status | kinds of problem |",
        "|---|---|",
        "| 0 | none: done, allowed, verified |",
    ]
    for status in sorted(set(EXIT_STATUS.values())):
        kinds = ", ".join(kind.value for kind, value in EXIT_STATUS.items() if value == status)
        lines.append(f"| {status} | {kinds} |")
    lines.append("")
    for verb in VERBS:
        command = cli.get_command(root, verb)
        if command is not None:
            lines += _sections(command, verb, root)
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write or check the page."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
