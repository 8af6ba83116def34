"""What caches may do with content: keep it, but ask before each use, because it may have been revoked meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chainward.kernel.digest import Digest

__all__ = ["cache_headers", "is_fresh"]


def cache_headers(digest: Digest) -> dict[str, str]:
    """Return the headers that go with content named by ``digest``."""
    return {
        "Docker-Content-Digest": str(digest),
        "ETag": f'"{digest}"',
        "Cache-Control": "private, max-age=0, must-revalidate",
        "Vary": "Authorization",
    }


def is_fresh(headers: Mapping[str, str], digest: Digest) -> bool:
    """Whether the client has this content already and only asked whether it may still use it (If-None-Match)."""
    tags = headers.get("if-none-match", "").split(",")
    return any(tag.strip().removeprefix("W/") == f'"{digest}"' for tag in tags)
