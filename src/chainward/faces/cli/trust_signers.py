"""The verbs of ``chainward trust`` about signers: whose signatures count, and which do not count any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from chainward import workbench
from chainward.faces.cli.answers import Signer, Signers
from chainward.faces.cli.output import emit, json_option, table
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chainward.faces.cli.session import PlatformAddress

__all__ = ["VERBS", "identity_members", "identity_options"]


def identity_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name an identity, as the mapping ``identity`` made by :func:`identity_members`."""
    options = (
        click.option("--identity", "subject", help="Subject of the certificate: an email, a URI, or user!domain."),
        click.option("--identity-regex", "subject_regex", help="Regular expression over the whole subject."),
        click.option("--issuer", help="OIDC issuer that vouches for the identity."),
        click.option("--issuer-regex", help="Regular expression over the whole issuer."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def identity_members(
    subject: str | None, subject_regex: str | None, issuer: str | None, issuer_regex: str | None
) -> dict[str, Any]:
    """Return the members of an identity that were given."""
    named = {"subject": subject, "subject_regex": subject_regex, "issuer": issuer, "issuer_regex": issuer_regex}
    return {name: value for name, value in named.items() if value is not None}


@click.command()
@click.argument("name")
@click.option("--key", "path", type=click.Path(exists=True, dir_okay=False), help="Public key (PEM).")
@identity_options
@click.option(
    "--claim",
    "claims",
    multiple=True,
    metavar="NAME=VALUE",
    help="What the certificate must claim besides, such as source_repository_uri=https://…; repeatable.",
)
@click.option(
    "--repository", "--repositories", "repositories", multiple=True, required=True, help="Pattern such as shop/**."
)
@click.option(
    "--predicate", "predicates", multiple=True, default=("*",), help="Predicate type; repeatable. [default: all]"
)
@click.option("--portable", is_flag=True, help="Its statements also count where they were copied to, within the scope.")
@platform_options
@json_option
def add(
    *,
    name: str,
    path: str | None,
    subject: str | None,
    subject_regex: str | None,
    issuer: str | None,
    issuer_regex: str | None,
    claims: tuple[str, ...],
    repositories: tuple[str, ...],
    predicates: tuple[str, ...],
    portable: bool,
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Trust a key or an identity under NAME, for these repositories and kinds of statement.

    \b
    chainward trust add shop-ci \\
        --identity-regex 'https://github[.]com/shop/web/.+@refs/heads/main' \\
        --issuer https://token.actions.githubusercontent.com \\
        --claim source_repository_uri=https://github.com/shop/web \\
        --repository 'shop/web' --predicate https://slsa.dev/provenance/v1
    """
    identity = identity_members(subject, subject_regex, issuer, issuer_regex)
    if claims:
        identity["claims"] = dict(map(_claim, claims))
    if bool(path) is bool(identity):
        raise click.UsageError("name either a key (--key) or an identity (--identity with --issuer)")
    who = {"public_key": workbench.read_public_key(Path(path)).pem.decode()} if path else {"identity": identity}
    scope = {"repositories": list(repositories), "predicates": list(predicates), "portable": portable}
    with at.connect() as platform:
        signer = platform.post("/api/v1/signers", {"name": name, **who, **scope}, Signer)
    emit(as_json, signer, [f"{name} is trusted for {', '.join(repositories)} ({_who(signer)})"])


@click.command("list")
@platform_options
@json_option
def list_(at: PlatformAddress, as_json: bool) -> None:
    """List the signers, those that are trusted and those that were."""
    with at.connect() as platform:
        answer = platform.get("/api/v1/signers", Signers)
    if as_json:
        emit(as_json, answer, [])
        return
    rows = [
        (
            signer["name"],
            _who(signer),
            "\n".join(signer["repositories"]),
            "\n".join(signer["predicates"]),
            _state(signer),
        )
        for signer in answer["signers"]
    ]
    table("Signers", ["name", "who", "repositories", "statements", "state"], rows)


@click.command()
@click.argument("name")
@platform_options
@json_option
def show(name: str, at: PlatformAddress, as_json: bool) -> None:
    """Show who is trusted, and was before, as NAME."""
    with at.connect() as platform:
        answer = platform.get(f"/api/v1/signers/{quote(name, safe='')}", Signers)
    lines: list[str] = []
    for signer in answer["signers"]:
        lines += [
            f"name          {signer['name']}",
            f"who           {_who(signer)}",
            *(f"claim         {claim}={value}" for claim, value in _claims(signer)),
            f"repositories  {', '.join(signer['repositories'])}",
            f"statements    {', '.join(signer['predicates'])}",
            f"counts        {'in all of these repositories' if signer['portable'] else 'where first published'}",
            f"state         {_state(signer)}, since {signer['trusted_since']}",
            "",
        ]
    emit(as_json, answer, lines[:-1])


@click.command()
@click.argument("name")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@click.option("--since", help="What is proven to be signed before this instant still counts. [default: nothing]")
@platform_options
@json_option
def distrust(name: str, reason: str, since: str | None, at: PlatformAddress, as_json: bool) -> None:
    """Distrust NAME: nothing that it ever signed counts from now on.

    With --since (such as 2026-11-23T09:00:00Z), what a timestamp proves to be signed before that counts as before. What
    has no timestamp, as bundles of keys may have none, never does.
    """
    query = urlencode({"reason": reason, **({"since": since} if since else {})}, quote_via=quote)
    with at.connect() as platform:
        platform.delete(f"/api/v1/signers/{quote(name, safe='')}?{query}")
    what = f"{name} is distrusted" + (f" since {since}" if since else "")
    emit(as_json, {"name": name, "trusted": False} | ({"since": since} if since else {}), [what])


def _claim(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise click.UsageError(f"{text!r} is not NAME=VALUE")
    return name, value


def _who(signer: Signer) -> str:
    identity = signer["identity"]
    if identity is None:
        return f"sha256:{signer['fingerprint']}"
    return f"{_named(identity, 'subject')} from {_named(identity, 'issuer')}"


def _named(identity: Mapping[str, Any], member: str) -> str:
    exact = identity.get(member)
    return str(exact) if exact is not None else f"~{identity.get(f'{member}_regex')}"


def _claims(signer: Signer) -> list[tuple[str, str]]:
    identity = signer["identity"] or {}
    return sorted(identity.get("claims", {}).items())


def _state(signer: Signer) -> str:
    if not signer["distrusted_at"]:
        return "trusted"
    since = signer["distrusted_since"]
    return f"distrusted {signer['distrusted_at']}" + (f", from {since} on" if since else "")


VERBS = (add, list_, show, distrust)
