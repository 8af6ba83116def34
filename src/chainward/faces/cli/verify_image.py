"""The part of ``chainward verify`` for images: what stands beside an image, in our registry or in any other."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

from chainward import workbench
from chainward.faces.cli.image import is_digest
from chainward.faces.cli.verify_files import shown
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.adapters.remote import Remote
    from chainward.delivery.beside import Found
    from chainward.delivery.ports import ImageSource
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import ImageName, RepositoryName
    from chainward.trust.model import TrustRoot, VerifiedArtifact, VerifiedStatement
    from chainward.trust.revocations import SignatureRevocation

__all__ = ["foreign_image", "registry_of", "revocations_of", "verify_beside"]


class _Revocation(TypedDict):
    by: str
    target: str
    identity: dict[str, Any] | None
    since: str | None
    until: str | None
    reason: str
    revoked_at: str


class _Revocations(TypedDict):
    revocations: list[_Revocation]


def foreign_image(target: str, url: str) -> ImageName | None:
    """Return the image that a target names, if it lies in another registry than the platform at ``url``."""
    from urllib.parse import urlsplit

    from chainward.kernel.name import ImageName

    if is_digest(target):
        return None
    image = ImageName.parse(target)
    return image if image.host and image.host != urlsplit(url).netloc else None


def revocations_of(platform: Remote) -> tuple[SignatureRevocation, ...]:
    """Return the signatures that a platform revoked."""
    answer = platform.get("/api/v1/signature-revocations", _Revocations)
    return tuple(map(_revocation, answer["revocations"]))


@contextmanager
def registry_of(image: ImageName) -> Iterator[Remote]:
    """Open the registry that the name of an image names, without a token.

    A registry on this machine is asked by plain http, any other by TLS.
    """
    plain = workbench.unprotected_host(f"http://{image.host}") is None
    with workbench.remote(f"{'http' if plain else 'https'}://{image.host}", None) as registry:
        yield registry


def verify_beside(
    source: ImageSource, repository: RepositoryName, digest: Digest, root: TrustRoot, *, scoped: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Verify everything that stands beside an image; returns what holds, and what does not with the reasons.

    ``scoped`` holds signers to their repositories; in foreign registries repositories have other names.
    """
    from chainward.delivery.beside import found_beside

    found: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    for piece in found_beside(source, repository, digest):
        try:
            found.append(_shown(_verified(piece, root, digest, repository if scoped else None)))
        except Problem as problem:
            rejected.append({"code": problem.code, "message": problem.message, "next": problem.hint})
    return found, rejected


def _shown(verified: VerifiedStatement | VerifiedArtifact) -> dict[str, Any]:
    from chainward.trust.model import MESSAGE_SIGNATURE, VerifiedStatement

    what = verified.predicate_type if isinstance(verified, VerifiedStatement) else MESSAGE_SIGNATURE
    return shown(what, verified)


def _verified(
    piece: Found, root: TrustRoot, digest: Digest, repository: RepositoryName | None
) -> VerifiedStatement | VerifiedArtifact:
    from chainward.formats.cosign import LegacyLayer
    from chainward.trust.legacy import verify_legacy
    from chainward.trust.verify import verify_bundle

    if isinstance(piece, bytes):
        return verify_bundle(piece, root, subject=digest, repository=repository)
    if isinstance(piece, LegacyLayer):
        return verify_legacy(piece, root, image=digest, repository=repository)
    raise piece.problem


def _revocation(each: _Revocation) -> SignatureRevocation:
    from chainward.kernel.instant import parse_instant
    from chainward.trust.match import match_of
    from chainward.trust.revocations import RevokedBy, SignatureRevocation

    return SignatureRevocation(
        by=RevokedBy(each["by"]),
        target=each["target"],
        match=match_of(each["identity"]) if each["identity"] else None,
        since=parse_instant(each["since"]) if each["since"] else None,
        until=parse_instant(each["until"]) if each["until"] else None,
        reason=each["reason"],
        revoked_at=parse_instant(each["revoked_at"]),
    )
