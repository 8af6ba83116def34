"""Whose signatures a verb of verification believes: keys and identities of the command line, or those of a platform.

In: options, and a platform's answers. Out: :class:`Named` for what somebody asked for by name, a
:class:`~chainward.trust.model.TrustRoot` for everything that a platform believes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from chainward import workbench

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.adapters.remote import Remote
    from chainward.keys.model import PublicKey
    from chainward.trust.identity import IdentityMatch
    from chainward.trust.material import TrustMaterial
    from chainward.trust.model import TrustedSigner, TrustRoot
    from chainward.trust.proven import Proven

__all__ = ["Named", "naming_options", "root_of_named", "root_of_platform"]

_ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EVERYTHING: Final = "**"
_IDENTITY: Final = "identity"


@dataclass(frozen=True, slots=True)
class Named:
    """Who is asked for: keys under the names ``key-1``, ``key-2``, …, and at most one description of identities."""

    keys: tuple[PublicKey, ...] = ()
    match: IdentityMatch | None = None

    def __bool__(self) -> bool:
        """Whether anybody was asked for."""
        return bool(self.keys) or self.match is not None

    def find_key(self, fingerprint: str) -> PublicKey | None:
        """Return the key with this fingerprint, if it was asked for."""
        return next((key for key in self.keys if key.fingerprint == fingerprint), None)

    def name_of(self, proven: Proven) -> str:
        """Return who made a proven signature; raises IdentityMismatch or SignerUnknown if nobody who was asked for."""
        from chainward.trust.errors import IdentityMismatch, SignerUnknown
        from chainward.trust.proven import ProvenKey

        signer = proven.signer
        if isinstance(signer, ProvenKey):
            return f"key-{self.keys.index(signer.public_key) + 1}"
        who = f"{signer.identity.subject[:300]}, for whom {signer.identity.issuer[:300]} vouches"
        if self.match is None:
            raise SignerUnknown(f"signed under a certificate by {who}; asked for was a key")
        if not self.match.matches(signer.identity):
            raise IdentityMismatch(
                f"signed by {who}; asked for was another",
                details={"identity": signer.identity.subject, "issuer": signer.identity.issuer},
            )
        return signer.identity.subject


def naming_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--key``, ``--identity`` and their like to a verb; it gets what they say as one Named called ``named``."""

    @click.option(
        "--key",
        "keys",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False),
        help="Public key to believe; repeatable.",
    )
    @click.option("--identity", metavar="TEXT", help="Who must have signed: the subject in the certificate.")
    @click.option("--identity-regex", metavar="REGEX", help="The same as a pattern over the whole subject.")
    @click.option("--issuer", metavar="URL", help="Who must vouch for the identity.")
    @click.option("--issuer-regex", metavar="REGEX", help="The same as a pattern over the whole issuer.")
    @click.option(
        "--claim", "claims", metavar="NAME=VALUE", multiple=True, help="What the certificate must also say; repeatable."
    )
    @wraps(command)
    def with_names(
        *,
        keys: tuple[str, ...],
        identity: str | None,
        identity_regex: str | None,
        issuer: str | None,
        issuer_regex: str | None,
        claims: tuple[str, ...],
        **rest: object,
    ) -> None:
        match = _match((identity, identity_regex, issuer, issuer_regex), claims)
        loaded = tuple(workbench.read_public_key(Path(path)) for path in keys)
        command(named=Named(loaded, match), **rest)

    return with_names


def root_of_named(named: Named, material: TrustMaterial) -> TrustRoot:
    """Return a root that believes whoever was asked for, about everything and everywhere."""
    from chainward.trust.model import TrustRoot

    keys = [_anywhere(f"key-{number}", key=key) for number, key in enumerate(named.keys, 1)]
    identities = [] if named.match is None else [_anywhere(_IDENTITY, match=named.match)]
    return TrustRoot((*keys, *identities), material)


def root_of_platform(platform: Remote, material: TrustMaterial) -> TrustRoot:
    """Return what the platform itself believes of whom, and which signatures it revoked."""
    from chainward.faces.cli.answers import Signers
    from chainward.faces.cli.verify_image import revocations_of
    from chainward.kernel.instant import parse_instant
    from chainward.kernel.name import RepositoryPattern
    from chainward.keys.model import PublicKey
    from chainward.trust.match import match_of
    from chainward.trust.model import TrustedSigner, TrustRoot

    def instant(text: str | None) -> datetime | None:
        return parse_instant(text) if text else None

    signers = [
        TrustedSigner(
            name=each["name"],
            public_key=PublicKey.from_pem(each["public_key"].encode()) if each["public_key"] else None,
            match=match_of(each["identity"]) if each["identity"] else None,
            repositories=tuple(map(RepositoryPattern, each["repositories"])),
            predicates=tuple(each["predicates"]),
            portable=each["portable"],
            trusted_since=parse_instant(each["trusted_since"]),
            distrusted_at=instant(each["distrusted_at"]),
            distrusted_since=instant(each["distrusted_since"]),
        )
        for each in platform.get("/api/v1/signers", Signers)["signers"]
    ]
    return TrustRoot(tuple(signers), material, revocations_of(platform))


def _anywhere(name: str, *, key: PublicKey | None = None, match: IdentityMatch | None = None) -> TrustedSigner:
    from chainward.kernel.name import RepositoryPattern
    from chainward.trust.model import ANY_PREDICATE, TrustedSigner

    return TrustedSigner(
        name=name,
        public_key=key,
        match=match,
        repositories=(RepositoryPattern(_EVERYTHING),),
        predicates=(ANY_PREDICATE,),
        portable=True,
        trusted_since=_ALWAYS,
    )


def _match(given: tuple[str | None, ...], claims: tuple[str, ...]) -> IdentityMatch | None:
    if not any(given) and not claims:
        return None
    from chainward.trust.identity import IdentityMatch

    identity, identity_regex, issuer, issuer_regex = given
    pairs = [claim.partition("=") for claim in claims]
    if not all(name and equals for name, equals, _ in pairs):
        raise click.UsageError("--claim takes NAME=VALUE, such as source_repository_uri=https://git.example/shop/web")
    return IdentityMatch(
        subject=identity,
        subject_regex=identity_regex,
        issuer=issuer,
        issuer_regex=issuer_regex,
        claims=tuple((name, value) for name, _, value in pairs),
    )
