"""Uploading blobs: in one request or in chunks, or by mounting one that another repository has.

OCI distribution-spec 1.1.1, "Pushing Blobs". An upload belongs to one repository and one caller and expires; its bytes
are hashed as they arrive and are durable before the blob becomes visible. What was received when a client vanished is
kept, so that it can go on; what contradicts its announced length is dropped.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from chainward.kernel.digest import DigestMismatch
from chainward.kernel.identity import PLATFORM, Context
from chainward.registry.errors import (
    BlobTooLarge,
    UploadBusy,
    UploadLengthWrong,
    UploadRangeWrong,
    UploadUnknown,
)
from chainward.registry.model import Limits, UploadSession
from chainward.registry.writes import EndUpload, KeepBlob, StartUpload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from chainward.kernel.digest import Digest
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock
    from chainward.kernel.name import RepositoryName
    from chainward.ledger.commit import Ledger
    from chainward.registry.ports import RegistryStore, UploadStore

__all__ = ["Reception", "Span", "Uploader"]

_ID_SIZE: Final = 16
_SWEEP: Final = 100
_SWEEPS_PER_LIFETIME: Final = 48


@dataclass(frozen=True, slots=True)
class Span:
    """Where a chunk belongs: its first byte, and how many bytes it has; None where the request did not say."""

    start: int | None = None
    length: int | None = None


class Reception:
    """The body of one request on its way into an upload. One request feeds it, and closes it at its end."""

    def __init__(
        self, files: UploadStore, upload: str, start: int, length: int | None, limit: int, release: Callable[[], None]
    ) -> None:
        if length is not None and start + length > limit:
            raise _too_large(start + length, limit)
        self._files = files
        self._length = length
        self._limit = limit
        self._release = release
        self.upload = upload
        self.start = start
        self.size = start

    def write(self, chunks: Sequence[bytes]) -> None:
        """Take in what arrived, in order.

        Raises:
            BlobTooLarge: the upload would become larger than blobs may be.
            UploadLengthWrong: more arrived than was announced; nothing of this request is kept.
        """
        size = self.size + sum(map(len, chunks))
        if size > self._limit:
            raise _too_large(size, self._limit)
        if self._length is not None and size - self.start > self._length:
            self._drop(size)
        self.size = self._files.append(self.upload, self.size, chunks)

    def complete(self) -> None:
        """Say that the body is at its end; raises UploadLengthWrong when it is shorter than announced."""
        if self._length is not None and self.size - self.start != self._length:
            self._drop(self.size)

    def close(self) -> None:
        """Let the upload go; what arrived stays for the next chunk."""
        self._release()

    def _drop(self, size: int) -> None:
        self._files.cut(self.upload, self.start)
        self.size = self.start
        raise UploadLengthWrong(f"{self._length} bytes were announced, {size - self.start} arrived")


class Uploader:
    """Takes blobs in. Thread-safe; one request at a time for each upload, over all replicas."""

    def __init__(
        self,
        store: RegistryStore,
        files: UploadStore,
        ledger: Ledger,
        clock: Clock,
        entropy: Entropy,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self._store = store
        self._files = files
        self._ledger = ledger
        self._clock = clock
        self._entropy = entropy
        self._limits = limits
        self._lock = threading.Lock()
        self._next_sweep: datetime | None = None

    def start(self, repository: RepositoryName, context: Context) -> UploadSession:
        """Begin an upload in chunks."""
        self._sweep_now_and_then()
        now = self._clock.now()
        expires_at = now + self._limits.upload_lifetime
        session = UploadSession(self._new_id(), repository, context.actor.name, now, expires_at)
        self._files.create(session.id)
        try:
            self._ledger.commit((), (StartUpload(session),), context=context)
        except BaseException:
            self._files.abort(session.id)
            raise
        return session

    def received(self, repository: RepositoryName, upload: str, context: Context) -> int:
        """Return how many bytes of an upload were received; raises UploadUnknown."""
        return self._files.size(self._session(repository, upload, context).id)

    def receive(self, repository: RepositoryName, upload: str, span: Span, context: Context) -> Reception:
        """Take in one chunk of an upload; the caller closes what it gets.

        Raises:
            UploadUnknown: there is no such upload for this repository and caller, or it expired.
            UploadBusy: another request is writing to it.
            UploadRangeWrong: the chunk does not begin where the upload ends.
            BlobTooLarge: the chunk is announced to be too large.
        """
        session = self._session(repository, upload, context)
        release = self._files.hold(session.id)
        try:
            size = self._files.size(session.id)
            _check_start(span, session, size)
            return Reception(self._files, session.id, size, span.length, self._limits.blob, release)
        except BaseException:
            release()
            raise

    def receive_whole(self, length: int | None) -> Reception:
        """Take in a blob that comes in one request; closing it drops what :meth:`keep` did not make a blob of."""
        upload = self._new_id()
        release = partial(self._files.abort, upload)
        reception = Reception(self._files, upload, 0, length, self._limits.blob, release)
        self._files.create(upload)
        return reception

    def keep(self, repository: RepositoryName, reception: Reception, digest: Digest, context: Context) -> None:
        """Make what :meth:`receive_whole` took in a blob of ``repository``; raises DigestMismatch."""
        self._keep(repository, reception.upload, digest, None, context)

    def finish(self, repository: RepositoryName, upload: str, digest: Digest, context: Context) -> None:
        """Make an upload a blob of its repository, durably.

        Raises:
            UploadUnknown, UploadBusy: as for :meth:`receive`.
            DigestMismatch: other bytes were received; the upload is dropped.
        """
        session = self._session(repository, upload, context)
        with self._alone(session.id):
            try:
                self._keep(repository, session.id, digest, session.id, context)
            except DigestMismatch:
                self._drop(session.id, context)
                raise

    def cancel(self, repository: RepositoryName, upload: str, context: Context) -> None:
        """Drop an upload; raises UploadUnknown or UploadBusy."""
        session = self._session(repository, upload, context)
        with self._alone(session.id):
            self._drop(session.id, context)

    def expire(self) -> int:
        """Drop uploads whose time is over, and bytes that a crash left without an upload; returns how many."""
        now = self._clock.now()
        context = Context(PLATFORM, "uploads-expire")
        with self._store.view() as view:
            expired = [session.id for session in view.expired_uploads(now, _SWEEP)]
            left = self._files.abandoned(now - self._limits.upload_lifetime)
            orphans = [upload for upload in left if view.upload(upload) is None]
        return sum(self._drop_unless_busy(upload, context) for upload in (*expired, *orphans))

    def _sweep_now_and_then(self) -> None:
        now = self._clock.now()
        with self._lock:
            if self._next_sweep is not None and now < self._next_sweep:
                return
            self._next_sweep = now + self._limits.upload_lifetime / _SWEEPS_PER_LIFETIME
        self.expire()

    def _session(self, repository: RepositoryName, upload: str, context: Context) -> UploadSession:
        with self._store.view() as view:
            session = view.upload(upload)
        if (
            session is None
            or session.repository != repository
            or session.actor != context.actor.name
            or self._clock.now() >= session.expires_at
        ):
            raise UploadUnknown(f"{repository} has no upload {upload[:64]!r} of yours")
        return session

    def _keep(
        self, repository: RepositoryName, upload: str, digest: Digest, session: str | None, context: Context
    ) -> None:
        with self._store.view() as view:
            known = view.any_blob(digest)
        trusted = known.seal if known is not None and not known.is_quarantined else None
        seal = self._files.finish(upload, digest, trusted)
        self._ledger.commit((), (KeepBlob(repository, digest, seal, session),), context=context)

    def _drop_unless_busy(self, upload: str, context: Context) -> bool:
        try:
            with self._alone(upload):
                self._drop(upload, context)
        except UploadBusy:
            return False  # a request that began in time is still writing; the next sweep finds it
        except UploadUnknown:
            self._drop(upload, context)  # its bytes are gone, or have become a blob just before a crash
        return True

    def _drop(self, upload: str, context: Context) -> None:
        self._files.abort(upload)
        self._ledger.commit((), (EndUpload(upload),), context=context)

    @contextmanager
    def _alone(self, upload: str) -> Iterator[None]:
        release = self._files.hold(upload)
        try:
            yield
        finally:
            release()

    def _new_id(self) -> str:
        return self._entropy.bytes(_ID_SIZE).hex()


def _check_start(span: Span, session: UploadSession, size: int) -> None:
    if span.start is not None and span.start != size:
        raise UploadRangeWrong(span.start, size=size, upload=session.id, repository=str(session.repository))


def _too_large(size: int, limit: int) -> BlobTooLarge:
    return BlobTooLarge(f"a blob of {size} bytes or more exceeds the limit of {limit} bytes", details={"limit": limit})
