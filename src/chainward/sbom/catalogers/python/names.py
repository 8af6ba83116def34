"""What Python calls things: normalised names, requirement strings (PEP 503, PEP 508) and TOML lock files."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from chainward.formats.codec import convert
from chainward.kernel.purl import Purl
from chainward.sbom.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Requirement", "normalised", "pypi", "read_toml", "requirement"]

T = TypeVar("T")

_RUN = re.compile(r"[-_.]+")
_REQUIREMENT = re.compile(
    r"\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?P<rest>[^;]*)"
    r"(?:;(?P<marker>.*))?",
    re.DOTALL,
)
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']|["']([^"']+)["']\s*==\s*extra""")


def normalised(name: str) -> str:
    """The one spelling of a project's name (PEP 503)."""
    return _RUN.sub("-", name).lower()


def pypi(name: str, version: str, qualifiers: Mapping[str, str] | None = None) -> Purl:
    """The package URL of a project; raises :class:`~chainward.kernel.purl.InvalidPurl`."""
    return Purl.build(type="pypi", name=normalised(name), version=version, qualifiers=qualifiers or {})


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement string taken apart; names and extras are normalised."""

    name: str
    extras: tuple[str, ...]
    constraint: str
    marker: str

    @property
    def needed_by_extras(self) -> tuple[str, ...]:
        """The extras of which one must be asked for before this requirement counts; empty if it always counts."""
        return tuple(dict.fromkeys(normalised(one or other) for one, other in _EXTRA.findall(self.marker)))


def requirement(text: str) -> Requirement | None:
    """Read a requirement string; ``None`` when it does not begin with a name.

    >>> requirement('Uvicorn[standard] >=0.30 ; extra == "web"').needed_by_extras
    ('web',)
    """
    match = _REQUIREMENT.match(text)
    if match is None:
        return None
    extras = tuple(normalised(extra.strip()) for extra in (match["extras"] or "").split(",") if extra.strip())
    return Requirement(normalised(match["name"]), extras, match["rest"].strip(" ()\n\t"), match["marker"] or "")


def read_toml(data: bytes, shape: type[T], *, what: str) -> T:
    """Read a TOML lock file as ``shape``.

    Raises:
        UnreadableFile: not UTF-8, not TOML, or nested too deeply.
        Malformed: TOML of another shape.
    """
    try:
        document = tomllib.loads(data.decode())
    except RecursionError:
        raise UnreadableFile(f"{what} is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError, an integer of thousands of digits
        raise UnreadableFile(f"{what}: {str(error)[:200]}") from None
    return convert(document, shape, what=what)
