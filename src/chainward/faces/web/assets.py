"""Static files and templates, both from inside the package.

A static file is served as ``/static/<hash>.<name>``: the hash is of its content, so browsers may keep it for ever, and
no other file can be asked for.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from chainward.faces.http.answers import IMMUTABLE, Answer
from chainward.faces.http.errors import RouteUnknown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MEDIA_TYPES", "Assets"]

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "chainward.css": "text/css; charset=utf-8",
    "favicon.svg": "image/svg+xml",
    "htmx.min.js": "text/javascript; charset=utf-8",
}
_HASH_LENGTH: Final = 16
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


class Assets:
    """Files and templates of the pages, read once."""

    def __init__(self) -> None:
        folder = resources.files("chainward.faces.web") / "static"
        self._files: dict[str, tuple[bytes, str]] = {}
        self._urls: dict[str, str] = {}
        for name, media_type in MEDIA_TYPES.items():
            content = (folder / name).read_bytes()
            served = f"{hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]}.{name}"
            self._files[served] = (content, media_type)
            self._urls[name] = f"/static/{served}"
        self._templates = Environment(
            loader=PackageLoader("chainward.faces.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.globals["static"] = self._urls.__getitem__

    def file(self, served: str) -> Answer:
        """Return a static file under its hashed name; raises RouteUnknown."""
        found = self._files.get(served)
        if found is None:
            raise RouteUnknown("there is no such file")
        content, media_type = found
        return Answer(content, 200, media_type, {"Cache-Control": IMMUTABLE})

    def url(self, name: str) -> str:
        """Return the path of a static file."""
        return self._urls[name]

    def page(
        self, template: str, values: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return a rendered page; every value is escaped by the template."""
        text = self._templates.get_template(template).render(values)
        policy = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", **(headers or {})}
        return Answer(text.encode(), status, "text/html; charset=utf-8", policy)
