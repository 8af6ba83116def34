"""Where identity tokens come from: variables, files, the endpoints and tools of CI systems, projected volumes.

The order is fixed, the more explicit first; the first source that is present decides, also when it fails:

1. ``CHAINWARD_IDENTITY_TOKEN``: a token, given by whoever runs this;
2. ``SIGSTORE_ID_TOKEN``: the same under the name that Sigstore clients share (GitLab sets it by ``id_tokens``);
3. GitHub Actions: ``ACTIONS_ID_TOKEN_REQUEST_URL`` and ``…_TOKEN``, set for jobs with ``id-token: write``;
4. Buildkite: ``buildkite-agent oidc request-token``;
5. CircleCI: ``circleci run oidc get``;
6. Kubernetes: a projected service account token at ``CHAINWARD_KUBERNETES_TOKEN_FILE``, else where cosign looks;
7. SPIFFE: a JWT-SVID that a helper keeps fresh at ``CHAINWARD_SPIFFE_TOKEN_FILE``.

A token is never logged, never an argument of a child, and goes to nobody but the caller. What a source answers in error
is not repeated: it may hold secrets.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from chainward.adapters.process import output_of
from chainward.formats.codec import decode_json
from chainward.kernel.problem import Problem
from chainward.trust.ambient import MAX_TOKEN
from chainward.trust.errors import IdentityTokenUnobtainable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chainward.trust.ambient import AmbientSource

__all__ = ["ambient_sources", "read_token_file"]

_COSIGN_FILE: Final = Path("/var/run/sigstore/cosign/oidc-token")
_ANSWER_LIMIT: Final = 64 * 1024
_SECONDS: Final = 30.0
_OWN: Final = "CHAINWARD_"
_OK: Final = 200


def ambient_sources(environment: Mapping[str, str], *, kubernetes: Path = _COSIGN_FILE) -> tuple[AmbientSource, ...]:
    """Return every source that is known, in the order in which they are asked."""
    return (
        _Variable("CHAINWARD_IDENTITY_TOKEN", environment),
        _Variable("SIGSTORE_ID_TOKEN", environment),
        _GitHub(environment),
        _Tool("Buildkite", "BUILDKITE", ("buildkite-agent", "oidc", "request-token", "--audience"), environment),
        _CircleCi("CircleCI", "CIRCLECI", ("circleci", "run", "oidc", "get", "--claims"), environment),
        _File("Kubernetes", "CHAINWARD_KUBERNETES_TOKEN_FILE", environment, kubernetes),
        _File("SPIFFE", "CHAINWARD_SPIFFE_TOKEN_FILE", environment),
    )


def read_token_file(path: Path) -> str:
    """Return the token in a file; raises IdentityTokenUnobtainable."""
    try:
        with path.open("rb") as handle:
            content = handle.read(MAX_TOKEN + 1)
        text = content.decode("ascii").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise IdentityTokenUnobtainable(f"the identity token in {path} cannot be read: {why}") from None
    if not text or len(content) > MAX_TOKEN:
        raise IdentityTokenUnobtainable(f"{path} does not hold an identity token")
    return text


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable that holds the token itself; for which audience was decided by whoever set it."""

    name: str
    environment: Mapping[str, str] = field(repr=False)

    @property
    def is_present(self) -> bool:
        return bool(self.environment.get(self.name, "").strip())

    def obtain(self, audience: str) -> str:
        del audience
        return self.environment[self.name].strip()


@dataclass(frozen=True, slots=True)
class _File:
    """A file that something else keeps fresh; ``usual`` is where it lies when no variable names another place."""

    name: str
    variable: str
    environment: Mapping[str, str] = field(repr=False)
    usual: Path | None = None

    @property
    def is_present(self) -> bool:
        return bool(self.environment.get(self.variable)) or (self.usual is not None and self.usual.is_file())

    def obtain(self, audience: str) -> str:
        del audience
        named = self.environment.get(self.variable)
        place = Path(named) if named else self.usual
        if place is None:
            raise IdentityTokenUnobtainable(f"{self.variable} names no file")
        return read_token_file(place)


class _Told(msgspec.Struct, frozen=True):
    """What the token endpoint of GitHub Actions answers."""

    value: str


@dataclass(frozen=True, slots=True)
class _GitHub:
    """The endpoint that GitHub Actions gives to a job with the permission ``id-token: write``."""

    environment: Mapping[str, str] = field(repr=False)
    name: str = "GitHub Actions"

    @property
    def is_present(self) -> bool:
        return self.environment.get("GITHUB_ACTIONS") == "true" or "ACTIONS_ID_TOKEN_REQUEST_URL" in self.environment

    def obtain(self, audience: str) -> str:
        from chainward.adapters.exchange import Exchange

        url, secret = (self.environment.get(f"ACTIONS_ID_TOKEN_REQUEST_{part}", "") for part in ("URL", "TOKEN"))
        if not url or not secret or not secret.isascii() or not secret.isprintable():
            raise IdentityTokenUnobtainable(
                "this job of GitHub Actions may not ask for an identity token",
                hint="Give the job `permissions:` with `id-token: write`; jobs for forks never have it.",
            )
        target = f"{url}{'&' if '?' in url else '?'}audience={quote(audience, safe='')}"
        headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json"}
        try:
            with Exchange(seconds=_SECONDS) as exchange:
                answer = exchange.ask("GET", target, limit=_ANSWER_LIMIT, headers=headers)
            told = (
                decode_json(answer.content, _Told, limit=_ANSWER_LIMIT, what="answer") if answer.status == _OK else None
            )
        except Problem as problem:
            raise IdentityTokenUnobtainable(f"GitHub Actions gives no identity token: {problem.code}") from None
        if told is None:
            raise IdentityTokenUnobtainable(f"GitHub Actions answered {answer.status} instead of an identity token")
        return told.value


@dataclass(frozen=True, slots=True)
class _Tool:
    """A tool of a CI system that prints a token; it gets the environment that the CI system made for it."""

    name: str
    flag: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)

    @property
    def is_present(self) -> bool:
        return self.environment.get(self.flag) == "true"

    def obtain(self, audience: str) -> str:
        passed = {name: value for name, value in self.environment.items() if not name.startswith(_OWN)}
        argv = (*self.argv, self._audience(audience))
        try:
            status, output = output_of(argv, passed, seconds=_SECONDS, limit=_ANSWER_LIMIT)
            text = output.decode("ascii").strip()
        except (Problem, UnicodeDecodeError) as error:
            raise IdentityTokenUnobtainable(
                f"{self.name}: {error if isinstance(error, Problem) else 'no text'}"
            ) from None
        if status != 0 or not text:
            raise IdentityTokenUnobtainable(
                f"{self.name}: `{' '.join(self.argv[:-1])}` ended with status {status} and gave no token"
            )
        return text

    def _audience(self, audience: str) -> str:
        return audience


class _CircleCi(_Tool):
    """The same, but the audience is one of the claims that are asked for."""

    __slots__ = ()

    def _audience(self, audience: str) -> str:
        return json.dumps({"aud": audience})
