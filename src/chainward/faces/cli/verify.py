"""``chainward verify``: who signed a file or an image, and what was stated about it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from chainward import workbench
from chainward.faces.cli.answers import Signers
from chainward.faces.cli.image import digest_of
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.adapters.remote import Remote
    from chainward.faces.cli.session import PlatformAddress
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import RepositoryName
    from chainward.trust.model import TrustRoot, VerifiedStatement

__all__ = ["command"]

_BUNDLE_LIMIT = 4 * 1024 * 1024
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_EVERYTHING = ("**",)
_FILE = click.Path(exists=True, dir_okay=False)


class NothingVerified(Problem):
    """Nothing that a trusted signer stated about the artifact could be verified."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "nothing-verified"
    hint = "Sign it with: chainward sign, or attest to it with: chainward attest; then push the bundle beside it."


@click.command("verify")
@click.argument("target")
@click.option(
    "--bundle", "bundles", multiple=True, type=click.Path(exists=True, dir_okay=False), help="Bundle; repeatable."
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Public key to believe; repeatable.",
)
@click.option("--trusted-root", type=click.Path(exists=True, dir_okay=False), help="Trusted root of the log (offline).")
@click.option(
    "--type", "demanded", multiple=True, help="Predicate type that must be among what is verified; repeatable."
)
@platform_options
@json_option
def command(
    *,
    target: str,
    bundles: tuple[str, ...],
    keys: tuple[str, ...],
    trusted_root: str | None,
    demanded: tuple[str, ...],
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Verify TARGET: a file or an OCI layout with --bundle, or the name of an image on the platform.

    With --bundle, --key and --trusted-root nothing is asked of any network. Without --key the signers that the platform
    trusts are believed. Exit status 1 means that something did not verify.

    \b
    chainward verify shop/web:1.0
    chainward verify out --bundle sign.sigstore.json --key release.pub \\
        --trusted-root trusted_root.json
    """
    root_file = Path(trusted_root) if trusted_root else None
    if bundles and keys and root_file:
        _local(target, bundles, _root_of_keys(None, keys, root_file), demanded, as_json=as_json)
        return
    with at.connect() as platform:
        root = _root_of_keys(platform, keys, root_file) if keys else _root_of_platform(platform, root_file)
        if bundles:
            _local(target, bundles, root, demanded, as_json=as_json)
        else:
            repository, digest = digest_of(platform, target)
            _remote(platform, repository, digest, root, demanded, as_json=as_json)


def _local(target: str, bundles: tuple[str, ...], root: TrustRoot, demanded: tuple[str, ...], *, as_json: bool) -> None:
    """Verify bundles against a file or a layout; every one of them has to hold."""
    from chainward.formats.bundle import decode_bundle
    from chainward.trust.verify import verify_artifact, verify_bundle

    path = Path(target)
    digest = workbench.layout(path).manifest()[0].digest if path.is_dir() else workbench.file_digest(path)
    found: list[dict[str, object]] = []
    for name in bundles:
        content = workbench.read_bytes(Path(name), _BUNDLE_LIMIT)
        if decode_bundle(content).envelope is None:
            artifact = verify_artifact(content, root, digest=digest, repository=None)
            found.append(_shown("message-signature", artifact.signer, artifact.fingerprint, artifact.log_index))
        else:
            found.append(_of_statement(verify_bundle(content, root, subject=digest, repository=None)))
    _finish(digest, found, [], demanded, as_json=as_json)


def _remote(
    platform: Remote,
    repository: RepositoryName | None,
    digest: Digest,
    root: TrustRoot,
    demanded: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Verify everything that stands beside an image; what does not hold is listed, and does not count."""
    from chainward.trust.verify import verify_bundle

    if repository is None:
        raise click.UsageError("name the image with its repository, such as shop/web@sha256:…")
    found: list[dict[str, object]] = []
    rejected: list[dict[str, object]] = []
    for content in _bundles_beside(platform, repository, digest):
        try:
            found.append(_of_statement(verify_bundle(content, root, subject=digest, repository=repository)))
        except Problem as problem:
            rejected.append({"code": problem.code, "message": problem.message, "next": problem.hint})
    _finish(digest, found, rejected, demanded, as_json=as_json)


def _bundles_beside(platform: Remote, repository: RepositoryName, digest: Digest) -> Iterator[bytes]:
    from chainward.delivery.referrer import is_bundle
    from chainward.formats.oci import decode_manifest
    from chainward.kernel.digest import Digest

    registry = workbench.registry(platform)
    for descriptor in registry.referrers(repository, digest):
        if not is_bundle(descriptor.get("artifactType")):
            continue
        stored = Digest.parse(str(descriptor.get("digest")))
        media_type, body = registry.get_manifest(repository, str(stored))
        stored.verify(body)
        for layer in decode_manifest(body, media_type).layers:
            yield registry.get_blob(repository, layer.digest, _BUNDLE_LIMIT)


def _root_of_keys(platform: Remote | None, keys: tuple[str, ...], trusted_root: Path | None) -> TrustRoot:
    """Return a root that believes the keys in these files, each under the name of its file, about everything."""
    from chainward.kernel.name import RepositoryPattern
    from chainward.trust.model import ANY_PREDICATE, TrustedSigner, TrustMaterial, TrustRoot

    signers = [
        TrustedSigner(
            name=f"key-{number}",
            public_key=workbench.read_public_key(Path(path)),
            repositories=tuple(map(RepositoryPattern, _EVERYTHING)),
            predicates=(ANY_PREDICATE,),
            trusted_since=_ALWAYS,
        )
        for number, path in enumerate(keys, 1)
    ]
    return TrustRoot(tuple(signers), TrustMaterial(workbench.trusted_logs(platform, trusted_root)))


def _root_of_platform(platform: Remote, trusted_root: Path | None) -> TrustRoot:
    """Return what the platform itself believes."""
    from chainward.kernel.instant import parse_instant
    from chainward.kernel.name import RepositoryPattern
    from chainward.keys.model import PublicKey
    from chainward.trust.model import TrustedSigner, TrustMaterial, TrustRoot

    signers = [
        TrustedSigner(
            name=each["name"],
            public_key=PublicKey.from_pem(each["public_key"].encode()),
            repositories=tuple(map(RepositoryPattern, each["repositories"])),
            predicates=tuple(each["predicates"]),
            trusted_since=parse_instant(each["trusted_since"]),
            distrusted_at=parse_instant(each["distrusted_at"]) if each["distrusted_at"] else None,
        )
        for each in platform.get("/api/v1/signers", Signers)["signers"]
    ]
    return TrustRoot(tuple(signers), TrustMaterial(workbench.trusted_logs(platform, trusted_root)))


def _of_statement(statement: VerifiedStatement) -> dict[str, object]:
    return _shown(statement.predicate_type, statement.signer, statement.fingerprint, statement.log_index)


def _shown(what: str, signer: str, fingerprint: str, log_index: int) -> dict[str, object]:
    return {"predicate_type": what, "signer": signer, "fingerprint": fingerprint, "log_index": log_index}


def _finish(
    digest: Digest,
    found: list[dict[str, object]],
    rejected: list[dict[str, object]],
    demanded: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    missing = sorted(set(demanded) - {str(each["predicate_type"]) for each in found})
    verified = bool(found) and not missing
    result = {
        "digest": str(digest),
        "verified": verified,
        "statements": found,
        "rejected": rejected,
        "missing": missing,
    }
    if verified or as_json:
        lines = [
            f"verified  {digest}",
            *(f"  ✓ {each['predicate_type']} by {each['signer']}, log index {each['log_index']}" for each in found),
            *(f"  ✗ not counted: {each['message']} ({each['code']})" for each in rejected),
        ]
        emit(as_json, result, lines)
    if not verified:
        if as_json:
            raise click.exceptions.Exit(1)
        reasons = [f"{each['message']} ({each['code']})" for each in rejected]
        what = (
            f"{', '.join(missing)} is not among it" if found else "; ".join(reasons) or "there is no bundle beside it"
        )
        raise NothingVerified(f"{digest} is not verified: {what}")
