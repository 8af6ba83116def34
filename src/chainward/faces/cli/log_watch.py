"""What a monitor of a log is told on the command line: the keys of the log, what to watch for, where else to look."""

from __future__ import annotations

import hashlib
import re
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from chainward import workbench
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chainward.formats.note import VerifierKey
    from chainward.trust.watch import Watch

__all__ = ["LogNotNamed", "keys_of", "vantage_points", "watch_options"]

_ROOT_LIMIT = 4 << 20
_EXPECTED_LIMIT = 64 << 20
_FINGERPRINT = re.compile(r"sha256:[0-9a-f]{64}\Z")
_MARK = re.compile(r"(?:sha256|sha384|sha512|leaf|serial):[0-9a-f]{1,128}\Z")


class LogNotNamed(Problem):
    """It is not clear which log to watch, or which key it has."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "log-not-named"
    hint = "Give --key with a verifier key, or --trusted-root and the --origin of a log in it."


def watch_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what is watched for; the command gets it as one Watcher named ``watcher``."""

    @click.option("--identity", "identities", multiple=True, help="Watch for this subject of certificates; repeatable.")
    @click.option(
        "--identity-regex", "patterns", multiple=True, help="Watch for subjects that fit as a whole; repeatable."
    )
    @click.option("--issuer", help="Watch only for identities that this issuer vouches for.")
    @click.option("--issuer-regex", help="Watch only for identities of issuers that fit as a whole.")
    @click.option(
        "--watch-key", "watch_keys", multiple=True, help="Watch for a public key: PEM file or sha256:…; repeatable."
    )
    @click.option(
        "--expected",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File of entries that are expected: sha256:… of what was signed, leaf:… or serial:…, one a line.",
    )
    @wraps(command)
    def with_watcher(
        *,
        identities: tuple[str, ...],
        patterns: tuple[str, ...],
        issuer: str | None,
        issuer_regex: str | None,
        watch_keys: tuple[str, ...],
        expected: Path | None,
        **rest: object,
    ) -> None:
        from chainward.trust.watch import Watcher

        watches = [*_identity_watches(identities, patterns, issuer, issuer_regex), *map(_key_watch, watch_keys)]
        command(watcher=Watcher(tuple(watches), _marks(expected)), **rest)

    return with_watcher


def keys_of(keys: Sequence[str], trusted_root: Path | None, origin: str | None) -> tuple[str, tuple[VerifierKey, ...]]:
    """Return the origin of the log to watch and its keys: those that are given, or those of a trusted root.

    Raises:
        LogNotNamed: neither says which log.
    """
    from chainward.formats.note import VerifierKey

    known = tuple(VerifierKey.parse(workbench.key_text(text)) for text in keys)
    if trusted_root is not None:
        known += tuple(_root_keys(trusted_root, origin))
    names = {key.name for key in known}
    if not known or (origin is None and len(names) != 1):
        raise LogNotNamed(f"the keys that were given are those of {', '.join(sorted(names)) or 'no log'}")
    return origin or known[0].name, known


def vantage_points(also: Sequence[str], witnesses: Sequence[str], origin: str) -> tuple[tuple[str, str], ...]:
    """Return the places where the same log is shown, and the URLs of its checkpoint there."""
    name = hashlib.sha256(origin.encode()).hexdigest()
    mirrors = [(url, f"{url.rstrip('/')}/checkpoint") for url in also]
    return (*mirrors, *((f"witness {url}", f"{url.rstrip('/')}/{name}/checkpoint") for url in witnesses))


def _root_keys(path: Path, origin: str | None) -> list[VerifierKey]:
    from chainward.formats.trusted_root import decode_trusted_root
    from chainward.keys.model import PublicKey
    from chainward.ledger.cosign import verifier_of

    root = decode_trusted_root(workbench.read_bytes(path, _ROOT_LIMIT))
    logs = [log for log in (*root.logs, *root.ct_logs) if origin in {None, log.origin}]
    return [verifier_of(log.origin, PublicKey.from_der(log.public_key_der)) for log in logs]


def _identity_watches(
    identities: tuple[str, ...], patterns: tuple[str, ...], issuer: str | None, issuer_regex: str | None
) -> list[Watch]:
    from chainward.trust.identity import IdentityMatch
    from chainward.trust.match import described
    from chainward.trust.watch import Watch

    if issuer is None and issuer_regex is None:
        issuer_regex = ".*"
    elif not identities and not patterns:
        patterns = (".*",)
    matches = [IdentityMatch(subject=each, issuer=issuer, issuer_regex=issuer_regex) for each in identities]
    matches += [IdentityMatch(subject_regex=each, issuer=issuer, issuer_regex=issuer_regex) for each in patterns]
    return [Watch(described(match), match) for match in matches]


def _key_watch(text: str) -> Watch:
    from chainward.trust.watch import Watch

    if _FINGERPRINT.match(text):
        return Watch(f"key {text}", fingerprint=text.removeprefix("sha256:"))
    key = workbench.read_public_key(Path(text))
    return Watch(f"key {text}", fingerprint=key.fingerprint)


def _marks(path: Path | None) -> frozenset[str]:
    if path is None:
        return frozenset()
    lines = workbench.read_bytes(path, _EXPECTED_LIMIT).decode("utf-8", "replace").splitlines()
    words = [line.partition("#")[0].strip() for line in lines]
    for number, word in enumerate(words, 1):
        if word and _MARK.match(word) is None:
            raise click.BadParameter(f"{path}:{number}: {word[:80]!r} is not sha256:…, leaf:… or serial:… in hex")
    return frozenset(filter(None, words))
