"""The stage of the tour: a workspace, a platform that runs in it, and commands that are shown as they are run."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table

HERE = Path(__file__).parent
SHOP = HERE.parent / "shop"
CHAINWARD = Path(sys.executable).parent / "chainward"
SETTINGS = "[trust]\ndevelopment_issuer = true  # plays the part of a CI system; never outside of a tour\n"
PIP_SETTINGS = (
    "PIP_CERT",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_CONFIG_FILE",
    "SSL_CERT_FILE",
)
START_SECONDS = 30
WIDTH = 120
LONG_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]+")


class TourError(Exception):
    """Something did not go as the tour promises."""


class Stage:
    """Where the tour takes place. Everything lies below one folder and can be thrown away."""

    def __init__(self, folder: Path) -> None:
        self.console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
        self.folder = folder
        self.data = folder / "platform"
        self.platform: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self.issuer = f"{self.url}/dev/oidc"
        self.proven: list[tuple[str, str]] = []
        self._step = 0
        shutil.rmtree(folder, ignore_errors=True)
        self.data.mkdir(parents=True)
        (self.data / "chainward.toml").write_text(SETTINGS, encoding="utf-8")

    # -- telling -----------------------------------------------------------------------------------------------------

    def step(self, title: str, why: str) -> None:
        """Open a step of the tour."""
        self._step += 1
        self.console.print()
        self.console.print(Panel(why, title=f"[bold]{self._step}. {title}", title_align="left", border_style="cyan"))

    def say(self, text: str) -> None:
        """Say something."""
        self.console.print(text)

    def prove(self, claim: str, evidence: str) -> None:
        """Note for the table at the end what was just seen."""
        shown = LONG_DIGEST.sub(r"\1…", evidence)
        self.proven.append((claim, shown))
        self.console.print(f"[green]✓[/green] {claim}: {escape(shown)}")

    def conclude(self) -> None:
        """Print the table of what was proven."""
        table = Table(title="What was proven", title_justify="left", header_style="bold", show_lines=True)
        table.add_column("claim", ratio=2)
        table.add_column("seen", ratio=3, overflow="fold")
        for claim, evidence in self.proven:
            table.add_row(claim, escape(evidence))
        self.console.print()
        self.console.print(table)

    # -- doing -------------------------------------------------------------------------------------------------------

    def run(
        self, *words: str, actor: str = "admin", expect: int = 0, show: bool = True, cwd: Path | None = None
    ) -> str:
        """Run one ``chainward`` command as a user would, show it, and return what it printed."""
        shown = [word.replace(f"{self.folder}/", "") for word in words]
        if show:
            self.console.print(Syntax("$ chainward " + " ".join(map(_quoted, shown)), "console", word_wrap=True))
        done = subprocess.run(
            [CHAINWARD, *words], capture_output=True, text=True, check=False, env=self._environment(actor), cwd=cwd
        )
        output = (done.stdout + done.stderr).replace(f"{self.folder}/", "")
        if show and output.strip():
            self.console.print(_indented(output), markup=False, style="dim" if done.returncode == 0 else "yellow")
        if done.returncode != expect:
            self.console.print(output, markup=False)
            raise TourError(f"chainward {words[0]} ended with {done.returncode}, expected {expect}")
        return done.stdout

    def ask(self, *words: str, actor: str = "admin", expect: int = 0) -> Any:  # noqa: ANN401 - the answer of any verb
        """Run a command silently with ``--json`` and return its answer."""
        return json.loads(self.run(*words, "--json", actor=actor, expect=expect, show=False))

    def http(self, actor: str = "reader") -> httpx.Client:
        """Return a plain HTTP client of the platform, as any registry client would be one."""
        secret = (self.folder / f"{actor}.token").read_text(encoding="utf-8").strip()
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {secret}"}, trust_env=False, timeout=30
        )

    def start(self) -> None:
        """Start the platform and wait until it says that it is ready."""
        log = (self.folder / "platform.log").open("ab")
        words = [str(CHAINWARD), "up", "--data", str(self.data), "--port", str(self.port)]
        self.console.print(Syntax(f"$ chainward up --data platform --port {self.port} &", "console"))
        self.platform = subprocess.Popen(words, stdout=log, stderr=log, env=self._environment("admin"))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.platform.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/readyz", trust_env=False, timeout=2).is_success:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise TourError(f"the platform did not start; its log: {self.folder / 'platform.log'}")

    def stop(self) -> None:
        """Stop the platform in an orderly way."""
        if self.platform is not None and self.platform.poll() is None:
            self.platform.send_signal(signal.SIGTERM)
            try:
                self.platform.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.platform.kill()
                self.platform.wait()

    def _environment(self, actor: str) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{CHAINWARD.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "CHAINWARD_URL": self.url,
            "CHAINWARD_TOKEN_FILE": str(self.folder / f"{actor}.token"),
            "CHAINWARD_TRUST_FOLDER": str(self.folder / "trust"),
            "COLUMNS": str(WIDTH - 4),
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _quoted(word: str) -> str:
    return f"'{word}'" if any(mark in word for mark in " *;&") else word


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())
