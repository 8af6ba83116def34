"""What this machine believes of a platform: its trust documents, by way of TUF, from a root that was pinned once.

In: the address of a platform, and a folder of this machine. Out: the trusted root that the platform's trust keys vouch
for now. Where services say who they are in the same breath as what they did, whoever took the address over is believed
by everybody. So the first root of trust that was met at an address (or better, one that was given) stays: everything
later must follow from it by The Update Framework, also new keys and a new root. A stranger at the address is found out
the first time, a fallen one as soon as the operator has rotated the keys.

The metadata that was verified last is kept. If the platform still gives the same, nothing is verified anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import urlsplit

import msgspec

from chainward.adapters.exchange import ServiceAnswerUnexpected, ServiceUnreachable
from chainward.adapters.remote import AnswerUnexpected, PlatformUnreachable
from chainward.formats.codec import decode_json
from chainward.kernel.instant import parse_instant
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from chainward.adapters.exchange import Exchange

__all__ = ["PinnedTrust", "TrustExpired", "TrustFolderUnusable", "TrustPinBroken", "folder_name"]

_LIMIT: Final = 5_000_000
_PIN: Final = "pinned.root.json"
_ROLES: Final = ("root", "timestamp", "snapshot", "targets")
_TRUSTED_ROOT: Final = "trusted_root.json"
_ABSENT: Final = frozenset({403, 404})
_OK: Final = 200
_PRIVATE: Final = 0o700
_SHORT: Final = 16
_ODD: Final = re.compile(r"[^A-Za-z0-9.-]")


class TrustPinBroken(Problem):
    """What a platform says about its keys does not follow from the root of trust that was pinned here."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "trust-pin-broken"
    hint = "Somebody else may answer at this address. Only if you know that the platform was made anew: remove the pin."


class TrustExpired(Problem):
    """The trust documents of the platform are past their date: it stands still, or somebody replays old ones."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "trust-expired"
    hint = "The platform renews its trust documents while it runs; ask its operator, and check the clock here."


class TrustFolderUnusable(Problem):
    """The folder where pinned roots of trust are kept cannot be used."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "trust-folder-unusable"
    hint = "Name a folder of your own with CHAINWARD_TRUST_FOLDER, or give --trusted-root."


@dataclass(frozen=True, slots=True)
class _Kept:
    """Metadata that was verified and kept: its bytes, version, and until when it counts."""

    content: bytes
    version: int
    expires: datetime


class _WireSigned(msgspec.Struct, frozen=True):
    version: int
    expires: str


class _WireMetadata(msgspec.Struct, frozen=True):
    signed: _WireSigned


class PinnedTrust:
    """The trust documents of one platform. ``pinned`` is called with the fingerprint of a root that is pinned anew."""

    def __init__(self, url: str, folder: Path, exchange: Exchange, pinned: Callable[[str], None]) -> None:
        self._url = f"{url.rstrip('/')}/tuf/"
        self._folder = folder
        self._exchange = exchange
        self._pinned = pinned

    def trusted_root(self, now: datetime, *, root: bytes | None = None) -> bytes:
        """Return the platform's trusted root; ``root`` is a TUF root to begin with instead of the one met first.

        Raises:
            TrustPinBroken: what the platform gives does not follow from the root that is believed.
            TrustExpired: it is past its date.
            TrustFolderUnusable: the folder cannot be used.
            PlatformUnreachable, AnswerUnexpected: the platform does not answer, or gives no trust documents.
        """
        try:
            if root is not None:  # what followed from another root is not looked at
                self._folder /= hashlib.sha256(root).hexdigest()[:_SHORT]
            self._folder.mkdir(parents=True, exist_ok=True, mode=_PRIVATE)
            with _locked(self._folder):
                self._update(now, root)
                return (self._folder / _TRUSTED_ROOT).read_bytes()
        except OSError as error:
            raise TrustFolderUnusable(f"{self._folder}: {error.strerror or type(error).__name__}") from error

    def _update(self, now: datetime, given: bytes | None) -> None:
        pin = self._folder / _PIN
        if pin.is_file():
            if not (self._folder / _TRUSTED_ROOT).is_file() or not self._is_current(now):
                self._refresh(pin.read_bytes())
            return
        first = given or self._get("1.root.json")
        if first is None:
            raise AnswerUnexpected(f"{self._url} gives no root of trust")
        _check_root(first, self._url)
        self._refresh(first)
        pin.write_bytes(first)  # only now: what leads nowhere would be believed for ever
        if given is None:
            self._pinned(hashlib.sha256(first).hexdigest())

    def _is_current(self, now: datetime) -> bool:
        """Whether the platform still gives what was verified last: the same timestamp, and no newer root."""
        kept = {role: self._kept(role) for role in _ROLES}
        root, timestamp = kept["root"], kept["timestamp"]
        if root is None or timestamp is None or any(each is None or each.expires <= now for each in kept.values()):
            return False
        return self._get(f"{root.version + 1}.root.json") is None and self._get("timestamp.json") == timestamp.content

    def _kept(self, role: str) -> _Kept | None:
        try:
            content = (self._folder / f"{role}.json").read_bytes()
            signed = decode_json(content, _WireMetadata, limit=_LIMIT, what="kept metadata").signed
            return _Kept(content, signed.version, parse_instant(signed.expires))
        except (OSError, Problem):
            return None

    def _refresh(self, first: bytes) -> None:
        """Let the TUF client follow the platform from the first root to now."""
        from tuf.api.exceptions import DownloadError, DownloadHTTPError, ExpiredMetadataError, RepositoryError
        from tuf.ngclient.fetcher import FetcherInterface
        from tuf.ngclient.updater import Updater

        outer = self

        class Fetcher(FetcherInterface):
            """Fetches by our own client, with its limits."""

            def _fetch(self, url: str) -> Iterator[bytes]:
                content = outer._get(url.removeprefix(outer._url))
                if content is None:
                    raise DownloadHTTPError("not found", 404)
                return iter((content,))

        try:
            folder = str(self._folder)
            updater = Updater(folder, self._url, folder, f"{self._url}targets/", Fetcher(), bootstrap=first)
            info = updater.get_targetinfo(_TRUSTED_ROOT)
            if info is None:
                raise AnswerUnexpected(f"{self._url} vouches for no {_TRUSTED_ROOT}")
            updater.download_target(info, str(self._folder / _TRUSTED_ROOT))
        except ExpiredMetadataError as error:
            raise TrustExpired(f"the trust documents of {self._url} have expired: {error}") from error
        except RepositoryError as error:
            raise TrustPinBroken(
                f"the trust documents of {self._url} do not follow from the root that was pinned: {error}",
                details={"pin": str(self._folder)},
            ) from error
        except DownloadError as error:
            raise _unreached(error, self._url) from error

    def _get(self, name: str) -> bytes | None:
        try:
            answer = self._exchange.ask("GET", self._url + name, limit=_LIMIT)
        except ServiceUnreachable as problem:
            raise PlatformUnreachable(problem.message) from None
        except ServiceAnswerUnexpected as problem:
            raise AnswerUnexpected(problem.message) from None
        if answer.status in _ABSENT:
            return None
        if answer.status != _OK:
            raise PlatformUnreachable(f"{answer.url} answered {answer.status}")
        return answer.content


def folder_name(url: str) -> str:
    """Return the name of the folder for what is believed of the platform at ``url``.

    >>> folder_name("https://Registry.example.org:8443/")
    'https_registry.example.org_8443'
    """
    parts = urlsplit(url)
    return _ODD.sub("_", f"{parts.scheme}_{parts.netloc.lower()}")


def _check_root(content: bytes, url: str) -> None:
    """Refuse to pin what cannot be a root: an error page would be believed for ever."""
    try:
        decode_json(content, _WireMetadata, limit=_LIMIT, what="root of trust")
    except Problem as problem:
        raise AnswerUnexpected(f"{url} gives no root of trust: {problem.message}") from None


def _unreached(error: BaseException, url: str) -> Problem:
    """Return our own Problem that the TUF client wrapped, or one of that meaning."""
    cause = error.__cause__
    if isinstance(cause, Problem):
        return cause
    return PlatformUnreachable(f"{url} does not give its trust documents: {error}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder, so that two commands do not update it at once."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
