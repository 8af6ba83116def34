"""Where a verb finds the platform and its secrets: options, environment, files; never a secret as an argument."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import click

from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chainward.adapters.remote import Remote

    _Command = TypeVar("_Command", bound=Callable[..., Any])

__all__ = ["SecretMissing", "connect", "passphrase", "platform_options"]

_SECRET_LIMIT = 4096


class SecretMissing(Problem):
    """A secret that the verb needs was given nowhere, or its file cannot be read."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "secret-missing"
    hint = "Name a file with --token-file or CHAINWARD_TOKEN_FILE, or set CHAINWARD_TOKEN."


def platform_options(command: _Command) -> _Command:
    """Add ``--url``, ``--token-file`` and ``--ca`` to a verb that talks to the platform."""
    options = (
        click.option(
            "--url", envvar="CHAINWARD_URL", default="http://127.0.0.1:8420", show_default=True, help="The platform."
        ),
        click.option(
            "--token-file",
            envvar="CHAINWARD_TOKEN_FILE",
            type=click.Path(dir_okay=False),
            help="File with the API token (else CHAINWARD_TOKEN).",
        ),
        click.option(
            "--ca", "authority", envvar="CHAINWARD_CA", type=click.Path(exists=True), help="CA bundle for https."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@contextmanager
def connect(url: str, token_file: str | None, authority: str | None) -> Iterator[Remote]:
    """Open the platform with the token that was given."""
    from chainward import workbench

    with workbench.remote(url, _token(token_file), certificate_authority=authority) as remote:
        yield remote


def passphrase(prompt: str, *, confirm: bool = False) -> bytes:
    """Return a key's passphrase from CHAINWARD_KEY_PASSPHRASE_FILE, CHAINWARD_KEY_PASSPHRASE, or the terminal."""
    path = os.environ.get("CHAINWARD_KEY_PASSPHRASE_FILE")
    if path:
        return _read_secret(path).encode()
    value = os.environ.get("CHAINWARD_KEY_PASSPHRASE")
    if value:
        return value.encode()
    if not click.get_text_stream("stdin").isatty():
        raise SecretMissing(
            "the key is encrypted and there is no terminal to ask for its passphrase",
            hint="Set CHAINWARD_KEY_PASSPHRASE_FILE to a file that holds it.",
        )
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)).encode()


def _token(token_file: str | None) -> str:
    if token_file:
        return _read_secret(token_file)
    value = os.environ.get("CHAINWARD_TOKEN", "").strip()
    if not value:
        raise SecretMissing("no API token was given")
    return value


def _read_secret(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as handle:
            value = handle.read(_SECRET_LIMIT + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretMissing(f"{path} cannot be read: {type(error).__name__}") from error
    if not value or len(value) > _SECRET_LIMIT:
        raise SecretMissing(f"{path} does not hold a secret")
    return value
