"""Reading the settings: file, environment and command line in, one frozen :class:`Config` out.

Later sources win: file, environment, command line. An unknown setting is an error, because a misspelt one must not
silently leave a default in force; every error names the file, the line, the key and what was expected.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec
from msgspec import Meta, Struct

from chainward.config.model import Config, ConfigInvalid
from chainward.config.trust import IssuerSettings, ProviderSettings, Trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["CONFIG_FILE", "Setting", "default_folder", "load", "settings"]

CONFIG_FILE: Final = "chainward.toml"
_FILE_LIMIT: Final = 1 << 20
_TABLE = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]")
_ISSUERS: Final = "trust.issuers"
_NAMED_ISSUER = re.compile(r"issuers\[(\d+)\]: (.*)\Z", re.DOTALL)
_INDEX = re.compile(r"\[[^\]]*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")
_PATH_TAIL = re.compile(r"(.*) - at `\$\.?(.*)`\Z", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`\Z")
_TOML_PLACE = re.compile(r"line (\d+)")


class Setting(Struct, frozen=True):
    """One documented setting, as the reference shows it."""

    section: str
    key: str
    annotation: Any
    default: object
    description: str
    environment: str | None


def default_folder(environ: Mapping[str, str]) -> Path:
    """Return the data folder of a user who named none (XDG Base Directory, "state")."""
    state = environ.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "chainward"


def load(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[tuple[str, str], object] | None = None,
) -> Config:
    """Read the settings; ``overrides`` come from the command line, as ``{("server", "port"): 8421}``.

    Without ``path``, ``chainward.toml`` of the data folder is read if it exists.

    Raises:
        ConfigInvalid: naming the place and what was expected there.
    """
    environ = os.environ if environ is None else environ
    overlay = {**_from_environment(environ), **(overrides or {})}
    if path is None and environ.get("CHAINWARD_CONFIG"):
        path = Path(environ["CHAINWARD_CONFIG"])
    if path is None:
        folder = overlay.get(("storage", "folder"))
        candidate = Path(str(folder)) / CONFIG_FILE if folder else default_folder(environ) / CONFIG_FILE
        path = candidate if candidate.is_file() else None
    (members, text), base = (_read(path), path.parent) if path else (({}, ""), Path.cwd())
    _convert(members, base, path, text)
    for (section, key), value in overlay.items():
        members.setdefault(section, {})[key] = Path.cwd() / value if isinstance(value, Path) else value
    members.setdefault("storage", {}).setdefault("folder", default_folder(environ))
    return _convert(members, base, None, "")


def settings() -> tuple[Setting, ...]:
    """Return every setting in the order of declaration; those of repeated tables follow their section."""
    found: list[Setting] = []
    for section in msgspec.structs.fields(Config):
        found += _members(section.name, section.type)
        if section.type is Trust:
            found += _members("trust.issuers", IssuerSettings)
            found += _members("trust.providers.NAME", ProviderSettings)
    return tuple(found)


def _members(section: str, shape: type[Struct]) -> Iterator[Setting]:
    for field in msgspec.structs.fields(shape):
        notes = [note for note in getattr(field.type, "__metadata__", ()) if isinstance(note, Meta)]
        described = next((note for note in notes if note.description), None)
        if described is None:
            continue  # a table of its own
        environment = (described.extra or {}).get("environment")
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        yield Setting(section, field.name, field.type, default, str(described.description), environment)


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        with path.open("rb") as handle:
            data = handle.read(_FILE_LIMIT + 1)
        if len(data) > _FILE_LIMIT:
            raise ConfigInvalid(f"{path}: expected at most {_FILE_LIMIT} bytes", details={"file": str(path)})
        return tomllib.loads(data.decode()), data.decode()
    except OSError as error:
        raise ConfigInvalid(f"{path}: {error.strerror}", details={"file": str(path)}) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        place = _TOML_PLACE.search(str(error))
        details: dict[str, object] = {"file": str(path), "expected": "TOML"}
        if place:
            details["line"] = int(place[1])
        raise ConfigInvalid(f"{path}: not TOML: {error}", details=details) from error


def _convert(members: dict[str, Any], base: Path, path: Path | None, text: str) -> Config:
    def hook(_: type, value: object) -> object:
        if not isinstance(value, str | Path):
            raise ValueError(f"Expected `str`, got `{type(value).__name__}`")  # noqa: TRY004 - msgspec adds the path
        return base / Path(value).expanduser()

    try:
        return msgspec.convert(members, Config, dec_hook=hook)
    except msgspec.ValidationError as error:
        raise _explained(str(error), members, path, text) from error


def _explained(message: str, members: Mapping[str, Any], path: Path | None, text: str) -> ConfigInvalid:
    """Turn msgspec's message, which ends with a path such as ``$.server.port``, into place, key and expectation."""
    tail = _PATH_TAIL.match(message)
    expected, key = (tail[1], _INDEX.sub("", tail[2])) if tail else (message, "")
    unknown = _UNKNOWN.match(expected)
    if unknown:
        key = f"{key}.{unknown[1]}".lstrip(".")
        expected = "expected no such setting"
    occurrence = _which_issuer(members) if key.startswith(_ISSUERS) else 0
    named = _NAMED_ISSUER.match(expected)
    if named:
        key, occurrence, expected = _ISSUERS, int(named[1]), named[2]
    details: dict[str, object] = {"key": key, "expected": expected}
    place = "command line or environment"
    if path:
        line = _line_of(text, key, occurrence)
        details |= {"file": str(path), "line": line}
        place = f"{path}:{line}"
    return ConfigInvalid(f"{place}: {key}: {expected[:1].lower()}{expected[1:]}", details=details)


def _which_issuer(members: Mapping[str, Any]) -> int:
    """Return which of the repeated tables is the wrong one; msgspec does not say."""
    for position, issuer in enumerate(members["trust"]["issuers"]):
        try:
            msgspec.convert(issuer, IssuerSettings)
        except msgspec.ValidationError:
            return position
    return 0


def _line_of(text: str, key: str, occurrence: int = 0) -> int:
    """Return the line on which a key, or else its table, stands; in which repetition of a table that is repeated."""
    table, best, repetition = "", 1, -1
    for number, line in enumerate(text.splitlines(), 1):
        heading = _TABLE.match(line)
        if heading:
            table = heading[1]
            repetition += table == _ISSUERS
        assigned = _KEY.match(line)
        here = f"{table}.{assigned[1]}".lstrip(".") if assigned else table
        if repetition == occurrence or table != _ISSUERS:
            if here == key:
                return number
            if heading and key.startswith(f"{table}."):
                best = number
    return best


def _from_environment(environ: Mapping[str, str]) -> dict[tuple[str, str], object]:
    given = ((setting, environ.get(setting.environment or "")) for setting in settings())
    return {(setting.section, setting.key): _typed(setting, value) for setting, value in given if value}


def _typed(setting: Setting, value: str) -> object:
    base = get_args(setting.annotation)[0]
    if base is int:
        if not value.isascii() or not value.isdigit():
            raise ConfigInvalid(
                f"{setting.environment}: expected an integer, found {value[:80]!r}",
                details={"key": f"{setting.section}.{setting.key}", "expected": "an integer"},
            )
        return int(value)
    return Path(value) if base == Path | None else value
