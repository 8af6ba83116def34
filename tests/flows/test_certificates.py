"""Certificates in the hands of others: sigstore-python asks for them and reads them, OpenSSL verifies their chain.

Everything is on loopback: the platform with its development issuer, and the clients as they come from their makers.
"""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from shutil import which
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sigstore._internal.fulcio.client import FulcioClient
from sigstore._internal.sct import verify_sct
from sigstore._internal.trust import CTKeyring, KeyringPurpose
from sigstore.errors import VerificationError
from sigstore.models import TrustedRoot
from sigstore.oidc import IdentityToken
from sigstore.verify.policy import Identity
from tests.flows.server import serve_platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.platforms import TestPlatform

JANE = "jane@example.org"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestPlatform, str]]:
    settings = {("trust", "development_issuer"): True}
    with serve_platform(tmp_path_factory.mktemp("platform"), settings) as opened:
        yield opened


def token_of(platform: TestPlatform, **who: str) -> str:
    issuer = platform.platform.services.development_issuer
    assert issuer is not None
    return issuer.token(**who)


def certified(
    platform: TestPlatform, url: str, **who: str
) -> tuple[x509.Certificate, list[x509.Certificate], ec.EllipticCurvePrivateKey]:
    """Get a certificate with sigstore-python's own client."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    client = FulcioClient(url)
    try:
        answer = client.signing_cert.post(request, IdentityToken(token_of(platform, **who)))
    finally:
        client.session.close()
    return answer.cert, list(answer.chain), key


def keyring(platform: TestPlatform, folder: Path) -> CTKeyring:
    """Return the keys of certificate logs as sigstore-python reads them from our trusted root."""
    path = folder / "trusted_root.json"
    path.write_bytes(platform.platform.services.documents.current().trusted_root)
    return TrustedRoot.from_file(str(path)).ct_keyring(KeyringPurpose.SIGN)


@pytest.mark.parametrize("who", [{"email": JANE}, {"subject": "https://ci.example.org/web"}], ids=["email", "uri"])
def test_sigstore_python_gets_a_certificate_and_believes_its_promise(
    served: tuple[TestPlatform, str], tmp_path: Path, who: dict[str, str]
) -> None:
    certificate, chain, key = certified(served[0], served[1], **who)
    assert certificate.public_key() == key.public_key()
    verify_sct(certificate, chain, keyring(served[0], tmp_path))


def test_no_millisecond_falls_between_the_numbers_of_sigstore_python(
    served: tuple[TestPlatform, str], tmp_path: Path
) -> None:
    keys = keyring(served[0], tmp_path)
    for _ in range(20):
        certificate, chain, _ = certified(*served, email=JANE)
        verify_sct(certificate, chain, keys)


def test_sigstore_python_refuses_the_promise_for_another_issuer(
    served: tuple[TestPlatform, str], tmp_path: Path
) -> None:
    certificate, chain, _ = certified(*served, email=JANE)
    with pytest.raises(VerificationError):
        verify_sct(certificate, chain[1:], keyring(served[0], tmp_path))


def test_sigstore_python_reads_the_identity_that_was_named(served: tuple[TestPlatform, str]) -> None:
    certificate, _, _ = certified(*served, email=JANE)
    issuer = f"{served[1]}/dev/oidc"
    Identity(identity=JANE, issuer=issuer).verify(certificate)
    for wrong in (Identity(identity="mallory@example.org", issuer=issuer), Identity(identity=JANE, issuer="https://x")):
        with pytest.raises(VerificationError):
            wrong.verify(certificate)


def test_sigstore_python_reads_the_trust_bundle(served: tuple[TestPlatform, str]) -> None:
    _, chain, _ = certified(*served, email=JANE)
    client = FulcioClient(served[1])
    try:
        assert client.trust_bundle.get().trust_bundle == [chain]
    finally:
        client.session.close()


@pytest.mark.skipif(which("openssl") is None, reason="the openssl command is not here")
def test_openssl_verifies_the_chain_and_reads_the_promise(served: tuple[TestPlatform, str], tmp_path: Path) -> None:
    certificate, (intermediate, root), _ = certified(*served, email=JANE)
    for name, each in (("leaf", certificate), ("intermediate", intermediate), ("root", root)):
        (tmp_path / f"{name}.pem").write_bytes(each.public_bytes(Encoding.PEM))
    trusted = ["-x509_strict", "-CAfile", "root.pem", "-untrusted", "intermediate.pem"]
    done = _openssl(tmp_path, "verify", *trusted, "leaf.pem")
    assert done.stdout == "leaf.pem: OK\n", done.stderr
    assert _openssl(tmp_path, "verify", "-CAfile", "root.pem", "leaf.pem").returncode != 0
    text = _openssl(tmp_path, "x509", "-in", "leaf.pem", "-noout", "-text").stdout
    assert "CT Precertificate SCTs" in text
    assert f"email:{JANE}" in text


def _openssl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [which("openssl") or "openssl", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_certificate_is_valid_now(served: tuple[TestPlatform, str]) -> None:
    certificate, _, _ = certified(*served, email=JANE)
    assert certificate.not_valid_before_utc < datetime.now(UTC) < certificate.not_valid_after_utc
