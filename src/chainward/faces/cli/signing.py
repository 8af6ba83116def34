"""Who signs, and through which services: the options that ``sign`` and ``attest`` share.

A key signs if one is named. Otherwise an identity does: that of the token that was given, else that of the CI job or
workload in which the command runs. The services are those of the platform, or of any other Sigstore instance.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli.session import signing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chainward.faces.cli.session import PlatformAddress
    from chainward.keys.ports import DigestSigner
    from chainward.trust.ports import SigningServices
    from chainward.trust.sign import Signing

__all__ = ["SigningChoice", "lines_of", "shown", "signing_options"]

_TOKEN_LIMIT = 16 * 1024
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class SigningChoice:
    """What the command line says about who signs and where."""

    key: str | None
    identity_token: str | None
    audience: str
    signing_config: Path | None
    trusted_root: Path | None

    @property
    def key_file(self) -> tuple[Path, ...]:
        """The file of the key, if there is one: it must not be overwritten by what is signed."""
        return (Path(self.key.removeprefix("file:")),) if self.key else ()

    @contextmanager
    def open(self, at: PlatformAddress) -> Iterator[Signing]:
        """Open the services, and give whoever signs there."""
        from chainward.trust.sign import Signing

        signer_at = self._signer()
        with self._services(at) as services:
            signer = signer_at(services)
            stamps = services.stamps if services.has_stamps or not self.key else None
            yield Signing(signer, services.log, stamps, services.material)

    def _signer(self) -> Callable[[SigningServices], DigestSigner]:
        """Return who signs, as soon as the services are open; what is missing here is told before they are asked."""
        from chainward.trust.keyless import certified_signer

        if self.key:
            key = signing_key(self.key)
            return lambda _: key
        token = workbench.identity_token(self._token(), os.environ, self.audience)
        return lambda services: certified_signer(token, services.certificates, services.material)

    @contextmanager
    def _services(self, at: PlatformAddress) -> Iterator[SigningServices]:
        if self.signing_config is None:
            with at.services(self.trusted_root) as services:
                yield services
            return
        if self.trusted_root is None:
            raise click.UsageError("--signing-config says where to sign; give --trusted-root too: what to believe")
        authority = at.authority
        with workbench.sigstore_services(
            self.signing_config, self.trusted_root, certificate_authority=authority
        ) as services:
            yield services

    def _token(self) -> str | None:
        return sys.stdin.read(_TOKEN_LIMIT + 1) if self.identity_token == "-" else self.identity_token  # noqa: S105 - a dash


def signing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what :class:`SigningChoice` holds to a verb; it gets it as ``by``."""

    @click.option(
        "--key", envvar="CHAINWARD_KEY", show_envvar=True, help="Private key file; without one an identity signs."
    )
    @click.option(
        "--identity-token",
        metavar="TEXT|@FILE|-",
        help="Identity token (JWT) to sign with; better from a file or standard input than as text, which others "
        "see. [default: CHAINWARD_IDENTITY_TOKEN, then what the CI system or cluster offers]",
    )
    @click.option(
        "--audience",
        envvar="CHAINWARD_AUDIENCE",
        default="sigstore",
        show_default=True,
        show_envvar=True,
        help="For whom CI systems are asked to issue a token.",
    )
    @click.option(
        "--signing-config",
        envvar="CHAINWARD_SIGNING_CONFIG",
        type=_FILE,
        show_envvar=True,
        help="Sigstore signing config of another instance; needs --trusted-root. [default: the platform]",
    )
    @click.option(
        "--trusted-root",
        envvar="CHAINWARD_TRUSTED_ROOT",
        type=_FILE,
        show_envvar=True,
        help="Sigstore trusted root to believe. [default: the platform's, by way of the root that was pinned]",
    )
    @wraps(command)
    def with_choice(
        *,
        key: str | None,
        identity_token: str | None,
        audience: str,
        signing_config: Path | None,
        trusted_root: Path | None,
        **rest: object,
    ) -> None:
        if key and identity_token:
            raise click.UsageError("give --key or --identity-token, not both (CHAINWARD_KEY counts as --key)")
        command(by=SigningChoice(key, identity_token, audience, signing_config, trusted_root), **rest)

    return with_choice


def shown(signing: Signing, bundle: bytes) -> dict[str, object]:
    """Return what a bundle that was just made says about itself, for programs."""
    from chainward.formats.bundle import decode_bundle
    from chainward.formats.rfc3161 import decode_response
    from chainward.kernel.instant import rfc3339
    from chainward.trust.keyless import CertifiedSigner

    made = decode_bundle(bundle)
    signer = signing.signer
    identity = signer.identity if isinstance(signer, CertifiedSigner) else None
    stamped = [rfc3339(decode_response(each).gen_time) for each in made.timestamps]
    return {
        "key": f"sha256:{signer.public_key.fingerprint}",
        "identity": {"subject": identity.subject, "issuer": identity.issuer} if identity else None,
        "log_index": made.entries[0].log_index,
        "signed_at": stamped[0] if stamped else None,
    }


def lines_of(facts: dict[str, object]) -> list[str]:
    """Return the same for people; the key of an identity lived for this one signature, so it is not worth a line."""
    identity = facts["identity"]
    lines = [f"key      {facts['key']}"]
    if isinstance(identity, dict):
        lines = [f"by       {identity['subject']}", f"issuer   {identity['issuer']}"]
    lines.append(f"logged   index {facts['log_index']}, inclusion proof and checkpoint in the bundle")
    if facts["signed_at"]:
        lines.append(f"stamped  {facts['signed_at']}")
    return lines
