"""Package URLs, the identity of components: ``pkg:type/namespace/name@version?qualifiers#subpath`` (ECMA-427, 1.0.1).

Text or components go in, a canonical value comes out, or :class:`InvalidPurl`. Reading is lenient where the standard
is (slashes after the scheme, upper case, characters that should have been percent-encoded); writing is always
canonical, so equal packages have equal text. The rules of single types follow the published type definitions; a type
without a definition gets only the general rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Self
from urllib.parse import quote, unquote_to_bytes

from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["InvalidPurl", "Purl"]

_MAX_LENGTH: Final = 8192
_TYPE = re.compile(r"[a-z][a-z0-9.-]*\Z")
_KEY = re.compile(r"[a-z][a-z0-9._-]*\Z")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NO_QUALIFIERS: Final[Mapping[str, str]] = MappingProxyType({})


class InvalidPurl(Problem):
    """The text or the components are not a package URL."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "purl-invalid"
    hint = "Write a package URL as pkg:pypi/requests@2.32.5 (ECMA-427)."


@dataclass(frozen=True, slots=True, order=True)
class Purl:
    """A package URL in canonical form, whatever form it was given in; an absent part is the empty string.

    Equality and order are those of the canonical text.

    >>> str(Purl.parse("PKG://PyPI/Typing_Extensions@4.15.0"))
    'pkg:pypi/typing-extensions@4.15.0'
    >>> str(Purl.build(type="npm", namespace="@angular", name="core", version="20.0.0"))
    'pkg:npm/%40angular/core@20.0.0'
    """

    type: str = field(compare=False)
    namespace: str = field(compare=False)
    name: str = field(compare=False)
    version: str = field(compare=False, default="")
    qualifiers: tuple[tuple[str, str], ...] = field(compare=False, default=())
    subpath: str = field(compare=False, default="")
    _text: str = field(init=False, repr=False, default="")

    def __post_init__(self) -> None:
        kind = self.type.lower()
        namespace = "/".join(part for part in self.namespace.split("/") if part)
        name, version, qualifiers = self.name.strip("/"), self.version, _sorted_qualifiers(self.qualifiers)
        _require(_TYPE.match(kind) is not None, f"{self.type[:40]!r} is not a package type")
        namespace, version = _folded(kind, "namespace", namespace), _folded(kind, "version", version)
        name = _name_of(kind, name, dict(qualifiers))
        _check_type_rules(kind, namespace, name, version, dict(qualifiers))
        subpath = "/".join(part for part in self.subpath.split("/") if part not in {"", ".", ".."})
        values = {"type": kind, "namespace": namespace, "name": name, "version": version}
        for attribute, value in {**values, "qualifiers": qualifiers, "subpath": subpath}.items():
            object.__setattr__(self, attribute, value)
        text = _canonical(kind, namespace, name, version, qualifiers, subpath)
        _require(len(text) <= _MAX_LENGTH, f"a package URL may have {_MAX_LENGTH} characters, this one has {len(text)}")
        object.__setattr__(self, "_text", text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a package URL; raises :class:`InvalidPurl`."""
        _require(len(text) <= _MAX_LENGTH, f"a package URL may have {_MAX_LENGTH} characters, this one has {len(text)}")
        scheme, colon, rest = text.partition(":")
        _require(bool(colon) and scheme.lower() == "pkg", f"{text[:80]!r} does not begin with pkg:")
        rest, _, fragment = _split_right(rest, "#")
        rest, _, query = _split_right(rest, "?")
        kind, slash, path = rest.lstrip("/").partition("/")
        _require(bool(slash), f"{text[:80]!r} has no type and name")
        path, version = _split_version(path.strip("/"))
        namespace, _, name = path.rpartition("/")
        return cls(
            kind,
            _decode_segments(namespace),
            _decode(name),
            _decode(version),
            _parse_qualifiers(query),
            _decode_segments(fragment),
        )

    @classmethod
    def build(
        cls,
        *,
        type: str,  # noqa: A002 - the standard's word
        name: str,
        namespace: str | None = None,
        version: str | None = None,
        qualifiers: Mapping[str, str] = _NO_QUALIFIERS,
        subpath: str | None = None,
    ) -> Self:
        """Make a package URL from decoded components; raises :class:`InvalidPurl`."""
        return cls(type, namespace or "", name, version or "", tuple(qualifiers.items()), subpath or "")

    def qualifier(self, key: str) -> str:
        """The value of one qualifier, or the empty string."""
        return next((value for found, value in self.qualifiers if found == key), "")

    def without_version(self) -> Self:
        """The package itself: type, namespace and name alone."""
        # A few types demand a qualifier that is part of the package's identity; those stay.
        required = _RULES.get(self.type, _GENERAL).qualifier
        kept = tuple(pair for pair in self.qualifiers if pair[0] == required)
        return type(self)(self.type, self.namespace, self.name, "", kept)

    def __str__(self) -> str:
        return self._text


def _require(claim: bool, message: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not claim:
        raise InvalidPurl(message)


def _split_right(text: str, separator: str) -> tuple[str, str, str]:
    left, found, right = text.rpartition(separator)
    return (left, found, right) if found else (text, "", "")


def _split_version(path: str) -> tuple[str, str]:
    # The standard splits at the last "@"; one that begins a segment is an npm scope that was not percent-encoded.
    left, at, right = path.rpartition("@")
    if not at or ((not left or left.endswith("/")) and "/" in right):
        return path, ""
    return left, right


def _decode(text: str) -> str:
    if "%" not in text:
        return text
    _require(_BROKEN_ESCAPE.search(text) is None, f"{text[:80]!r} has a broken percent-encoding")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeError:
        raise InvalidPurl(f"{text[:80]!r} does not decode to UTF-8") from None


def _decode_segments(text: str) -> str:
    segments = [_decode(segment) for segment in text.split("/") if segment]
    _require(not any("/" in segment for segment in segments), f"a segment of {text[:80]!r} hides a slash")
    return "/".join(segments)


def _parse_qualifiers(query: str) -> tuple[tuple[str, str], ...]:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return tuple((key, _decode(value)) for key, _, value in pairs)


def _sorted_qualifiers(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for key, value in pairs:
        lowered = key.lower()  # the rules forbid upper case, the parsing procedure folds it: be lenient in reading
        _require(_KEY.match(lowered) is not None, f"{key[:40]!r} is not a qualifier key")
        _require(lowered not in found, f"the qualifier {lowered[:40]!r} appears twice")
        found[lowered] = value
    return tuple(sorted((key, value) for key, value in found.items() if value))


def _encode(text: str) -> str:
    try:
        return quote(text, safe=":")
    except UnicodeEncodeError:
        raise InvalidPurl(f"{text[:80]!r} cannot be written as UTF-8") from None


def _canonical(
    kind: str, namespace: str, name: str, version: str, qualifiers: tuple[tuple[str, str], ...], subpath: str
) -> str:
    parts = ["pkg:", kind, "/"]
    if namespace:
        parts += ["/".join(map(_encode, namespace.split("/"))), "/"]
    parts.append(_encode(name))
    if version:
        parts += ["@", _encode(version)]
    if qualifiers:
        parts += ["?", "&".join(f"{key}={_encode(value)}" for key, value in qualifiers)]
    if subpath:
        parts += ["#", "/".join(map(_encode, subpath.split("/")))]
    return "".join(parts)


# The rules of single types, from the published type definitions of the package-url project.


@dataclass(frozen=True, slots=True)
class _Rules:
    """What one type demands beyond the general rules."""

    namespace: Literal["required", "optional", "prohibited"] = "optional"
    lower: tuple[str, ...] = ()
    qualifier: str = ""


_NS: Final = ("namespace",)
_NAME: Final = ("name",)
_VERSION: Final = ("version",)
_RULES: Final[Mapping[str, _Rules]] = {
    "alpm": _Rules("required", _NS + _NAME),
    "apk": _Rules("required", _NS + _NAME),
    "bazel": _Rules("prohibited"),
    "bitbucket": _Rules("required", _NS + _NAME),
    "bitnami": _Rules("prohibited", _NAME),
    "brew": _Rules("optional", _NS + _NAME),
    "cargo": _Rules("prohibited"),
    "chrome-extension": _Rules("prohibited", _NAME),
    "cocoapods": _Rules("prohibited"),
    "composer": _Rules("required", _NS + _NAME),
    "conda": _Rules("prohibited"),
    "cran": _Rules("prohibited"),
    "deb": _Rules("required", _NS + _NAME),
    "gem": _Rules("prohibited"),
    "git": _Rules("required"),
    "github": _Rules("required", _NS + _NAME),
    "golang": _Rules("required"),
    "hackage": _Rules("prohibited"),
    "hex": _Rules("optional", _NS + _NAME),
    "huggingface": _Rules("required", _VERSION),
    "julia": _Rules("prohibited", qualifier="uuid"),
    "luarocks": _Rules("optional", _NS + _NAME),
    "maven": _Rules("required"),
    "mlflow": _Rules("prohibited"),
    "nuget": _Rules("prohibited"),
    "oci": _Rules("prohibited", _NAME + _VERSION),
    "opam": _Rules("prohibited"),
    "otp": _Rules("prohibited", _NAME),
    "pub": _Rules("prohibited", _NAME),
    "pypi": _Rules("prohibited", _NAME + _VERSION),
    "qpkg": _Rules("required", _NS),
    "rpm": _Rules("required", _NS),
    "swid": _Rules(qualifier="tag_id"),
    "swift": _Rules("required"),
    "vcpkg": _Rules("prohibited"),
    "vscode-extension": _Rules("required", _NS + _NAME + _VERSION),
    "yocto": _Rules("optional", _NS),
}
_GENERAL: Final = _Rules()


def _folded(kind: str, part: str, text: str) -> str:
    return text.lower() if part in _RULES.get(kind, _GENERAL).lower else text


def _name_of(kind: str, name: str, qualifiers: Mapping[str, str]) -> str:
    name = _folded(kind, "name", name)
    match kind:
        case "pypi":
            return name.replace("_", "-")
        case "pub":
            return re.sub(r"[^a-z0-9]", "_", name)
        case "mlflow" if "databricks" in qualifiers.get("repository_url", ""):
            return name.lower()  # that host ignores case, others do not
        case _:
            return name


def _check_type_rules(kind: str, namespace: str, name: str, version: str, qualifiers: Mapping[str, str]) -> None:
    rules = _RULES.get(kind, _GENERAL)
    _require(bool(name), "a package URL needs a name")
    _require(bool(namespace) or rules.namespace != "required", f"the type {kind} needs a namespace")
    _require(not namespace or rules.namespace != "prohibited", f"the type {kind} has no namespace")
    _require(
        not rules.qualifier or rules.qualifier in qualifiers, f"the type {kind} needs the qualifier {rules.qualifier}"
    )
    if kind == "cpan":
        _require("::" not in name, "a CPAN distribution is named with dashes, not as a module")
    if kind == "chrome-extension":
        _require(re.fullmatch("[a-p]{32}", name) is not None, "an extension is named by 32 letters from a to p")
        _require(re.fullmatch(r"(\d+(\.\d+){0,3})?", version) is not None, "an extension's version is dotted numbers")
