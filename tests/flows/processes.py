"""The platform as the process that users start: ``chainward up`` over a data folder that ``chainward init`` made."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Process", "chainward", "free_port", "initialised", "running", "start"]

_MAIN: Final = "import sys; from chainward.faces.cli import main; sys.exit(main())"
_START_SECONDS: Final = 60.0


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def chainward(*arguments: str) -> Sequence[str]:
    """Return the command line of a chainward command."""
    return [sys.executable, "-c", _MAIN, *arguments]


def initialised(folder: Path) -> str:
    """Make a platform in ``folder`` and return its first token."""
    token = folder.with_name(f"{folder.name}.token")
    subprocess.run(
        chainward("init", "--data", str(folder), "--token-out", str(token)),
        check=True,
        capture_output=True,
        timeout=120,
    )
    return token.read_text().strip()


@dataclass(slots=True)
class Process:
    """A running ``chainward up``."""

    url: str
    process: subprocess.Popen[bytes]
    stderr: Path

    def log(self) -> list[dict[str, object]]:
        """Return what it logged so far."""
        return [json.loads(line) for line in self.stderr.read_text().splitlines()]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.wait(60)


def start(folder: Path, port: int, *more: str, verify: ssl.SSLContext | bool = True, scheme: str = "http") -> Process:
    """Start the platform and return once it answers, or has ended."""
    stderr = folder.with_name(f"{folder.name}.{port}.log")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("CHAINWARD_")}
    with stderr.open("wb") as sink:
        process = subprocess.Popen(
            chainward("up", "--data", str(folder), "--port", str(port), *more),
            stdout=subprocess.DEVNULL,
            stderr=sink,
            env=environ,
        )
    found = Process(f"{scheme}://127.0.0.1:{port}", process, stderr)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{found.url}/healthz", verify=verify, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.02)
        else:
            return found
    return found


@contextmanager
def running(folder: Path, *more: str, verify: ssl.SSLContext | bool = True, scheme: str = "http") -> Iterator[Process]:
    """Give a running platform, and make sure that it is gone afterwards."""
    process = start(folder, free_port(), *more, verify=verify, scheme=scheme)
    assert process.process.poll() is None, process.stderr.read_text()
    try:
        yield process
    finally:
        process.kill()
