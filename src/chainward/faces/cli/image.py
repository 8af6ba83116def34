"""Image names as a verb takes them: ``host/repository:tag``, ``repository@sha256:…`` or a bare digest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from chainward import workbench
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from chainward.adapters.remote import Remote
    from chainward.kernel.digest import Digest
    from chainward.kernel.name import ImageName, RepositoryName

__all__ = ["ForeignImage", "digest_of", "image_of", "is_digest", "resolve"]

_BARE = ("sha256:", "sha512:")


class ForeignImage(Problem):
    """The image name names another registry than the platform that was asked."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "image-foreign"
    hint = "Leave the host out, or name the platform that holds the image with --url."


def image_of(platform: Remote, text: str) -> ImageName:
    """Read an image name of this platform; the host, which says nothing more then, is left out."""
    from chainward.kernel.name import ImageName

    image = ImageName.parse(text)
    if image.host and image.host != platform.host:
        raise ForeignImage(f"{text[:120]!r} is not an image of {platform.host}")
    return replace(image, host="")


def is_digest(text: str) -> bool:
    """Whether a text is a bare digest, and not the name of an image."""
    return text.startswith(_BARE)


def resolve(platform: Remote, image: ImageName) -> Digest:
    """Return the digest that an image name stands for now; asks the platform only if the name has none."""
    if image.digest is not None:
        return image.digest
    return workbench.registry(platform).resolve(image.repository, str(image.tag))


def digest_of(platform: Remote, text: str) -> tuple[RepositoryName | None, Digest]:
    """Return repository and digest of an image name, or a bare digest."""
    if is_digest(text):
        from chainward.kernel.digest import Digest

        return None, Digest.parse(text)
    image = image_of(platform, text)
    return image.repository, resolve(platform, image)
