"""Any Sigstore instance as a client sees it: certificate authority, signature log, timestamp authority.

In: a signing config, which says where the services are, and trust material, which says what is believed of them; the
two never come from each other. Out: the ports of trust, spoken over HTTP: Fulcio's API v2 (``/api/v2/signingCert``),
Rekor's API v2 (``/api/v2/log/entries``), RFC 3161. This platform is one such instance.

Of each kind the newest service counts that is valid now and speaks a version that is known here (selector ``ANY``).
Answers are read up to a limit and checked for their form only: whether they are true is for
:mod:`chainward.trust.keyless` and :mod:`chainward.trust.sign` to say. What a service answers in error is shown, cut,
and without the token, should it repeat that.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from chainward.adapters.exchange import ServiceAnswerUnexpected, ServiceUnreachable
from chainward.adapters.remote_problem import told_problem
from chainward.formats.bundle import MAX_LOG_ENTRY, decode_log_entry
from chainward.formats.codec import decode_json, deterministic_json, encode_base64
from chainward.formats.rekor import encode_entry_request
from chainward.formats.rfc3161 import decode_response
from chainward.formats.signing_config import Service, SigningConfig
from chainward.formats.timestamp_request import TimestampRequest, encode_request
from chainward.kernel.problem import Kind, Problem
from chainward.keys.x509 import certificate_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.adapters.exchange import Answer, Exchange
    from chainward.formats.bundle import LogEntry
    from chainward.formats.rekor import HashedRekord
    from chainward.kernel.entropy import Entropy
    from chainward.keys.ports import DigestSigner
    from chainward.trust.ambient import IdentityToken
    from chainward.trust.material import TrustedAuthority, TrustedLog, TrustMaterial

__all__ = [
    "CertificateAuthority",
    "CertificateRefused",
    "Instance",
    "LogEntryRefused",
    "Possession",
    "ServiceMissing",
    "SigstoreLog",
    "StampRefused",
    "TimestampAuthority",
    "log_at",
    "platform_services",
]

_CHAIN_LIMIT: Final = 256 * 1024
_STAMP_LIMIT: Final = 64 * 1024
_MAX_CHAIN: Final = 10
_NONCE_BYTES: Final = 8
_REASON: Final = 300
_DONE: Final = frozenset({200, 201})
_FROZEN: Final = 405
_SERVER: Final = 500
_VERSION: Final = {"certificate authority": 1, "signature log": 2, "timestamp authority": 1}
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_STAMP: Final = "application/timestamp-reply"
_PROBLEM: Final = "application/problem+json"
_JSON: Final = {"Content-Type": "application/json", "Accept": f"application/json, {_PROBLEM}"}


class CertificateRefused(Problem):
    """The certificate authority does not certify the holder of this identity token."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "certificate-refused"
    hint = "The message is the authority's own; check that it trusts the issuer of the token, and for which audience."


class LogEntryRefused(Problem):
    """The signature log does not take the signature."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "log-entry-refused"
    hint = "The message is the log's own; if its shard is frozen, fetch the signing config of the instance again."


class StampRefused(Problem):
    """The timestamp authority gives no timestamp, or one over something else than was asked about."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "stamp-refused"
    hint = "Ask again; if it happens again, use another timestamp authority."


class ServiceMissing(Problem):
    """The signing config names no service of a kind that is needed, valid now and of a known version."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "service-missing"
    hint = "Fetch the signing config of the instance again; keyless signing needs an authority, a v2 log and a TSA."


class Possession(StrEnum):
    """How a client shows that it holds the key: by a signed request (PKCS #10), or by signing its own name."""

    REQUEST = "request"
    CHALLENGE = "challenge"


class Instance:
    """The services of one instance that count at one moment, and what is believed of them.

    A service is looked for when it is asked for: who signs with a key needs no certificate authority.
    """

    def __init__(
        self,
        config: SigningConfig,
        material: TrustMaterial,
        exchange: Exchange,
        *,
        now: datetime,
        entropy: Entropy,
        secret: str | None = None,
    ) -> None:
        self.material = material
        self._config = config
        self._exchange = exchange
        self._now = now
        self._entropy = entropy
        self._secret = secret

    @property
    def certificates(self) -> CertificateAuthority:
        """The certificate authority; raises ServiceMissing."""
        return CertificateAuthority(self._exchange, self._newest("certificate authority", self._config.ca))

    @property
    def log(self) -> SigstoreLog:
        """The signature log; raises ServiceMissing, also when nothing is believed of any log."""
        url = self._newest("signature log", self._config.logs)
        return SigstoreLog(self._exchange, url, log_at(url, self.material, self._now), secret=self._secret)

    @property
    def stamps(self) -> TimestampAuthority:
        """The timestamp authority; raises ServiceMissing."""
        url = self._newest("timestamp authority", self._config.tsas)
        return TimestampAuthority(self._exchange, url, self.material.timestamp_authorities, self._entropy)

    @property
    def has_stamps(self) -> bool:
        """Whether the config names any timestamp authority: not every instance has one, and a key needs none."""
        return bool(self._config.tsas)

    def _newest(self, kind: str, services: Sequence[Service]) -> str:
        version, now = _VERSION[kind], self._now
        valid = [
            each
            for each in services
            if each.version == version and each.start <= now and (each.end is None or now <= each.end)
        ]
        if not valid:
            raise ServiceMissing(f"the signing config names no {kind} of version {version} that is valid now")
        return max(valid, key=lambda each: each.start).url


def platform_services(url: str) -> SigningConfig:
    """Return where a platform has its services: all below its own address."""
    base = Service(url=url.rstrip("/"), version=1, start=_NEVER, operator="chainward")
    return SigningConfig(
        ca=(base,), logs=(replace(base, version=2),), tsas=(replace(base, url=f"{base.url}/api/v1/timestamp"),)
    )


def log_at(url: str, material: TrustMaterial, now: datetime) -> TrustedLog:
    """Return the trusted log that lives at ``url``, as far as names tell, else the newest one that is valid now.

    Only how a log is called here; which logs an entry may stand in, the material decides. Raises ServiceMissing.
    """
    valid = [log for log in material.logs if log.is_valid_at(now)]
    if not valid:
        raise ServiceMissing("the trusted root names no log that is valid now")
    host = urlsplit(url).hostname
    return max(valid, key=lambda log: (urlsplit(log.base_url).hostname == host, log.start or _NEVER))


class CertificateAuthority:
    """A certificate authority with Fulcio's API v2; implements CertificateSource."""

    def __init__(self, exchange: Exchange, url: str, possession: Possession = Possession.REQUEST) -> None:
        self._exchange = exchange
        self._url = f"{url.rstrip('/')}/api/v2/signingCert"
        self._possession = possession

    def certify(self, token: IdentityToken, signer: DigestSigner) -> tuple[bytes, ...]:
        """Return the certificate of the signer's key for whom ``token`` is about, then those of its issuers.

        Raises:
            CertificateRefused: the authority does not want to.
            ServiceUnreachable, ServiceAnswerUnexpected: it cannot, or answers with something else.
        """
        members = {"credentials": {"oidcIdentityToken": token.reveal()}, **self._shown(token, signer)}
        body = deterministic_json(members)
        answer = self._exchange.ask("POST", self._url, limit=_CHAIN_LIMIT, body=body, headers=_JSON)
        if answer.status not in _DONE:
            raise _refusal(answer, CertificateRefused, token.reveal())
        wire = _decoded(answer, _WireSigned).signed
        if wire is None or not 1 <= len(wire.chain.certificates) <= _MAX_CHAIN:
            raise ServiceAnswerUnexpected(f"{answer.url} answered without a certificate that has its SCT embedded")
        return tuple(_der(pem, answer) for pem in wire.chain.certificates)

    def _shown(self, token: IdentityToken, signer: DigestSigner) -> dict[str, object]:
        if self._possession is Possession.REQUEST:
            return {"certificateSigningRequest": encode_base64(certificate_request(signer))}
        key = {"algorithm": "ECDSA", "content": signer.public_key.pem.decode("ascii")}
        proof = encode_base64(signer.sign(token.challenge.encode()))
        return {"publicKeyRequest": {"publicKey": key, "proofOfPossession": proof}}


class SigstoreLog:
    """A signature log with Rekor's API v2; implements SignatureLog.

    ``log`` is how the caller knows it. ``secret`` is an API token, for logs that do not take entries from everybody.
    """

    def __init__(self, exchange: Exchange, url: str, log: TrustedLog, *, secret: str | None = None) -> None:
        self._exchange = exchange
        self._url = f"{url.rstrip('/')}/api/v2/log/entries"
        self._headers = _JSON | ({"Authorization": f"Bearer {secret}"} if secret else {})
        self.log = log

    def submit(self, entry: HashedRekord) -> LogEntry:
        """Log a signature; returns once a signed checkpoint covers it.

        Raises:
            LogEntryRefused: the log does not take it.
            ServiceUnreachable, ServiceAnswerUnexpected: it cannot, or answers with something else.
        """
        body = encode_entry_request(entry)
        answer = self._exchange.ask("POST", self._url, limit=MAX_LOG_ENTRY, body=body, headers=self._headers)
        if answer.status not in _DONE:
            raise _refusal(answer, LogEntryRefused)
        try:
            return decode_log_entry(answer.content)
        except Problem as problem:
            raise ServiceAnswerUnexpected(f"{answer.url} answered with no log entry: {problem.message}") from None


class TimestampAuthority:
    """A timestamp authority (RFC 3161 over HTTP, §3.4); implements TimestampSource. ``url`` is its full address."""

    def __init__(self, exchange: Exchange, url: str, authorities: Sequence[TrustedAuthority], entropy: Entropy) -> None:
        self._exchange = exchange
        self._url = url
        self._entropy = entropy
        self.authorities = tuple(authorities)

    def stamp(self, message: bytes) -> bytes:
        """Return a TimeStampResp over ``message`` that answers this very request.

        Raises:
            StampRefused: the authority does not want to, or stamped other bytes, or repeats an old answer.
            ServiceUnreachable, ServiceAnswerUnexpected: it cannot, or answers with something else.
        """
        digest = hashlib.sha256(message).digest()
        nonce = int.from_bytes(self._entropy.bytes(_NONCE_BYTES)) | 1
        body = encode_request(TimestampRequest(hash_name="sha256", digest=digest, nonce=nonce, certificates=True))
        headers = {"Content-Type": "application/timestamp-query", "Accept": f"{_STAMP}, {_PROBLEM}"}
        answer = self._exchange.ask("POST", self._url, limit=_STAMP_LIMIT, body=body, headers=headers)
        if answer.status not in _DONE:
            raise _refusal(answer, StampRefused)
        if answer.media_type != _STAMP:
            raise ServiceAnswerUnexpected(f"{answer.url} answered with {answer.media_type[:80]!r}, not {_STAMP}")
        try:
            token = decode_response(answer.content)
        except Problem as problem:
            raise StampRefused(f"{answer.url} gave no timestamp: {problem.message}") from None
        if (token.hash_name, token.digest, token.nonce) != ("sha256", digest, nonce):
            raise StampRefused(f"{answer.url} stamped something else than it was asked about")
        return answer.content


class _WireChain(msgspec.Struct, frozen=True):
    certificates: tuple[str, ...] = ()


class _WireCertificate(msgspec.Struct, frozen=True):
    chain: _WireChain


class _WireSigned(msgspec.Struct, frozen=True):
    signed: _WireCertificate | None = msgspec.field(name="signedCertificateEmbeddedSct", default=None)


def _decoded(answer: Answer, shape: type[_WireSigned]) -> _WireSigned:
    try:
        return decode_json(answer.content, shape, limit=_CHAIN_LIMIT, what="certificate")
    except Problem as problem:
        raise ServiceAnswerUnexpected(f"{answer.url} answered with no certificate: {problem.message}") from None


def _der(pem: str, answer: Answer) -> bytes:
    try:
        return x509.load_pem_x509_certificate(pem.encode("ascii")).public_bytes(Encoding.DER)
    except (ValueError, x509.InvalidVersion):  # UnicodeEncodeError among them
        raise ServiceAnswerUnexpected(f"{answer.url} answered with a certificate that is none") from None


def _refusal(
    answer: Answer, refused: type[CertificateRefused | LogEntryRefused | StampRefused], secret: str = ""
) -> Problem:
    """Return what a service told: a Problem of a platform as it is, else its message under the code of its kind."""
    if answer.status >= _SERVER:
        return ServiceUnreachable(f"{answer.url} answered {answer.status}")
    problem = told_problem(answer.status, answer.content)
    if problem is not None and not (secret and secret in f"{problem.message}{problem.hint}{problem.details}"):
        return problem
    message = _message(answer.content)
    if secret:
        message = message.replace(secret, "…")
    return refused(f"{answer.url} answered {answer.status}: {message[:_REASON] or 'no'}")


class _WireStatus(msgspec.Struct, frozen=True):
    """What gateways of gRPC services answer in error."""

    message: str = ""


def _message(content: bytes) -> str:
    try:
        return decode_json(content, _WireStatus, limit=_CHAIN_LIMIT, what="error").message
    except Problem:
        return ""
