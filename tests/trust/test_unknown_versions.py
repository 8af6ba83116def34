"""Certificates and requests of a version that nobody knows: malformed wherever they come in, and nothing worse.

The library raises an error of its own for them, which is no ValueError.
"""

from __future__ import annotations

import base64
import textwrap
from typing import TYPE_CHECKING

import pytest
from tests.timestamps import NOW, chain, key_of

from chainward.formats.sct import precert_tbs
from chainward.kernel.problem import Kind, Problem
from chainward.keys.certificate import read_certificate
from chainward.keys.model import PublicKey
from chainward.keys.x509 import certificate_request
from chainward.trust.authority import AuthorityKind
from chainward.trust.issuing_chain import certificate_from_pem, check_chain, requested_key
from chainward.trust.material import load_certificate
from chainward.trust.stamper import stamper_issued_by

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = tuple(chain().trusted().certificates[1:])
KEY = key_of("leaf").public_key


def pem(der: bytes, label: str) -> bytes:
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()


def bent(der: bytes, version: str, other: int) -> bytes:
    place = der.index(bytes.fromhex(version)) + len(version) // 2 - 1
    return der[:place] + bytes((other,)) + der[place + 1 :]


CERTIFICATE = bent(chain().certificates[0], "a003020102", 9)
REQUEST = bent(base64.b64decode(b"".join(certificate_request(key_of("leaf")).splitlines()[1:-1])), "020100", 9)
READERS: dict[str, Callable[[], object]] = {
    "a certificate": lambda: read_certificate(CERTIFICATE),
    "a key": lambda: PublicKey.from_certificate(CERTIFICATE),
    "a member of a bundle": lambda: load_certificate(CERTIFICATE),
    "a precertificate": lambda: precert_tbs(CERTIFICATE),
    "a certificate in PEM": lambda: certificate_from_pem(pem(CERTIFICATE, "CERTIFICATE")),
    "a chain": lambda: check_chain(AuthorityKind.TSA, [CERTIFICATE] * 2, KEY, root=None, now=NOW),
    "a stamper": lambda: stamper_issued_by(CERTIFICATE, ROOT),
    "a request": lambda: requested_key(pem(REQUEST, "CERTIFICATE REQUEST")),
}


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_version_that_nobody_knows_is_a_coded_problem(name: str) -> None:
    with pytest.raises(Problem) as refused:
        READERS[name]()
    assert refused.value.kind in {Kind.INVALID, Kind.UNTRUSTED}
