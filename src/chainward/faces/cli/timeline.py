"""``chainward timeline``: everything that ever happened to an image, from the ledger."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

from chainward.faces.cli.answers import Timeline
from chainward.faces.cli.image import image_of, is_digest
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.answers import Fact
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]

_DETAILS: Final = 10
_DULL: Final = frozenset({"log_origin", "media_type", "signers", "size"})
_NOTHING: Final[tuple[object, ...]] = (None, "", [], {})
_LONGEST: Final = 200


@click.command("timeline")
@click.argument("image")
@platform_options
@json_option
def command(image: str, at: PlatformAddress, as_json: bool) -> None:
    """Show every fact about IMAGE in order: when (UTC), what, who, and its index in the facts log.

    IMAGE is a name with tag or digest, or a bare sha256:… digest.
    A fact is proven with: chainward log prove facts INDEX
    """
    with at.connect() as platform:
        asked = {"digest": image} if is_digest(image) else {"image": str(image_of(platform, image))}
        answer = platform.get("/api/v1/timeline", Timeline, **asked)
    lines = [f"timeline of {answer['digest']}"]
    for fact in answer["facts"]:
        lines += _told(fact, answer["digest"])
    if not answer["facts"]:
        lines.append("nothing is known about it")
    if answer["previous"] is not None:
        lines.append(f"there are older facts, before {answer['previous']}")
    emit(as_json, answer, lines)


def _told(fact: Fact, digest: str) -> list[str]:
    """Return a fact as a line that says when, what, who and where, and a line for each detail that tells a person more.

    ``--json`` has everything.
    """
    when = fact["recorded_at"][:19].replace("T", " ")
    body = fact["body"] or {}
    shown = {key: value for key, value in body.items() if key not in _DULL and _tells(value) and value != digest}
    margin = max(map(len, shown), default=0)
    first = ["", f"{when}  {fact['schema'].partition('/')[0]}  by {fact['actor']}, fact {fact['index']}"]
    return first + [f"    {key.ljust(margin)}  {_short(value)}" for key, value in list(shown.items())[:_DETAILS]]


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _tells(value: object) -> bool:
    return value is not False and value not in _NOTHING
