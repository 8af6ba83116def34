"""A private PostgreSQL cluster for tests: made from the system's binaries, reached over a unix socket, then gone.

Nobody may run PostgreSQL as root, so as root the server becomes the user ``postgres`` or ``nobody``. The server dies
with the test process (parent-death signal), whatever happens to that process.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

__all__ = ["Cluster", "NoClusterError", "Server", "binaries"]

_PR_SET_PDEATHSIG = 1
_START_SECONDS = 60.0
_QUIET = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
    "autovacuum_naptime": "1h",
}
_FORGETFUL = {"fsync": "off", "full_page_writes": "off"}


class NoClusterError(RuntimeError):
    """PostgreSQL cannot be started here; the message says why."""


def binaries() -> Path:
    """Return the folder of the newest PostgreSQL server on this machine."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path is None:
        raise NoClusterError("there is no PostgreSQL server on this machine")
    return Path(on_path).resolve().parent


def _identity() -> dict[str, Any]:
    """Return what subprocess needs to become somebody who may run PostgreSQL."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise NoClusterError("this is root, and there is neither a user postgres nor a user nobody")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


@dataclass
class Server:
    """A PostgreSQL server that answers at ``maintenance`` (a URL with the name of a database at its end)."""

    maintenance: str
    templates: dict[frozenset[str], str] = field(default_factory=dict)
    _serial: int = 0

    def url(self, name: str) -> str:
        """Return the URL of a database of this server."""
        parts = urlsplit(self.maintenance)
        return f"{parts.scheme}://{parts.netloc}/{name}" + (f"?{parts.query}" if parts.query else "")

    def create_database(self, template: str | None = None) -> str:
        """Create a database and return its name."""
        self._serial += 1
        name = f"cw_test_{os.getpid()}_{self._serial}"
        self.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def drop_templates(self) -> None:
        """Drop what :attr:`templates` names."""
        for name in self.templates.values():
            self.drop_database(name)

    def execute(self, statement: str) -> None:
        """Run one statement outside of a transaction in the maintenance database."""
        with psycopg.connect(self.maintenance, autocommit=True) as connection:
            connection.execute(sql.SQL(statement))


@dataclass
class Cluster(Server):
    """One private server process over one data folder. ``durable`` keeps fsync on; without it tests are faster."""

    folder: Path = Path()
    durable: bool = False
    _process: subprocess.Popen[bytes] | None = None
    _identity: dict[str, Any] = field(default_factory=_identity)

    @classmethod
    def create(cls, *, durable: bool = False) -> Cluster:
        """Make and start a cluster."""
        folder = Path(tempfile.mkdtemp(prefix="cw-pg-", dir="/tmp"))
        cluster = cls(f"postgresql://chainward@/postgres?host={folder}", folder=folder, durable=durable)
        if "user" in cluster._identity:
            os.chown(folder, cluster._identity["user"], cluster._identity["group"])
        command: list[str | Path] = [
            binaries() / "initdb",
            "-D",
            folder / "data",
            "-U",
            "chainward",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            [*command, "--auth=trust", "--no-sync", "--no-instructions"],
            cwd=folder,
            capture_output=True,
            check=False,
            **cluster._identity,
        )
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            raise NoClusterError(f"initdb failed: {done.stderr.decode(errors='replace')[-500:]}")
        cluster.start()
        return cluster

    def start(self) -> None:
        """Start the server and wait until it answers; after a crash that includes its recovery."""
        settings = dict(_QUIET) if self.durable else _QUIET | _FORGETFUL
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [binaries() / "postgres", "-D", self.folder / "data", "-k", self.folder, *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - only a signal is set, before any thread runs
                **self._identity,
            )
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT is an orderly stop, SIGQUIT an immediate one, as in a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_START_SECONDS)
            self._process = None

    def destroy(self) -> None:
        """Stop the server and remove its data."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError as error:
                if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                    raise NoClusterError(f"PostgreSQL did not start: {self._log()}") from error
                time.sleep(0.02)
            else:
                return

    def _log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-1000:]
