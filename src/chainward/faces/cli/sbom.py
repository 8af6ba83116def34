"""``chainward sbom``: what is in a folder or an image, as CycloneDX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli.output import emit, json_option, say, table

if TYPE_CHECKING:
    from chainward.sbom.model import Sbom

__all__ = ["command"]


@click.command("sbom")
@click.argument("target", type=click.Path(exists=True))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="File for the CycloneDX 1.6 document. [default: stdout]"
)
@click.option("--name", default=None, help="Name of the subject. [default: the name of TARGET]")
@click.option("--validate", is_flag=True, help="Check the document against the official schema before writing it.")
@click.option("--table", "as_table", is_flag=True, help="Print a table of the components instead of the document.")
@json_option
def command(target: str, output: str | None, name: str | None, validate: bool, as_table: bool, as_json: bool) -> None:
    """List what is in TARGET: a folder, an OCI image layout, or the result folder of `chainward build`.

    \b
    chainward sbom out -o sbom.cdx.json --validate
    chainward sbom . --table
    """
    from chainward.formats.cyclonedx import validate_bom
    from chainward.sbom.document import encode

    if output is not None:
        workbench.check_output(Path(output), Path(target))
    inventory = workbench.inventory(Path(target), name)
    document = encode(inventory)
    if validate:
        validate_bom(document)
    if output is not None:
        workbench.write_bytes(Path(output), document)
        emit(as_json, _summary(inventory, output), _lines(inventory, output))
    elif as_table and not as_json:
        rows = [
            (str(component.purl), component.scope.value, ", ".join(component.licences), str(len(component.hashes)))
            for component in inventory.components
        ]
        table(f"Components of {inventory.subject.name}", ["purl", "scope", "licences", "hashes"], rows)
    else:
        click.echo(document.decode())
    for entry in inventory.unreadable:
        say(f"unreadable: {entry.path}: {entry.reason}", err=True)


def _types(inventory: Sbom) -> dict[str, int]:
    counts: dict[str, int] = {}
    for component in inventory.components:
        counts[component.purl.type] = counts.get(component.purl.type, 0) + 1
    return dict(sorted(counts.items()))


def _summary(inventory: Sbom, output: str) -> dict[str, object]:
    return {
        "subject": {"name": inventory.subject.name, "digest": str(inventory.subject.digest or "") or None},
        "components": len(inventory.components),
        "by_type": _types(inventory),
        "edges": len(inventory.edges),
        "complete": inventory.is_complete,
        "unreadable": len(inventory.unreadable),
        "output": output,
    }


def _lines(inventory: Sbom, output: str) -> list[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in _types(inventory).items()) or "none"
    return [
        f"components  {len(inventory.components)} ({kinds})",
        f"edges       {len(inventory.edges)}",
        f"complete    {'yes' if inventory.is_complete else 'no'}",
        f"written     {output}",
    ]
