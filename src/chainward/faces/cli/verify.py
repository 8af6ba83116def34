"""``chainward verify``: who signed a file or an image, and what was stated about it."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from chainward import workbench
from chainward.faces.cli.believed import naming_options, root_of_named, root_of_platform
from chainward.faces.cli.image import digest_of
from chainward.faces.cli.output import emit, json_option
from chainward.faces.cli.session import platform_options
from chainward.faces.cli.verify_files import Target, verify_by_name, verify_by_root
from chainward.faces.cli.verify_image import foreign_image, registry_of, verify_beside
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chainward.adapters.remote import Remote
    from chainward.faces.cli.believed import Named
    from chainward.faces.cli.session import PlatformAddress
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import ImageName
    from chainward.trust.material import TrustMaterial
    from chainward.trust.model import TrustRoot

__all__ = ["command"]

_EXPORT_LIMIT = 16 * 1024 * 1024
_FILE = click.Path(exists=True, dir_okay=False)


class NothingVerified(Problem):
    """Nothing that a trusted signer stated about the artifact could be verified."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "nothing-verified"
    hint = "Sign it with: chainward sign, or attest to it with: chainward attest; then push the bundle beside it."


@click.command("verify")
@click.argument("target")
@click.option("--bundle", "bundles", multiple=True, type=_FILE, help="Bundle; repeatable.")
@naming_options
@click.option(
    "--trusted-root",
    "--trust",
    "trusted_root",
    type=_FILE,
    help="Trusted root of any Sigstore instance, or what `trust export` wrote. [default: the platform's root]",
)
@click.option("--offline", is_flag=True, help="Fail rather than ask the platform for anything.")
@click.option(
    "--predicate-type",
    "--type",
    "demanded",
    multiple=True,
    help="Predicate type that must be among what is verified; repeatable.",
)
@platform_options
@json_option
def command(
    *,
    target: str,
    bundles: tuple[str, ...],
    named: Named,
    trusted_root: str | None,
    offline: bool,
    demanded: tuple[str, ...],
    at: PlatformAddress,
    as_json: bool,
) -> None:
    """Verify TARGET: a file, an OCI layout or a digest with --bundle, or the name of an image.

    An image is one of the platform, or, with --trusted-root and who must have signed, one of any registry that needs no
    token. What counts beside it are bundles, and signatures and attestations as older clients tagged them.

    Say who must have signed, by --identity and --issuer or by --key; otherwise the signers that the platform trusts are
    believed. With that, --bundle and --trusted-root, nothing is asked of any network. Exit status 1 means that
    something did not verify.

    \b
    chainward verify shop/web:1.0
    chainward verify release.tar --bundle release.tar.sigstore.json \\
        --identity https://git.example/shop/.ci/release.yml@refs/heads/main \\
        --issuer https://git.example --trusted-root trusted_root.json
    chainward verify out --bundle sign.sigstore.json --key release.pub \\
        --trusted-root trusted_root.json
    """
    if bundles and named and trusted_root:
        with _without_collector():
            found = verify_by_name(subject := Target.of(target), bundles, named, _material(None, trusted_root))
        _finish(subject.digest, found, [], demanded, as_json=as_json)
        return
    if not bundles and named and trusted_root and (image := foreign_image(target, at.url)) is not None:
        _foreign_image(image, named, _material(None, trusted_root), demanded, as_json=as_json)
        return
    if bundles and trusted_root and (root := _exported(trusted_root)) is not None:
        found = verify_by_root(subject := Target.of(target), bundles, root)
        _finish(subject.digest, found, [], demanded, as_json=as_json)
        return
    if offline:
        raise click.UsageError(
            "--offline needs --bundle, --trusted-root, and --key or --identity with --issuer, or an export as the root"
        )
    with at.connect() as platform:
        material = _material(at, trusted_root)
        if not bundles:
            root = root_of_named(named, material) if named else root_of_platform(platform, material)
            _image(platform, target, root, demanded, as_json=as_json)
            return
        subject = Target.of(target)
        if named:
            found = verify_by_name(subject, bundles, named, material)
        else:
            found = verify_by_root(subject, bundles, root_of_platform(platform, material))
        _finish(subject.digest, found, [], demanded, as_json=as_json)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Let a short life pass without looking for garbage: most of it is spent on making classes, which all stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _exported(path: str) -> TrustRoot | None:
    """Return whom the export of a platform believes, None for a trusted root of Sigstore."""
    return workbench.exported_root(workbench.read_bytes(Path(path), _EXPORT_LIMIT))


def _material(at: PlatformAddress | None, trusted_root: str | None) -> TrustMaterial:
    """Return what the trusted root says: the one in a file, or the platform's, which must follow from the pinned one.

    What is verified and what it is verified by never come from one answer: see :meth:`PlatformAddress.root_document`.
    """
    if trusted_root is not None:
        return workbench.material_of(workbench.read_bytes(Path(trusted_root), _EXPORT_LIMIT))
    if at is None:
        raise click.UsageError("give --trusted-root")
    return workbench.material_of(at.root_document())


def _image(platform: Remote, target: str, root: TrustRoot, demanded: tuple[str, ...], *, as_json: bool) -> None:
    """Verify everything that stands beside an image; what does not hold is listed, and does not count."""
    repository, digest = digest_of(platform, target)
    if repository is None:
        raise click.UsageError("name the image with its repository, such as shop/web@sha256:…")
    found, rejected = verify_beside(workbench.registry(platform), repository, digest, root, scoped=True)
    _finish(digest, found, rejected, demanded, as_json=as_json)


def _foreign_image(
    image: ImageName, named: Named, material: TrustMaterial, demanded: tuple[str, ...], *, as_json: bool
) -> None:
    """Verify everything that stands beside an image in another registry, for whoever was asked for."""
    with registry_of(image) as registry:
        source = workbench.registry(registry)
        digest = image.digest or source.resolve(image.repository, str(image.tag))
        root = root_of_named(named, material)
        found, rejected = verify_beside(source, image.repository, digest, root, scoped=False)
    _finish(digest, found, rejected, demanded, as_json=as_json)


def _finish(
    digest: Digest,
    found: list[dict[str, Any]],
    rejected: list[dict[str, Any]],
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
