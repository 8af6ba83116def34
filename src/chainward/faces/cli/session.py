"""Where a verb finds the platform and its secrets: options, environment, files; never a secret as an argument."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from chainward import workbench
from chainward.faces.cli.output import say
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chainward.adapters.remote import Remote
    from chainward.keys.local import PrivateKey
    from chainward.trust.ports import SigningServices

__all__ = ["PlatformAddress", "SecretMissing", "passphrase", "platform_options", "signing_key"]

_SECRET_LIMIT = 4096
_ONE_WORD = "A token is one word on one line, as `chainward token issue` and `chainward init` write it."


class SecretMissing(Problem):
    """A secret that the verb needs was given nowhere, or its file cannot be read."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "secret-missing"
    hint = "Name a file with --token-file or CHAINWARD_TOKEN_FILE, or set CHAINWARD_TOKEN."


@dataclass(frozen=True, slots=True)
class PlatformAddress:
    """Which platform a verb talks to, and as whom."""

    url: str
    token_file: str | None
    authority: str | None

    @contextmanager
    def connect(self) -> Iterator[Remote]:
        """Open the platform with the token that was given; says so if that token will travel unencrypted."""
        self._warn()
        with workbench.remote(self.url, _token(self.token_file), certificate_authority=self.authority) as remote:
            yield remote

    @contextmanager
    def services(self, trusted_root: Path | None) -> Iterator[SigningServices]:
        """Open the signing services of the platform; they need no API token, but get the one that was given.

        What is believed of them says ``trusted_root``, or follows from the root of trust that was pinned here.
        """
        self._warn()
        given = self.token_file or os.environ.get("CHAINWARD_TOKEN", "").strip()
        secret = _token(self.token_file) if given else None
        authority = self.authority
        with workbench.platform_services(
            self.url, _pins(self.url), trusted_root=trusted_root, secret=secret, certificate_authority=authority
        ) as services:
            yield services

    def root_document(self) -> bytes:
        """Return the platform's trusted root, as far as it follows from the root of trust that was pinned here."""
        return workbench.platform_root(self.url, _pins(self.url), certificate_authority=self.authority)

    def _warn(self) -> None:
        host = workbench.unprotected_host(self.url)
        if host is not None:
            say(f"warning: the token travels unencrypted to {host}; use https", err=True)


def platform_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--url``, ``--token-file`` and ``--ca`` to a verb; it gets them as one PlatformAddress named ``at``."""

    @click.option(
        "--url",
        envvar="CHAINWARD_URL",
        default="http://127.0.0.1:8420",
        show_default=True,
        show_envvar=True,
        help="The platform.",
    )
    @click.option(
        "--token-file",
        envvar="CHAINWARD_TOKEN_FILE",
        show_envvar=True,
        type=click.Path(dir_okay=False),
        help="File with the API token; without one CHAINWARD_TOKEN is read.",
    )
    @click.option(
        "--ca",
        "authority",
        envvar="CHAINWARD_CA",
        show_envvar=True,
        type=click.Path(exists=True, dir_okay=False),
        help="CA bundle for https (PEM).",
    )
    @wraps(command)
    def with_address(*, url: str, token_file: str | None, authority: str | None, **rest: object) -> None:
        command(at=PlatformAddress(url, token_file, authority), **rest)

    return with_address


def signing_key(reference: str) -> PrivateKey:
    """Open the private key that ``--key`` names."""
    return workbench.open_key(reference, lambda: passphrase(f"Passphrase for {reference}"))


def passphrase(prompt: str, *, confirm: bool = False) -> bytes:
    """Return a key's passphrase from CHAINWARD_KEY_PASSPHRASE_FILE, CHAINWARD_KEY_PASSPHRASE, or the terminal."""
    path = os.environ.get("CHAINWARD_KEY_PASSPHRASE_FILE")
    if path:
        return _read_secret(path).encode()
    value = os.environ.get("CHAINWARD_KEY_PASSPHRASE")
    if value:
        return value.encode()
    if not sys.stdin.isatty():
        raise SecretMissing(
            "the key is encrypted and there is no terminal to ask for its passphrase",
            hint="Set CHAINWARD_KEY_PASSPHRASE_FILE to a file that holds it.",
        )
    return str(click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)).encode()


def _pins(url: str) -> workbench.PinPlace:
    """Return where this user keeps the roots of trust of platforms; a new one is told, for it is believed from then."""
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    folder = Path(os.environ.get("CHAINWARD_TRUST_FOLDER") or f"{data}/chainward/trust").expanduser()
    root = os.environ.get("CHAINWARD_TUF_ROOT")

    def tell(fingerprint: str) -> None:
        say(f"note: pinned the root of trust of {url} (sha256:{fingerprint}) in {folder}", err=True)

    return workbench.PinPlace(folder, Path(root) if root else None, tell)


def _token(token_file: str | None) -> str:
    value = _read_secret(token_file) if token_file else os.environ.get("CHAINWARD_TOKEN", "").strip()
    if not value:
        raise SecretMissing("no API token was given")
    if not value.isascii() or not value.isprintable() or " " in value or len(value) > _SECRET_LIMIT:
        raise SecretMissing(f"what {token_file or 'CHAINWARD_TOKEN'} holds is not a token", hint=_ONE_WORD)
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
