"""CI providers as data: which claims of a job's token become which extensions of its certificate.

In: a TOML table for each provider (the ready ones in ``providers.toml``, an operator's own under ``[trust.providers]``)
and the claims of a verified token. Out: the subject of the certificate and its extensions by the names of
:data:`chainward.formats.fulcio.CLAIMS`. A template is text with names in braces, ``{server_url}/{repository}``; a name
stands for a fixed value of the provider, else for the claim of that name, else for its default. Fixed values come
first, so that no token can replace them. There is nothing else to a template: no conditions, no functions.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from chainward.formats.fulcio import CLAIMS, ISSUER, SUBJECT
from chainward.trust.errors import IdentityRefused, IssuerInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REQUIRED", "Provider", "ready_providers"]

REQUIRED: Final = frozenset({"build_signer_uri", "runner_environment"})
_EXTENSIONS: Final = frozenset(CLAIMS) - {ISSUER, SUBJECT}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}\Z")
_PART: Final = re.compile(r"\{([A-Za-z0-9_./:-]{1,128})\}")
_BRACE: Final = re.compile(r"[{}]")
_MAX_TEMPLATE: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """How the tokens of one kind of CI are read. ``optional`` extensions are left out when a claim of theirs is absent.

    Raises:
        IssuerInvalid: an unknown extension, a missing one, or a template that cannot be read.
    """

    name: str
    subject: str
    extensions: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if _NAME.match(self.name) is None:
            raise IssuerInvalid(f"{self.name[:80]!r} is not a name of a CI provider")
        unknown = (set(self.extensions) - _EXTENSIONS) | (self.optional - set(self.extensions))
        if unknown:
            raise IssuerInvalid(f"provider {self.name}: there is no extension {', '.join(sorted(unknown))[:200]}")
        missing = REQUIRED - (set(self.extensions) - self.optional)
        if missing:
            raise IssuerInvalid(
                f"provider {self.name}: the extensions {' and '.join(sorted(missing))} must always be there",
                hint="A certificate that does not say what was built where cannot be judged.",
            )
        for template in (self.subject, *self.extensions.values()):
            if not 1 <= len(template) <= _MAX_TEMPLATE or _BRACE.search(_PART.sub("", template)):
                raise IssuerInvalid(f"provider {self.name}: {template[:80]!r} is not a template such as {{server}}/x")

    def with_values(self, values: Mapping[str, str]) -> Provider:
        """Return the provider with other fixed values, such as the address of one's own server."""
        unknown = set(values) - set(self.values)
        if unknown:
            known = ", ".join(sorted(self.values)) or "none"
            raise IssuerInvalid(
                f"provider {self.name} has no value {', '.join(sorted(unknown))[:200]}, only these: {known}"
            )
        return replace(self, values={**self.values, **values})

    def subject_of(self, claims: Mapping[str, Any]) -> str:
        """Return the subject of the certificate; raises IdentityRefused when a claim is absent."""
        subject = self._fill(self.subject, claims)
        if subject is None:
            raise self._absent("its subject", self.subject)
        return subject

    def extensions_of(self, claims: Mapping[str, Any]) -> dict[str, str]:
        """Return the extensions by name; raises IdentityRefused when a claim of one that must be there is absent."""
        found: dict[str, str] = {}
        for name, template in self.extensions.items():
            value = self._fill(template, claims)
            if value is not None:
                found[name] = value
            elif name not in self.optional:
                raise self._absent(name, template)
        return found

    def _fill(self, template: str, claims: Mapping[str, Any]) -> str | None:
        found: list[str] = []
        for literal, piece in _pieces(template):
            text = piece if literal else self._value(piece, claims)
            if text is None:
                return None
            found.append(text)
        return "".join(found)

    def _value(self, name: str, claims: Mapping[str, Any]) -> str | None:
        if name in self.values:
            return self.values[name]
        claim = claims.get(name)
        return (claim if type(claim) is str else _text(claim)) or self.defaults.get(name)

    def _absent(self, what: str, template: str) -> IdentityRefused:
        return IdentityRefused(
            f"the token lacks a claim that {what} is made from: {template}",
            hint=f"Compare the token with what provider {self.name} expects; the configuration may name another one.",
        )


def ready_providers() -> dict[str, Provider]:
    """Return the providers that need no configuration, by name."""
    tables = tomllib.loads(files("chainward.trust").joinpath("providers.toml").read_text(encoding="utf-8"))
    return {
        name: Provider(
            name=name,
            subject=table["subject"],
            extensions=table["extensions"],
            values=table.get("values", {}),
            defaults=table.get("defaults", {}),
            optional=frozenset(table.get("optional", ())),
        )
        for name, table in tables.items()
    }


@lru_cache(maxsize=1024)
def _pieces(template: str) -> tuple[tuple[bool, str], ...]:
    """Return a template as literal texts (True) and names (False), in turn."""
    return tuple((position % 2 == 0, piece) for position, piece in enumerate(_PART.split(template)) if piece)


def _text(value: object) -> str | None:
    """Return a claim as text, None if it is absent, empty or no single value."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value or None
        case int():
            return str(value)
        case _:
            return None
