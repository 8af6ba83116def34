"""What services and issuers send to a client that signs, damaged in every way: a value or a Problem, never a crash."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from tests.tokens import jwt_of
from tests.trust.instance import MemoryInstance, token_of
from tests.trust.world import MemoryLog

from chainward.adapters.exchange import Answer, Exchange
from chainward.adapters.sigstore import CertificateAuthority, SigstoreLog, TimestampAuthority
from chainward.adapters.system import SystemEntropy
from chainward.formats.bundle import encode_log_entry
from chainward.formats.rekor import HashedRekord
from chainward.kernel.problem import Problem
from chainward.keys.local import generate
from chainward.keys.model import Scheme
from chainward.trust.ambient import IdentityToken
from chainward.trust.keyless import certified_signer

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY: Final = generate(Scheme.ECDSA_P256_SHA256)
INSTANCE: Final = MemoryInstance()
ENTRY: Final = HashedRekord(bytes(32), b"signature", KEY.public_key.der)
CHAIN: Final = INSTANCE.certificates.certify(token_of(), KEY)
PEMS: Final = [x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode() for der in CHAIN]
CERTIFICATE: Final = json.dumps({"signedCertificateEmbeddedSct": {"chain": {"certificates": PEMS}}}).encode()
LOGGED: Final = encode_log_entry(MemoryLog().submit(ENTRY))
STAMPED: Final = INSTANCE.stamps.stamp(b"signature")


class Scripted(Exchange):
    """Answers without a socket."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    def ask(
        self, method: str, url: str, *, limit: int, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        del method, url, limit, body, headers
        return self.answer


def damaged(good: bytes) -> st.SearchStrategy[bytes]:
    """Bytes that were ``good`` once, with a few of them changed, lost or added; or any bytes."""
    cuts = st.tuples(st.integers(0, len(good)), st.integers(0, 8), st.binary(max_size=8))
    return st.lists(cuts, min_size=1, max_size=4).map(lambda edits: _edited(good, edits)) | st.binary(max_size=300)


def _edited(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, lost, added in edits:
        data = data[:place] + added + data[place + lost :]
    return data


STATUSES: Final = st.sampled_from([200, 201, 400, 401, 405, 409, 500])
TYPES: Final = st.sampled_from(["application/timestamp-reply", "application/json", ""])


@given(body=damaged(CERTIFICATE), status=STATUSES, media_type=TYPES)
def test_a_damaged_certificate_answer_is_a_problem_or_certificates(body: bytes, status: int, media_type: str) -> None:
    answer = Answer("http://127.0.0.1/", status, media_type, body)
    with suppress(Problem):
        certified_signer(token_of(), CertificateAuthority(Scripted(answer), "http://127.0.0.1"), INSTANCE.material)
        raise AssertionError("a certificate for another key was signed under")


@given(body=damaged(LOGGED), status=STATUSES)
def test_a_damaged_log_answer_is_a_problem_or_an_entry(body: bytes, status: int) -> None:
    answer = Answer("http://127.0.0.1/", status, "application/json", body)
    with suppress(Problem):
        SigstoreLog(Scripted(answer), "http://127.0.0.1", MemoryLog().log).submit(ENTRY)


@given(body=damaged(STAMPED), status=STATUSES, media_type=TYPES)
def test_a_damaged_or_old_timestamp_is_never_taken(body: bytes, status: int, media_type: str) -> None:
    """The reply was none to this request: it has no nonce of it, so not even the undamaged one is taken."""
    answer = Answer("http://127.0.0.1/", status, media_type, body)
    stamps = TimestampAuthority(Scripted(answer), "http://127.0.0.1", INSTANCE.stamps.authorities, SystemEntropy())
    with suppress(Problem):
        stamps.stamp(b"signature")
        raise AssertionError("a timestamp was taken that answers nothing that was asked")


@given(claims=damaged(base64.urlsafe_b64decode(jwt_of().split(".")[1] + "==")))
def test_damaged_claims_are_a_problem_or_a_token(claims: bytes) -> None:
    head, _, signature = jwt_of().split(".")
    middle = base64.urlsafe_b64encode(claims).decode().rstrip("=")
    with suppress(Problem):
        token = IdentityToken.parse(f"{head}.{middle}.{signature}")
        assert token.issuer
        assert token.challenge
