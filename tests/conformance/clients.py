"""The stock Sigstore clients, driven as their users drive them: signing and verifying, a blob and a statement.

Each client is a process of its own with an empty home. ``unavailable`` says why one is not here, for a reason to skip.
``CHAINWARD_CONFORMANCE`` names the folder into which ``make conformance-clients`` put what is no Python package.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CLIENTS", "Client", "Cosign", "Documents", "JavaScript", "Ours", "Python", "RefusedError", "Signer"]

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
TOOLS: Final = Path(os.environ.get("CHAINWARD_CONFORMANCE", ROOT / ".conformance"))
SECONDS: Final = 120
IN_TOTO: Final = "application/vnd.in-toto+json"


class RefusedError(AssertionError):
    """The client ended with a failure; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Documents:
    """Where the trust documents of the instance lie."""

    trusted_root: Path
    signing_config: Path
    client_trust_config: Path


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: the identity token, and what the certificate then says."""

    token: str
    identity: str
    issuer: str


class Client(Protocol):
    """A stock client."""

    name: ClassVar[str]

    def unavailable(self) -> str | None:
        """Say why it is not here, or None."""
        ...

    def sign_blob(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Sign a file."""
        ...

    def sign_statement(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Sign a statement about a file."""
        ...

    def verify_blob(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Return if the bundle signs the file; raises RefusedError."""
        ...

    def verify_statement(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Return if the bundle holds a statement about the file; raises RefusedError."""
        ...


def run(command: list[str], home: Path, *, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a client in an empty home and return what it printed; raises RefusedError."""
    home.mkdir(parents=True, exist_ok=True)
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "NO_COLOR": "1", **(env or {})}
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=SECONDS, check=False, env=environment, cwd=home
    )
    if done.returncode:
        raise RefusedError(f"{Path(command[0]).name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def statement_about(file: Path) -> bytes:
    """Return an in-toto statement about a file."""
    import hashlib

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": file.name, "digest": {"sha256": digest}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": PREDICATE,
        }
    ).encode()


PREDICATE_TYPE: Final = "https://slsa.dev/provenance/v1"
PREDICATE: Final[dict[str, Any]] = {
    "buildDefinition": {
        "buildType": "https://chainward.test/conformance/v1",
        "externalParameters": {},
        "internalParameters": {},
        "resolvedDependencies": [],
    },
    "runDetails": {"builder": {"id": "https://builder.test/1"}, "metadata": {"invocationId": "1"}},
}


@dataclass(slots=True)
class Python:
    """sigstore-python through its command line."""

    name: ClassVar[str] = "sigstore-python"
    documents: Documents
    home: Path
    trust: list[str] = field(default_factory=list)

    def unavailable(self) -> str | None:
        """It is a development dependency."""
        return None

    def _run(self, *arguments: str) -> str:
        trust = self.trust or ["--trust-config", str(self.documents.client_trust_config)]
        return run([sys.executable, "-m", "sigstore", *trust, *arguments], self.home)

    def sign_blob(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Sign a file."""
        self._run("sign", "--identity-token", signer.token, "--bundle", str(bundle), "--overwrite", str(file))

    def sign_statement(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Sign a statement with SLSA provenance."""
        predicate = self.home / "predicate.json"
        self.home.mkdir(parents=True, exist_ok=True)
        predicate.write_text(json.dumps(PREDICATE), encoding="utf-8")
        said = ["--predicate", str(predicate), "--predicate-type", PREDICATE_TYPE]
        token = ["--identity-token", signer.token]
        self._run("attest", *said, *token, "--bundle", str(bundle), "--overwrite", str(file))

    def verify_blob(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Verify by identity."""
        who = ["--cert-identity", signer.identity, "--cert-oidc-issuer", signer.issuer]
        self._run("verify", "identity", "--bundle", str(bundle), *who, str(file))

    verify_statement = verify_blob


@dataclass(slots=True)
class JavaScript:
    """@sigstore/sign and @sigstore/verify."""

    name: ClassVar[str] = "sigstore-js"
    documents: Documents
    home: Path

    def unavailable(self) -> str | None:
        """It needs Node and the packages of js/package.json."""
        if self.node() is None:
            return "node is not installed (make conformance-clients)"
        if not (TOOLS / "js" / "node_modules" / "@sigstore").is_dir():
            return "the npm packages are not installed (make conformance-clients)"
        return None

    def node(self) -> str | None:
        """Return where Node is."""
        linked = TOOLS / "bin" / "node"
        return str(linked) if linked.exists() else shutil.which("node")

    def _run(self, **request: object) -> dict[str, Any]:
        node = self.node() or "node"
        request = {key: str(value) if isinstance(value, Path) else value for key, value in request.items()}
        environment = {"SIGSTORE_JS": str(TOOLS / "js")}
        script = str(HERE / "js" / "client.cjs")
        answer: dict[str, Any] = json.loads(run([node, script], self.home, stdin=json.dumps(request), env=environment))
        return answer

    def sign_blob(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Sign a file."""
        config = self.documents.signing_config
        self._run(verb="sign-blob", file=file, bundle=bundle, token=signer.token, signing_config=config)

    def sign_statement(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Sign a statement."""
        self.home.mkdir(parents=True, exist_ok=True)
        statement = self.home / "statement.json"
        statement.write_bytes(statement_about(file))
        config = self.documents.signing_config
        token = signer.token
        kind = IN_TOTO
        self._run(
            verb="sign-statement", file=statement, bundle=bundle, token=token, signing_config=config, payload_type=kind
        )

    def _verify(self, file: Path, bundle: Path, signer: Signer) -> dict[str, Any]:
        root = self.documents.trusted_root
        identity = signer.identity
        return self._run(
            verb="verify", file=file, bundle=bundle, trusted_root=root, identity=identity, issuer=signer.issuer
        )

    def verify_blob(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Verify by identity."""
        self._verify(file, bundle, signer)

    def verify_statement(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Verify by identity; the library leaves it to its caller to compare the subject."""
        payload = json.loads(base64.b64decode(self._verify(file, bundle, signer)["payload"]))
        wanted = json.loads(statement_about(file))["subject"][0]["digest"]["sha256"]
        if wanted not in {subject["digest"]["sha256"] for subject in payload["subject"]}:
            raise RefusedError("the statement is about something else")


@dataclass(slots=True)
class Cosign:
    """Cosign 3."""

    name: ClassVar[str] = "cosign"
    documents: Documents
    home: Path

    def unavailable(self) -> str | None:
        """It is built from the Go module proxy."""
        return None if self.binary() else "cosign is not installed (make conformance-clients, needs Go)"

    def binary(self) -> str | None:
        """Return where cosign is."""
        built = TOOLS / "bin" / "cosign"
        return str(built) if built.is_file() else shutil.which("cosign")

    def run(self, *arguments: str) -> str:
        """Run cosign."""
        return run([self.binary() or "cosign", *arguments], self.home, env={"COSIGN_YES": "true"})

    def signing(self, signer: Signer) -> list[str]:
        """Return the flags with which it signs."""
        token = self.home / "token"
        self.home.mkdir(parents=True, exist_ok=True)
        token.write_text(signer.token, encoding="ascii")
        return [
            *("--signing-config", str(self.documents.signing_config)),
            *("--trusted-root", str(self.documents.trusted_root)),
            *("--identity-token", str(token)),
            "--yes",
        ]

    def verifying(self, signer: Signer) -> list[str]:
        """Return the flags with which it verifies."""
        return [
            *("--trusted-root", str(self.documents.trusted_root)),
            *("--certificate-identity", signer.identity),
            *("--certificate-oidc-issuer", signer.issuer),
        ]

    def sign_blob(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Sign a file."""
        self.run("sign-blob", *self.signing(signer), "--bundle", str(bundle), str(file))

    def sign_statement(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Sign a statement; one that cosign makes of a predicate is v0.1, which sigstore-python does not read."""
        flags = self.signing(signer)
        statement = self.home / "statement.json"
        statement.write_bytes(statement_about(file))
        self.run("attest-blob", *flags, "--statement", str(statement), "--bundle", str(bundle))

    def verify_blob(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Verify by identity."""
        self.run("verify-blob", *self.verifying(signer), "--bundle", str(bundle), str(file))

    def verify_statement(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Verify by identity and predicate type."""
        flags = [*self.verifying(signer), "--type", "slsaprovenance1"]
        self.run("verify-blob-attestation", *flags, "--bundle", str(bundle), str(file))


@dataclass(slots=True)
class Ours:
    """Chainward's own command line, with the same documents as the others."""

    name: ClassVar[str] = "chainward"
    documents: Documents
    home: Path

    def unavailable(self) -> str | None:
        """It is here."""
        return None

    def run(
        self, *arguments: str, token: str | None = None, url: str | None = None, platform_token: str | None = None
    ) -> str:
        """Run our command line; ``token`` is an identity token, ``platform_token`` one of the platform at ``url``."""
        given = {
            "CHAINWARD_IDENTITY_TOKEN": token,
            "CHAINWARD_URL": url,
            "CHAINWARD_TOKEN": platform_token,
        }
        env = {name: value for name, value in given.items() if value is not None}
        return run([str(Path(sys.executable).with_name("chainward")), *arguments], self.home, env=env)

    def _signing(self) -> list[str]:
        signing, root = self.documents.signing_config, self.documents.trusted_root
        return ["--signing-config", str(signing), "--trusted-root", str(root)]

    def sign_blob(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Sign a file."""
        self.run("sign", str(file), "--bundle", str(bundle), *self._signing(), token=signer.token)

    def sign_statement(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Sign a statement."""
        self.home.mkdir(parents=True, exist_ok=True)
        statement = self.home / "statement.json"
        statement.write_bytes(statement_about(file))
        self.run("sign", str(statement), "--in-toto", "--bundle", str(bundle), *self._signing(), token=signer.token)

    def verify_blob(self, file: Path, bundle: Path, signer: Signer) -> None:
        """Verify by identity."""
        who = ["--identity", signer.identity, "--issuer", signer.issuer]
        root = ["--trusted-root", str(self.documents.trusted_root)]
        self.run("verify", str(file), "--bundle", str(bundle), *root, *who)

    verify_statement = verify_blob


CLIENTS: Final = (Python, JavaScript, Cosign, Ours)
