"""The ``chainward`` executable against a platform that it made and runs itself, as a user would do both.

``running(folder)`` gives a :class:`Desk`: a workspace with a platform on a free loopback port, an admin token, a key
that is trusted for ``shop/**`` and a small project to build. ``Desk.run`` runs one command.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "BUILDER",
    "CHAINWARD",
    "EVIDENCE",
    "PASSPHRASE",
    "PROJECT",
    "Desk",
    "Done",
    "bare",
    "platform_at",
    "review_of",
    "running",
]

CHAINWARD: Final = Path(sys.executable).parent / "chainward"
BUILDER: Final = "https://chainward.example/builders/main"
PASSPHRASE: Final = "correct horse battery staple"
_START_SECONDS: Final = 60.0
_REVIEWS: Final = Path(__file__).parents[2] / "examples" / "tour" / "pod-create.json"
PROJECT: Final = """\
import json, pathlib, sys
app = pathlib.Path("build/app")
app.mkdir(parents=True, exist_ok=True)
(app / "serve.py").write_text("print('shop')\\n")
(app / "requirements.txt").write_text("certifi==2026.1.1\\n")
run = {"passed": 1, "failed": 0, "skipped": 0, "tests": [{"name": "serves", "outcome": "passed"}]}
pathlib.Path("build/test-results.json").write_text(json.dumps(run))
print("built")
"""
EVIDENCE: Final = ("sign", "provenance", "sbom", "tests")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON that it printed."""
        return json.loads(self.out)

    @property
    def code(self) -> str:
        """The code of the problem that it told as JSON."""
        return str(self.json["error"]["code"])


def bare(*words: str, cwd: Path, executable: Sequence[str | Path] = (CHAINWARD,), **environment: str) -> Done:
    """Run one command with nothing but ``environment``."""
    clean = {"PATH": f"{CHAINWARD.parent}:/usr/bin:/bin", "HOME": str(cwd), "LANG": "C.UTF-8"}
    done = subprocess.run(
        [*executable, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=clean | environment,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True, slots=True)
class Desk:
    """A workspace, the platform that runs there, and whose token commands use."""

    folder: Path
    url: str
    token_file: str = "admin.token"
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Host and port of the platform."""
        return self.url.partition("://")[2]

    @property
    def token(self) -> str:
        """The token that commands use."""
        return (self.folder / self.token_file).read_text(encoding="utf-8").strip()

    def run(self, *words: str | Path, expect: int | None = 0, **environment: str) -> Done:
        """Run one command in the workspace; any other status than ``expect`` fails."""
        known = {
            "CHAINWARD_URL": self.url,
            "CHAINWARD_TOKEN_FILE": str(self.folder / self.token_file),
            "CHAINWARD_KEY_PASSPHRASE_FILE": str(self.folder / "passphrase"),
        }
        done = bare(*map(str, words), cwd=self.folder, **(known | self.environment | environment))
        assert expect is None or done.status == expect, f"{' '.join(map(str, words))}: {done}"
        return done

    def ask(self, *words: str | Path, expect: int | None = 0, **environment: str) -> Any:
        """Run one command with ``--json`` and return what it printed."""
        end = words.index("--") if "--" in words else len(words)  # what follows is a command of its own
        return self.run(*words[:end], "--json", *words[end:], expect=expect, **environment).json

    def refused(self, *words: str | Path, status: int) -> str:
        """Run a command that must end with ``status``, twice: for people and for programs; returns the code."""
        told = self.run(*words, expect=status)
        code = self.run(*words, "--json", expect=status).code
        assert f"code: {code}" in told.err
        assert told.err.partition("next: ")[2].strip(), told.err
        return code

    def holding(self, name: str, *bindings: str) -> Desk:
        """Return the same desk for the holder of a new token with these rights."""
        path = f"{name}.token"
        if not (self.folder / path).exists():
            roles = [word for binding in bindings for word in ("--role", binding)]
            self.run("token", "issue", name, *roles, "-o", path)
        return replace(self, token_file=path)

    def image(self, name: str, *evidence: str, key: str = "release.key", builder: str = BUILDER) -> Path:
        """Build an image of its own kind and make the evidence for it, in it as ``KIND.sigstore.json``."""
        out = self.folder / name
        words = ("--label", f"name={name}", "--layer", "build/app:/srv/app", "--entrypoint", "python3")
        self.run("build", "--source", "project", "-o", out, "--product", "build", *words, "--builder-id", builder,
                 "--", "python", "build.py")  # fmt: skip
        predicates = {
            "provenance": ("provenance", out / "provenance.json"),
            "sbom": ("sbom", out / "bom.json"),
            "tests": ("test-result", self.folder / "project" / "build" / "test-results.json"),
        }
        for kind in evidence:
            common = ("--name", "shop/web", "--key", key, "-o", out / f"{kind}.sigstore.json")
            if kind == "sbom":
                self.run("sbom", out, "-o", out / "bom.json", "--name", "shop/web")
            if kind == "sign":
                self.run("sign", out, *common)
            else:
                what, path = predicates[kind]
                self.run("attest", out, "--type", what, "--predicate", path, *common)
        return out

    def push(self, out: Path, name: str, *evidence: str) -> str:
        """Push an image with its evidence and return its digest."""
        words = [word for kind in evidence for word in ("--bundle", str(out / f"{kind}.sigstore.json"))]
        return str(self.ask("push", out, name, *words)["digest"])

    def complete(self, tag: str) -> str:
        """Build, attest and push an image with everything; returns its digest."""
        return self.push(self.image(tag, *EVIDENCE), f"shop/web:{tag}", *EVIDENCE)


def review_of(desk: Desk, image: str, namespace: str, name: str = "review.json") -> Path:
    """Write the recorded review of a Pod with another image and namespace."""
    review = json.loads(_REVIEWS.read_bytes())
    request = review["request"]
    request["namespace"] = request["object"]["metadata"]["namespace"] = namespace
    spec = request["object"]["spec"]
    for container in (*spec["containers"], *spec["initContainers"]):
        container["image"] = image
    for volume in spec["volumes"]:
        volume["image"]["reference"] = image
    path = desk.folder / name
    path.write_text(json.dumps(review), encoding="utf-8")
    return path


@contextmanager
def running(folder: Path, settings: str = "") -> Iterator[Desk]:
    """Make a platform and run it until the end, both by the command itself; ``settings`` is its chainward.toml."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    desk = Desk(folder, f"http://127.0.0.1:{port}")
    (folder / "passphrase").write_text(f"{PASSPHRASE}\n", encoding="utf-8")
    (folder / "project").mkdir()
    (folder / "project" / "build.py").write_text(PROJECT, encoding="utf-8")
    if settings:
        (folder / "platform").mkdir(mode=0o700)
        (folder / "platform" / "chainward.toml").write_text(settings, encoding="utf-8")
    desk.run("init", "--data", "platform", "--token-out", "admin.token")
    process = platform_at(folder / "platform", port, folder / "platform.log")
    try:
        desk.run("keys", "generate", "release.key")
        desk.run("trust", "add", "release", "--key", "release.pub", "--repositories", "shop/**")
        yield desk
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def platform_at(data: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Run the platform in a data folder, and return its process once it is ready; whoever calls this ends it."""
    words = [str(CHAINWARD), "up", "--data", str(data), "--port", str(port)]
    environment = {"PATH": os.defpath, "HOME": str(data.parent)}
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, env=environment)
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=2).is_success:
                return process
        except httpx.HTTPError:
            time.sleep(0.05)
    process.kill()
    process.wait()
    raise RuntimeError(log.read_text(encoding="utf-8"))
