"""The verbs of ``chainward trust`` about signatures that do not count any more, whoever is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import click

from chainward import workbench
from chainward.faces.cli.output import emit, json_option, table
from chainward.faces.cli.session import platform_options
from chainward.faces.cli.trust_signers import identity_members, identity_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["VERBS"]

_SHOWN = 20


class _Revocation(TypedDict):
    by: str
    target: str
    since: str | None
    until: str | None
    reason: str
    revoked_at: str


class _Revocations(TypedDict):
    revocations: list[_Revocation]


class _Affected(TypedDict):
    repository: str
    digest: str
    predicate_type: str
    signer: str
    bundle: str


class _Answer(TypedDict):
    revocation: _Revocation
    in_force: bool
    affected: list[_Affected]
    count: int
    among: int


@click.command("revoke-signature")
@click.option("--certificate", help="SHA-256 of a certificate, in hex.")
@click.option("--key", "path", type=click.Path(exists=True, dir_okay=False), help="Public key (PEM).")
@click.option("--key-fingerprint", help="SHA-256 of a public key, in hex.")
@click.option("--entry", metavar="ORIGIN/INDEX", help="A log entry.")
@identity_options
@click.option("--since", help="Only what is not proven to be signed before this instant. (identities and keys)")
@click.option("--until", help="Only what is not proven to be signed after this instant. (identities)")
@click.option("--reason", required=True, help="Why; everybody who is refused reads it.")
@click.option("--dry-run", is_flag=True, help="Revoke nothing; list what would stop counting.")
@platform_options
@json_option
def revoke_signature(
    *,
    certificate: str | None,
    path: str | None,
    key_fingerprint: str | None,
    entry: str | None,
    subject: str | None,
    subject_regex: str | None,
    issuer: str | None,
    issuer_regex: str | None,
    since: str | None,
    until: str | None,
    reason: str,
    dry_run: bool,
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Let signatures not count any more, whoever is trusted; nothing takes that back.

    Name exactly one of: a certificate, a key, a log entry, an identity with its issuer.

    \b
    chainward trust revoke-signature --identity ci@example.org \\
        --issuer https://accounts.example.org --since 2026-11-20T00:00:00Z \\
        --until 2026-11-21T00:00:00Z --reason 'runner was taken over' --dry-run
    """
    if path:
        key_fingerprint = workbench.read_public_key(Path(path)).fingerprint
    targets: dict[str, Any] = {"certificate": certificate, "key": key_fingerprint, "entry": entry}
    identity = identity_members(subject, subject_regex, issuer, issuer_regex)
    named = {by: target for by, target in targets.items() if target} | ({"identity": identity} if identity else {})
    if len(named) != 1:
        raise click.UsageError("name exactly one of --certificate, --key, --entry and --identity with --issuer")
    ((by, target),) = named.items()
    body = {"by": by, "reason": reason, "dry_run": dry_run, "since": since, "until": until}
    body |= {"identity": target} if by == "identity" else {"target": target}
    with at.connect() as platform:
        answer = platform.post("/api/v1/signature-revocations", body, _Answer)
    emit(as_json, answer, _lines(answer))


@click.command()
@platform_options
@json_option
def revocations(at: PlatformAddress, as_json: bool) -> None:
    """List the signatures that do not count any more."""
    with at.connect() as platform:
        answer = platform.get("/api/v1/signature-revocations", _Revocations)
    if as_json:
        emit(as_json, answer, [])
        return
    rows = [
        (each["by"], each["target"], _window(each), each["reason"], each["revoked_at"])
        for each in answer["revocations"]
    ]
    table("Revoked signatures", ["by", "target", "signed", "reason", "revoked"], rows)


def _lines(answer: _Answer) -> list[str]:
    revocation, would = answer["revocation"], "" if answer["in_force"] else "would be "
    verb = "do not count any more" if answer["in_force"] else "would not count any more"
    lines = [
        f"{would}revoked  {revocation['by']} {revocation['target']}",
        f"{answer['count']} of {answer['among']} attestations {verb}",
    ]
    lines += [
        f"  {each['repository']}@{each['digest']}  {each['predicate_type']} by {each['signer']}"
        for each in answer["affected"][:_SHOWN]
    ]
    more = answer["count"] - _SHOWN
    return [*lines, f"  and {more} more (--json has up to 1000)"] if more > 0 else lines


def _window(revocation: _Revocation) -> str:
    since, until = revocation["since"], revocation["until"]
    if not since and not until:
        return "ever"
    return " ".join(part for part in (f"from {since}" if since else "", f"until {until}" if until else "") if part)


VERBS = (revoke_signature, revocations)
