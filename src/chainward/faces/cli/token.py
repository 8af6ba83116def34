"""``chainward token``: issue, list and revoke API tokens; and, to try things out, identity tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from chainward import workbench
from chainward.faces.cli.answers import IdentityToken, NewToken, Tokens
from chainward.faces.cli.output import emit, json_option, say, table
from chainward.faces.cli.session import platform_options

if TYPE_CHECKING:
    from chainward.faces.cli.session import PlatformAddress

__all__ = ["command"]


@click.group("token")
def command() -> None:
    """Issue, list and revoke API tokens."""


@command.command()
@click.argument("name")
@click.option(
    "--role", "bindings", multiple=True, required=True, help="ROLE:PATTERN, such as publisher:shop/**; repeatable."
)
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True, help="Lifetime.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the token to this file, mode 0600.")
@platform_options
@json_option
def issue(
    name: str,
    bindings: tuple[str, ...],
    days: int,
    output: str | None,
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Issue a token. Roles: reader, publisher, promoter, responder, admin. Its text is shown this once."""
    if output is not None:
        workbench.check_new(Path(output))
    with at.connect() as platform:
        token = platform.post("/api/v1/tokens", {"name": name, "bindings": list(bindings), "days": days}, NewToken)
    shown: dict[str, object] = {**token}
    where = token["token"]
    if output is not None:
        workbench.write_secret(Path(output), token["token"].encode() + b"\n")
        where = f"written to {output}"
        shown |= {"token_file": output}
        del shown["token"]
    emit(as_json, shown, [f"token    {where}", f"id       {token['id']}", f"expires  {token['expires_at']}"])


@command.command("list")
@platform_options
@json_option
def list_(at: PlatformAddress, as_json: bool) -> None:
    """List the tokens, without their secrets."""
    with at.connect() as platform:
        answer = platform.get("/api/v1/tokens", Tokens)
    if as_json:
        emit(as_json, answer, [])
        return
    rows = [
        (token["id"], token["name"], "\n".join(token["bindings"]), token["expires_at"], token["revoked_at"] or "")
        for token in answer["tokens"]
    ]
    table("Tokens", ["id", "name", "may", "expires", "revoked"], rows)


@command.command()
@click.argument("token_id")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@platform_options
@json_option
def revoke(token_id: str, reason: str, at: PlatformAddress, as_json: bool) -> None:
    """Revoke the token TOKEN_ID: it is refused from the next request on."""
    with at.connect() as platform:
        platform.delete(f"/api/v1/tokens/{quote(token_id, safe='')}?reason={quote(reason, safe='')}")
    emit(as_json, {"id": token_id, "revoked": True}, [f"token {token_id} is revoked"])


@command.command()
@click.option("--subject", help="Whom it names, as a URI such as https://ci.example.org/web.")
@click.option("--email", help="Whom it names, as an email address.")
@click.option("--audience", default="sigstore", show_default=True, help="Whom it is for.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the token to this file, mode 0600.")
@platform_options
@json_option
def identity(
    subject: str | None,
    email: str | None,
    audience: str,
    output: str | None,
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Get an identity token for anybody from the platform's development issuer. INSECURE; for trying out.

    It works only where development_issuer = true is set in [trust], and needs an API token of an administrator. Use
    the result with chainward sign --identity-token.
    """
    if (subject is None) == (email is None):
        raise click.UsageError("give either --subject or --email")
    if output is not None:
        workbench.check_new(Path(output))
    wanted = {"subject": subject} if email is None else {"email": email}
    with at.connect() as platform:
        answer = platform.post("/dev/oidc/token", {**wanted, "audience": audience}, IdentityToken)
    say(f"warning: {answer['warning']}", err=True)
    shown: dict[str, object] = {**answer}
    line = answer["id_token"]
    if output is not None:
        workbench.write_secret(Path(output), answer["id_token"].encode() + b"\n")
        line = f"written to {output}"
        shown = {"token_file": output, "expires_in": answer["expires_in"], "warning": answer["warning"]}
    emit(as_json, shown, [line])
