"""The settings of one platform, as values: each section is a struct whose members say what they are and may be.

``docs/reference/configuration.md`` is generated from these declarations.
"""

from __future__ import annotations

import re
from pathlib import Path  # noqa: TC003 - msgspec reads the annotations when it converts
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta, Struct

from chainward.access.model import Binding
from chainward.config.trust import Trust
from chainward.kernel.name import RepositoryPattern
from chainward.kernel.problem import Kind, Problem

__all__ = ["Config", "ConfigInvalid", "Gates", "Instance", "Keys", "Logging", "Registry", "Server", "Storage"]

_HOST: Final = re.compile(r"(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?\Z")
_URL: Final = re.compile(r"https?://(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?/?\Z")
_MAX_NAME: Final = 64
_MAX_LABEL: Final = 63
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z")


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
    public_url: Annotated[
        str | None,
        _env("CHAINWARD_PUBLIC_URL", "URL at which clients reach the platform; without it that of host and port."),
    ] = None
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
        if self.public_url is not None and _URL.match(self.public_url) is None:
            raise ValueError("public_url: expected https://host or http://host:port, without a path")

    @property
    def url(self) -> str:
        """The URL at which clients reach the platform, without a slash at its end."""
        if self.public_url is not None:
            return self.public_url.rstrip("/")
        return f"{'https' if self.tls else 'http'}://{self.authority}"

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
        if len(self.name) > _MAX_NAME or any(len(label) > _MAX_LABEL for label in self.name.split(".")):
            raise ValueError(f"name: expected at most {_MAX_NAME} characters, as certificates have room for")
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
    anonymous: Annotated[
        tuple[str, ...],
        Meta(description="What anybody may do without a token, such as reader:public/**; a greater role is warned of."),
    ] = ()
    blob_limit: Annotated[int, Meta(ge=1 << 20, description="Largest blob in bytes.")] = 16 << 30
    upload_hours: Annotated[int, Meta(ge=1, le=720, description="When an unfinished upload is thrown away.")] = 24

    def __post_init__(self) -> None:
        for text in self.mutable_tags:
            try:
                RepositoryPattern(text)
            except Problem as problem:
                raise ValueError(f"mutable_tags: expected repository patterns such as shop/**: {problem}") from problem
        for text in self.anonymous:
            try:
                Binding.parse(text)
            except (Problem, ValueError) as problem:
                raise ValueError(f"anonymous: expected rights such as reader:public/**: {problem}") from problem

    @property
    def for_anybody(self) -> tuple[Binding, ...]:
        """What anybody may do without a token."""
        return tuple(map(Binding.parse, self.anonymous))

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
    trust: Trust = Trust()
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
