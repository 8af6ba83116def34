"""Images as callers name them: which repository of this registry is meant, and which digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from chainward.kernel.name import ImageName, Tag
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from chainward.faces.http.requests import Call
    from chainward.kernel.digest import Digest

__all__ = ["ImageHostUnknown", "digest_of", "own_image", "reference_of"]


class ImageHostUnknown(Problem):
    """The image is named with the host of another registry."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "image-host-unknown"
    hint = "Name the image without a host, or with one of the hosts of this registry (instance.hosts)."


def own_image(call: Call, text: str) -> ImageName:
    """Return the name of an image of this registry, after the caller may do with its repository what the route is for.

    Raises:
        InvalidName, InvalidDigest: it is not the name of an image.
        ImageHostUnknown: it belongs to another registry.
        Forbidden: the caller may not.
    """
    name = ImageName.parse(text)
    if name.host and name.host not in call.platform.config.hosts:
        raise ImageHostUnknown(f"{name.host} is not a host of this registry", details={"host": name.host})
    call.authorize(name.repository)
    return name


def reference_of(name: ImageName) -> Tag | Digest:
    """Return what an image name refers to within its repository: the digest, if it has one."""
    if name.digest is not None:
        return name.digest
    assert name.tag is not None  # noqa: S101 - ImageName gives every name without a digest a tag
    return name.tag


def digest_of(call: Call, name: ImageName) -> Digest:
    """Return the digest that an image name stands for now; raises ManifestUnknown."""
    reference = reference_of(name)
    if isinstance(reference, Tag):
        return call.platform.registry.resolve(name.repository, reference)
    return reference
