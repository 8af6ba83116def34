"""``chainward build -- CMD``: run a build, write down what went in and out, and assemble its image."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from chainward import workbench
from chainward.faces.cli.output import emit, json_option
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.delivery.build import BuildPlan, BuildRecord

__all__ = ["command"]

_LOCAL_BUILDER = "https://chainward.example/builders/local"


class LayerInvalid(Problem):
    """A layer is not written as FOLDER:/path."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "build-layer-invalid"
    hint = "Write a layer as FOLDER:/path/in/image, such as --layer build/app:/srv/app."


class PairInvalid(Problem):
    """A setting is not written as NAME=VALUE."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "build-pair-invalid"
    hint = "Write NAME=VALUE, such as --label org.opencontainers.image.version=1.4.2."


@click.command("build", context_settings={"ignore_unknown_options": False})
@click.option(
    "--source", type=click.Path(exists=True, file_okay=False), default=".", show_default=True, help="The project."
)
@click.option(
    "-o", "--output", type=click.Path(), required=True, help="Result folder: image/, build.json, provenance.json."
)
@click.option("--name", default="image:latest", show_default=True, help="Name of the image in its layout.")
@click.option(
    "--layer", "layers", multiple=True, help="FOLDER:/path in the image, relative to the project; repeatable."
)
@click.option("--entrypoint", multiple=True, help="What the image starts, one word each time.")
@click.option("--env", "environment", multiple=True, help="NAME=VALUE in the image; repeatable.")
@click.option("--workdir", default=None, help="Working folder in the image.")
@click.option("--user", default="65532:65532", show_default=True, help="Who runs the image.")
@click.option("--label", "labels", multiple=True, help="NAME=VALUE on the image; repeatable.")
@click.option("--product", "products", multiple=True, help="File or folder that the command must leave; repeatable.")
@click.option("--pass-env", "passed", multiple=True, help="Variable that the command may see; repeatable.")
@click.option("--set-env", "settings", multiple=True, help="NAME=VALUE for the command; repeatable, never a secret.")
@click.option(
    "--builder-id", envvar="CHAINWARD_BUILDER_ID", default=_LOCAL_BUILDER, show_default=True, help="Who builds."
)
@click.option("--minutes", type=click.IntRange(1, 24 * 60), default=60, show_default=True, help="Time limit.")
@json_option
@click.argument("argv", nargs=-1, required=True)
def command(source: str, output: str, as_json: bool, argv: tuple[str, ...], **options: object) -> None:
    """Run ARGV in the project, note materials and products, and assemble the image.

    \b
    chainward build -o out --product build --layer build/app:/srv/app \\
        --entrypoint /srv/app/run -- make dist

    The command sees no variable of this environment but a few harmless ones and those of --pass-env.
    """
    root = Path(source).resolve()
    plan = _plan(root, argv, options)
    result = workbench.result_folder(Path(output), root)
    build = workbench.builder(root, os.environ, result)
    show = sys.stderr.buffer.write
    record = build.build(plan, result, lambda chunk: _show(show(chunk)))
    emit(as_json, _result(record, output), _lines(record, output))


def _show(written: int) -> None:
    del written
    sys.stderr.buffer.flush()


def _plan(root: Path, argv: Sequence[str], options: dict[str, object]) -> BuildPlan:
    from chainward.delivery.build import BuildPlan
    from chainward.delivery.image import ImagePlan

    environment = _pairs(options["environment"])
    image = ImagePlan(
        layers=tuple(workbench.layer(*_layer(root, text)) for text in _texts(options["layers"])),
        entrypoint=_texts(options["entrypoint"]),
        environment=tuple(f"{name}={value}" for name, value in environment.items()),
        working_dir=_text(options["workdir"]),
        user=_text(options["user"]),
        labels=_pairs(options["labels"]),
        created=datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC),
    )
    return BuildPlan(
        argv=tuple(argv),
        builder_id=str(options["builder_id"]),
        image_name=str(options["name"]),
        image=image,
        environment=frozenset(_texts(options["passed"])),
        settings=_pairs(options["settings"]),
        outputs=_texts(options["products"]),
        time_limit=timedelta(minutes=int(str(options["minutes"]))),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple) else ()


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _pairs(value: object) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in _texts(value):
        name, equals, content = text.partition("=")
        if not equals or not name:
            raise PairInvalid(f"{text[:80]!r} is not NAME=VALUE")
        pairs[name] = content
    return pairs


def _layer(root: Path, text: str) -> tuple[Path, str]:
    folder, colon, target = text.rpartition(":")
    if not colon or not folder or not target.startswith("/"):
        raise LayerInvalid(f"{text[:120]!r} is not FOLDER:/path")
    return root / folder, target


def _result(record: BuildRecord, output: str) -> dict[str, object]:
    return {
        "digest": record.image.digest,
        "layers": list(record.image.layers),
        "output": output,
        "source": {"uri": record.source.uri, "commit": record.source.commit, "dirty": record.source.dirty},
        "materials": 1 + len(record.dependencies),
        "products": len(record.products),
        "builder": record.builder_id,
    }


def _lines(record: BuildRecord, output: str) -> list[str]:
    state = "dirty" if record.source.dirty else "clean"
    origin = f"commit {record.source.commit[:12]}, {state}" if record.source.commit else "not under version control"
    return [
        f"image     {record.image.digest}",
        f"layers    {len(record.image.layers)}",
        f"source    {record.source.files} files, {origin}",
        f"locks     {', '.join(file.path for file in record.dependencies) or 'none found'}",
        f"products  {len(record.products)} files",
        f"result    {output}",
    ]
