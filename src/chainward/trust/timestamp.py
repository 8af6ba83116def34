"""The timestamp authority: says that a digest existed now, with the key of the active instance (RFC 3161).

In: a request. Out: the reply in DER: a granted token, or a Problem. Tokens are as Sigstore's clients and openssl take
them: ECDSA, whole seconds with an accuracy of one, certificates if they were asked for, the nonce of the request, a
serial number of 159 random bits.

A timestamp is worth what the clock is worth. So the clock is held against what is known to be past: the newest token of
this process, and the last instant at which any replica made a log grow. A clock that is behind either by more than the
accuracy stamps nothing until it caught up; within it, time stands still rather than going back.

Which instance is active is asked of the authorities once a second and remembered, with its opened signer. A retired
instance has a grace of a minute, so what is signed in that second still counts; see ADR 5.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.hazmat.primitives.serialization import Encoding

from chainward.formats.errors import TimestampRequestInvalid
from chainward.formats.rfc3161 import Accuracy, Failure, TimestampInfo, TokenWriter
from chainward.keys.certificate import read_certificate
from chainward.keys.local import PrivateKey
from chainward.trust.authority import Authority, AuthorityKind
from chainward.trust.errors import TimestampUnavailable
from chainward.trust.timestamp_chain import random_serial

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.formats.rfc3161 import TimestampRequest
    from chainward.kernel.entropy import Entropy
    from chainward.kernel.instant import Clock
    from chainward.keys.ports import DigestSigner

__all__ = ["POLICY", "Instances", "Timestamps"]

POLICY: Final = "1.3.6.1.4.1.57264.2"
"""The policy that Sigstore's authorities state, and the only one that a request may ask for."""

_ACCURACY: Final = Accuracy(seconds=1)
_TOLERANCE: Final = _ACCURACY.span
_REMEMBERED: Final = timedelta(seconds=1)


class Instances(Protocol):
    """Which authority is active, and who signs for it. Any thread may ask."""

    def active(self, kind: AuthorityKind) -> Authority:
        """Return the instance that signs new things; raises AuthorityMissing."""
        ...

    def signer(self, name: str) -> DigestSigner:
        """Return the signer of an instance; raises AuthorityUnknown or KeySealed."""
        ...


@dataclass(frozen=True, slots=True)
class _Active:
    """The active instance as it was asked for at ``asked``; stamps between ``not_before`` and ``not_after``."""

    authority: Authority
    signer: DigestSigner
    writer: TokenWriter
    not_before: datetime
    not_after: datetime
    asked: datetime


class Timestamps:
    """The timestamp authority of this platform. Thread-safe.

    ``known`` gives the latest instant that is known to be past, whichever replica noted it.
    """

    def __init__(self, instances: Instances, clock: Clock, entropy: Entropy, known: Callable[[], datetime]) -> None:
        self._instances = instances
        self._clock = clock
        self._entropy = entropy
        self._known = known
        self._lock = threading.Lock()
        self._newest: datetime | None = None
        self._active: _Active | None = None

    @property
    def is_ready(self) -> bool:
        """Whether :meth:`issue` answers without waiting: nobody needs to be asked, and the key is in this process."""
        active = self._remembered()
        return active is not None and isinstance(active.signer, PrivateKey)

    def issue(self, request: TimestampRequest) -> bytes:
        """Return the reply (DER) with a token that says that the digest of ``request`` existed now.

        Raises:
            TimestampRequestInvalid: it asks for another policy than this authority's.
            TimestampUnavailable: the clock is behind what is known to be past, or the certificate is over.
            AuthorityMissing: there is no timestamp authority now.
            KeySealed: its key does not open here.
        """
        if request.policy not in {None, POLICY}:
            raise TimestampRequestInvalid(f"the only policy here is {POLICY}", Failure.UNACCEPTED_POLICY)
        active = self._remembered() or self._asked()
        info = TimestampInfo(
            hash_name=request.hash_name,
            digest=request.digest,
            gen_time=self._time(active),
            serial=random_serial(self._entropy),
            policy=POLICY,
            nonce=request.nonce,
            accuracy=_ACCURACY,
        )
        return active.writer.encode_response(info, active.signer.sign, certificates=request.certificates)

    def certificates(self) -> bytes:
        """Return the certificates of the active instance in PEM, its own first; raises AuthorityMissing."""
        chain = self._instances.active(AuthorityKind.TSA).certificates
        return b"".join(read_certificate(each).public_bytes(Encoding.PEM) for each in chain)

    def _remembered(self) -> _Active | None:
        active = self._active
        if active is not None and timedelta() <= self._clock.now() - active.asked < _REMEMBERED:
            return active
        return None

    def _asked(self) -> _Active:
        asked = self._clock.now()
        known = self._known()
        authority = self._instances.active(AuthorityKind.TSA)
        active = self._active
        if active is not None and active.authority == authority:
            active = replace(active, asked=asked)
        else:
            active = _opened(authority, self._instances.signer(authority.name), asked)
        with self._lock:
            self._active = active
            self._newest = known if self._newest is None else max(known, self._newest)
        return active

    def _time(self, active: _Active) -> datetime:
        """Return the present in whole seconds, never before the last one that was given."""
        now = self._clock.now()
        with self._lock:
            newest = now if self._newest is None else self._newest
            if now < newest - _TOLERANCE:
                raise TimestampUnavailable(
                    f"the clock says {now:%Y-%m-%dT%H:%M:%SZ}, and {newest:%Y-%m-%dT%H:%M:%SZ} is already past"
                )
            self._newest = newest = max(now, newest)
        gen_time = newest.replace(microsecond=0)
        if not active.not_before <= gen_time <= active.not_after:
            raise TimestampUnavailable(
                f"the certificate of {active.authority.name} counts from {active.not_before} to {active.not_after}",
                hint="Rotate the timestamp authority: chainward trust rotate tsa.",
            )
        return gen_time


def _opened(authority: Authority, signer: DigestSigner, asked: datetime) -> _Active:
    leaf = read_certificate(authority.certificates[0])
    return _Active(
        authority,
        signer,
        TokenWriter(authority.certificates, authority.public_key.hash_name),
        max(authority.start, leaf.not_valid_before_utc),
        leaf.not_valid_after_utc,
        asked,
    )
