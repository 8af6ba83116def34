"""``chainward witness``: cosign the logs of others, and have one's own logs cosigned."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from chainward import workbench
from chainward.faces.cli.answers import CosignedLog, CosignedLogs, NamedWitness, Splits, Submissions, WitnessNames
from chainward.faces.cli.log_watch import keys_of
from chainward.faces.cli.output import emit, json_option, say, table
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]

_KEY_LIMIT = 4096
_REFUSED = 1


@click.group("witness")
def command() -> None:
    """Cosign the logs of others, and have one's own logs cosigned."""


@command.command()
@platform_options
@json_option
def key(at: PlatformAddress, as_json: bool) -> None:
    """Print the verifier key of the witness that the platform is; give it to those whose logs it cosigns."""
    with at.connect() as platform:
        text = platform.raw("/witness/key", limit=_KEY_LIMIT).decode("utf-8", "replace").strip()
    emit(as_json, {"key": text, "url": f"{at.url}/witness"}, [text])


@command.command("trust-log")
@click.argument("verifier_key")
@click.option("--origin", help="Origin of the log.  [default: the name of the key]")
@platform_options
@json_option
def trust_log(verifier_key: str, origin: str | None, at: PlatformAddress, as_json: bool) -> None:
    """Cosign the log that signs with VERIFIER_KEY (the text, or a file with it) from now on.

    What it shows first is believed; from then on only what extends it is cosigned.
    """
    body = {"key": workbench.key_text(verifier_key), **({"origin": origin} if origin else {})}
    with at.connect() as platform:
        log = platform.post("/api/v1/witness/logs", body, CosignedLog)
    emit(as_json, log, [f"{log['origin']} is cosigned from now on, from size {log['size']}"])


@command.command("distrust-log")
@click.argument("origin")
@platform_options
@json_option
def distrust_log(origin: str, at: PlatformAddress, as_json: bool) -> None:
    """Cosign the log ORIGIN no longer; how far it was cosigned stays remembered."""
    with at.connect() as platform:
        platform.delete(f"/api/v1/witness/logs?origin={quote(origin, safe='')}")
    emit(as_json, {"origin": origin, "cosigned": False}, [f"{origin} is not cosigned any more"])


@command.command()
@click.option(
    "--evidence",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder into which to write the evidence of split views.",
)
@platform_options
@json_option
def logs(evidence: Path | None, at: PlatformAddress, as_json: bool) -> None:
    """List the logs that the platform cosigns, and those that were caught showing two trees.

    Exit status 1 means that there is evidence of a split view.
    """
    with at.connect() as platform:
        answer = platform.get("/api/v1/witness/logs", CosignedLogs)
        splits = platform.get("/api/v1/witness/splits", Splits)["splits"]
    if evidence is not None:
        for number, split in enumerate(splits, 1):
            evidence.mkdir(parents=True, exist_ok=True)
            workbench.write_durably(evidence / f"split-{number}.json", split["evidence"].encode())
    if as_json:
        emit(as_json, {**answer, "splits": [json.loads(split["evidence"]) for split in splits]}, [])
    else:
        rows = [(log["origin"], str(log["size"]), log["root"], "\n".join(log["keys"])) for log in answer["logs"]]
        table("Logs", ["origin", "size", "root", "keys"], rows)
        for split in splits:
            say(f"! {split['origin']} asked for cosignatures on two trees of one size")
    if splits:
        raise click.exceptions.Exit(_REFUSED)


@command.command()
@click.argument("name")
@click.argument("prefix", metavar="URL")
@click.argument("verifier_key")
@platform_options
@json_option
def add(name: str, prefix: str, verifier_key: str, at: PlatformAddress, as_json: bool) -> None:
    """Ask the witness at URL, which signs with VERIFIER_KEY (the text, or a file), to cosign our logs.

    \b
    chainward witness add partner https://partner.example/witness partner.key
    """
    body = {"name": name, "url": prefix, "key": workbench.key_text(verifier_key)}
    with at.connect() as platform:
        witness = platform.post("/api/v1/witnesses", body, NamedWitness)
    emit(as_json, witness, [f"witness {name} is asked from now on"])


@command.command()
@click.argument("name")
@platform_options
@json_option
def remove(name: str, at: PlatformAddress, as_json: bool) -> None:
    """Ask the witness NAME no longer, and forget what it cosigned."""
    with at.connect() as platform:
        platform.delete(f"/api/v1/witnesses/{quote(name, safe='')}")
    emit(as_json, {"name": name, "asked": False}, [f"witness {name} is not asked any more"])


@command.command("list")
@platform_options
@json_option
def list_(at: PlatformAddress, as_json: bool) -> None:
    """List the witnesses of our logs."""
    with at.connect() as platform:
        answer = platform.get("/api/v1/witnesses", WitnessNames)
    if as_json:
        emit(as_json, answer, [])
        return
    rows = [(witness["name"], witness["url"], witness["key"]) for witness in answer["witnesses"]]
    table(f"Witnesses, of whom {answer['threshold']} must agree", ["name", "url", "key"], rows)


@command.command()
@platform_options
@json_option
def submit(at: PlatformAddress, as_json: bool) -> None:
    """Submit the newest checkpoints to all witnesses now; the platform does so every minute.

    Exit status 1 means that a witness did not cosign.
    """
    with at.connect() as platform:
        answer = platform.post("/api/v1/witnesses/submit", {}, Submissions)
    lines = [
        f"{each['witness']}: {each['origin']} at size {each['size']}: {each['message'] or 'cosigned'}"
        for each in answer["submissions"]
    ]
    emit(as_json, answer, lines or ["every witness has cosigned the newest checkpoints already"])
    if any(each["code"] for each in answer["submissions"]):
        raise click.exceptions.Exit(_REFUSED)


@command.command()
@click.argument("origin")
@click.option("--witness", "keys", multiple=True, required=True, help="Verifier key of a witness, or a file with it.")
@click.option("--threshold", type=click.IntRange(min=1), help="How many of them must agree.  [default: all]")
@platform_options
@json_option
def check(origin: str, keys: tuple[str, ...], threshold: int | None, at: PlatformAddress, as_json: bool) -> None:
    """Fetch the newest witnessed checkpoint of the log ORIGIN, and check here that enough witnesses cosigned it."""
    from chainward.formats.note import VerifierKey
    from chainward.kernel.instant import rfc3339
    from chainward.ledger.checkpoint import CheckpointInvalid
    from chainward.ledger.witness import WitnessPolicy, verify_cosigned

    known = tuple(VerifierKey.parse(workbench.key_text(text)) for text in keys)
    policy = WitnessPolicy(known, threshold or len(known))
    with at.connect() as platform:
        note = platform.raw(f"/log/{quote(origin, safe='')}/witnessed-checkpoint", limit=1 << 20)
    cosigned = verify_cosigned(note, policy)
    if cosigned.checkpoint.origin != origin:
        raise CheckpointInvalid(f"the checkpoint is of {cosigned.checkpoint.origin[:120]}, not of {origin}")
    by = [{"witness": name, "at": rfc3339(instant)} for name, instant in cosigned.by]
    root = base64.b64encode(cosigned.checkpoint.root).decode()
    answer = {"origin": cosigned.checkpoint.origin, "size": cosigned.checkpoint.size, "root": root, "witnesses": by}
    lines = [f"{cosigned.checkpoint.origin}: size {cosigned.checkpoint.size}, root {root}"]
    emit(as_json, answer, lines + [f"cosigned by {each['witness']} at {each['at']}" for each in by])


@command.command()
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The new bundle.")
@click.option("--key", "keys", multiple=True, help="Verifier key of the log, or a file with it; repeatable.")
@click.option(
    "--trusted-root",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the keys of the log from this trusted root.",
)
@click.option("--origin", help="Origin of the log.  [default: the name of the key]")
@click.option("--url", envvar="CHAINWARD_URL", default="http://127.0.0.1:8420", show_default=True, help="The platform.")
@click.option(
    "--ca", "authority", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CA bundle (PEM)."
)
@json_option
def prove(
    *,
    bundle: Path,
    output: Path,
    keys: tuple[str, ...],
    trusted_root: Path | None,
    origin: str | None,
    url: str,
    authority: Path | None,
    as_json: bool,
) -> None:
    """Prove the entry of BUNDLE under the newest witnessed checkpoint, for verifiers that demand witnesses.

    Nothing is signed anew: the proof is computed here, from the public tiles of the log. Needs no token.
    """
    from chainward.formats.bundle import MAX_BUNDLE
    from chainward.formats.checkpoint import parse_checkpoint
    from chainward.formats.note import parse_note
    from chainward.trust.reprove import reprove

    workbench.check_output(output)
    origin, known = keys_of(keys, trusted_root, origin)
    prefix = f"{url.rstrip('/')}/log/{quote(origin, safe='')}"
    note = workbench.published_file(f"{prefix}/witnessed-checkpoint", authority)
    with workbench.published_log(prefix, authority) as log:
        content = reprove(workbench.read_bytes(bundle, MAX_BUNDLE), log, note, origin, known)
    workbench.write_bytes(output, content)
    size = parse_checkpoint(parse_note(note).text).size
    emit(
        as_json,
        {"origin": origin, "size": size, "bundle": str(output)},
        [f"{output}: proven at size {size} of {origin}"],
    )
