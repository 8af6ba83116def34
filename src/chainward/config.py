"""Settings: an unvalidated TOML file, the environment and the command line in, one frozen :class:`Config` out.

What is not set has a default that works on one machine. Later sources win: file, environment, command line. An unknown
setting is an error, because a misspelt one must not silently leave a default in force; every error names the file, the
line, the key and what was expected. ``docs/reference/configuration.md`` is generated from the declarations below.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from chainward.kernel.name import RepositoryPattern
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CONFIG_FILE",
    "Config",
    "ConfigInvalid",
    "Gates",
    "Instance",
    "Keys",
    "Logging",
    "Registry",
    "Server",
    "Setting",
    "Storage",
    "default_folder",
    "load",
    "settings",
]

CONFIG_FILE: Final = "chainward.toml"
_FILE_LIMIT: Final = 1 << 20
_HOST = re.compile(r"(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?\Z")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z")
_TABLE = re.compile(r"\s*\[\s*([A-Za-z0-9_.-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")
_PATH_TAIL = re.compile(r"(.*) - at `\$\.?(.*)`\Z", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`\Z")
_TOML_PLACE = re.compile(r"line (\d+)")


class ConfigInvalid(Problem):
    """A setting is unknown, of the wrong type or out of range, or the configuration file cannot be read."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "config-invalid"
    hint = "All settings stand in docs/reference/configuration.md."


def _env(name: str, description: str) -> Meta:
    """Describe a setting that the environment may override."""
    return Meta(description=description, extra={"environment": name})


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the platform listens and what one request may cost."""

    host: Annotated[str, _env("CHAINWARD_HOST", "Address to listen on. Anything but loopback should have TLS.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=1, le=65535), _env("CHAINWARD_PORT", "TCP port to listen on.")] = 8420
    tls_certificate: Annotated[
        Path | None, Meta(description="PEM file with the certificate chain; switches TLS on.")
    ] = None
    tls_key: Annotated[Path | None, Meta(description="PEM file with the private key of the certificate.")] = None
    tls_client_authorities: Annotated[
        Path | None,
        Meta(description="PEM file with CAs; when set, every client must show a certificate of one of them."),
    ] = None
    body_seconds: Annotated[
        int, Meta(ge=1, le=600, description="How long a client may take to send the body of a JSON request.")
    ] = 30
    shutdown_seconds: Annotated[
        int, Meta(ge=1, le=3600, description="How long a shutdown waits for requests that are under way.")
    ] = 30
    threads: Annotated[
        int, Meta(ge=4, le=512, description="How many verbs run at the same time; each may hold a database connection.")
    ] = 40
    metrics_public: Annotated[
        bool, Meta(description="Whether /metrics is served without a token. It names repositories of nobody.")
    ] = False
    session_minutes: Annotated[int, Meta(ge=1, le=1440, description="How long a login on the web pages lasts.")] = 480

    def __post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: expected both or neither")
        if self.tls_client_authorities is not None and self.tls_certificate is None:
            raise ValueError("tls_client_authorities needs TLS: expected tls_certificate and tls_key as well")

    @property
    def tls(self) -> bool:
        """Whether the platform speaks HTTPS."""
        return self.tls_certificate is not None

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Storage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where everything durable lies."""

    folder: Annotated[
        Path | None,
        _env("CHAINWARD_DATA", "Data folder; without it $XDG_STATE_HOME/chainward or ~/.local/state/chainward."),
    ] = None
    database: Annotated[
        str | None,
        _env("CHAINWARD_DATABASE", "URL of a PostgreSQL database; without it SQLite in the data folder."),
    ] = None
    blobs: Annotated[Path | None, Meta(description="Folder for blobs; without it blobs/ in the data folder.")] = None

    def __post_init__(self) -> None:
        if self.database is not None and not self.database.startswith("postgresql"):
            raise ValueError("database: expected a URL that starts with postgresql://")


class Instance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who this platform is: the name stands in its logs and may never change."""

    name: Annotated[str, Meta(description="Host-like name; the logs have the origins facts.NAME and log.NAME.")] = (
        "chainward.local"
    )
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="Hosts, with port, under which its images are named, beside host:port of the server."),
    ] = ()

    def __post_init__(self) -> None:
        if _NAME.match(self.name) is None or "." not in self.name:
            raise ValueError("name: expected a lowercase host name with a dot, such as chainward.example.org")
        for host in self.hosts:
            if _HOST.match(host) is None:
                raise ValueError(f"hosts: expected hosts such as registry.example.org:5000, found {host[:80]!r}")


class Registry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of the registry."""

    mutable_tags: Annotated[
        tuple[str, ...],
        Meta(
            description="Repositories whose tags may be moved, such as sandbox/**; everywhere else tags are immutable."
        ),
    ] = ()
    blob_limit: Annotated[int, Meta(ge=1 << 20, description="Largest blob in bytes.")] = 16 << 30
    upload_hours: Annotated[int, Meta(ge=1, le=720, description="When an unfinished upload is thrown away.")] = 24

    def __post_init__(self) -> None:
        for text in self.mutable_tags:
            try:
                RepositoryPattern(text)
            except Problem as problem:
                raise ValueError(f"mutable_tags: expected repository patterns such as shop/**: {problem}") from problem

    @property
    def mutable(self) -> tuple[RepositoryPattern, ...]:
        """Repositories whose tags may be moved."""
        return tuple(RepositoryPattern(text) for text in self.mutable_tags)


class Gates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the gates take for granted. What they demand stands in the policy."""

    controllers: Annotated[
        Literal["warn", "deny", "ignore"],
        Meta(description="What a no means for a workload that makes Pods; its Pods are decided about in any case."),
    ] = "warn"
    isolated_builders: Annotated[
        tuple[str, ...], Meta(description="Builder ids (URIs) that count as isolated in the statistics of builds.")
    ] = ()


class Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The platform's own keys, which lie encrypted in keys/ of the data folder."""

    passphrase_file: Annotated[
        Path | None,
        _env("CHAINWARD_PASSPHRASE_FILE", "File with their passphrase; without it keys/passphrase, made by init."),
    ] = None


class Logging(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the platform writes to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], _env("CHAINWARD_LOG_LEVEL", "The least level that is written.")
    ] = "info"
    format: Annotated[
        Literal["json", "text"], _env("CHAINWARD_LOG_FORMAT", "One JSON object or one readable text a line.")
    ] = "json"


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings of one platform."""

    server: Server = Server()
    storage: Storage = Storage()
    instance: Instance = Instance()
    registry: Registry = Registry()
    gates: Gates = Gates()
    keys: Keys = Keys()
    logging: Logging = Logging()

    @property
    def folder(self) -> Path:
        """The data folder; :func:`load` always sets one."""
        if self.storage.folder is None:
            raise ConfigInvalid("storage.folder: expected a folder", details={"key": "storage.folder"})
        return self.storage.folder

    @property
    def database_url(self) -> str:
        """The URL of the authoritative database."""
        return self.storage.database or f"sqlite:///{self.folder / 'chainward.db'}"

    @property
    def blobs(self) -> Path:
        """The folder of the blobs."""
        return self.storage.blobs or self.folder / "blobs"

    @property
    def projections_url(self) -> str:
        """The URL of what can be made again from the facts: a second file, or a schema of the PostgreSQL database."""
        return self.storage.database or f"sqlite:///{self.folder / 'projections.db'}"

    @property
    def uploads(self) -> Path:
        """The folder of unfinished uploads, on the same disk as the blobs."""
        return self.folder / "uploads" if self.storage.blobs is None else self.storage.blobs / ".uploads"

    @property
    def passphrase_file(self) -> Path:
        """The file with the passphrase of the platform's keys."""
        return self.keys.passphrase_file or self.folder / "keys" / "passphrase"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host under which an image of this registry may be named, the preferred one first."""
        aliases = (f"localhost:{self.server.port}",) if self.server.host == "127.0.0.1" else ()
        return tuple(dict.fromkeys((*self.instance.hosts, self.server.authority, *aliases)))


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
    """Return every setting in the order of declaration."""
    found: list[Setting] = []
    for section in msgspec.structs.fields(Config):
        for field in msgspec.structs.fields(section.type):
            notes = [note for note in getattr(field.type, "__metadata__", ()) if isinstance(note, Meta)]
            described = next(note for note in notes if note.description)
            extra = described.extra or {}
            found.append(
                Setting(
                    section.name,
                    field.name,
                    field.type,
                    field.default,
                    str(described.description),
                    extra.get("environment"),
                )
            )
    return tuple(found)


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
        raise _explained(str(error), path, text) from error


def _explained(message: str, path: Path | None, text: str) -> ConfigInvalid:
    """Turn msgspec's message, which ends with a path such as ``$.server.port``, into place, key and expectation."""
    tail = _PATH_TAIL.match(message)
    expected, key = (tail[1], re.sub(r"\[.*", "", tail[2])) if tail else (message, "")
    unknown = _UNKNOWN.match(expected)
    if unknown:
        key = f"{key}.{unknown[1]}".lstrip(".")
        expected = "expected no such setting"
    details: dict[str, object] = {"key": key, "expected": expected}
    place = "command line or environment"
    if path:
        line = _line_of(text, key)
        details |= {"file": str(path), "line": line}
        place = f"{path}:{line}"
    return ConfigInvalid(f"{place}: {key}: {expected[:1].lower()}{expected[1:]}", details=details)


def _line_of(text: str, key: str) -> int:
    """Return the line on which a key, or else its table, stands."""
    table, best = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        heading = _TABLE.match(line)
        if heading:
            table = heading[1]
        assigned = _KEY.match(line)
        here = f"{table}.{assigned[1]}".lstrip(".") if assigned else table
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
