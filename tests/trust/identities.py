"""Identity tokens that are really signed: issuers with keys of every kind, and whatever claims a test wants.

``TestIssuer`` signs with ``cryptography`` alone and shares no code with the product's development issuer or PyJWT.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

__all__ = ["GITHUB", "GITHUB_CLAIMS", "NOW", "FakeIssuer", "b64url", "private_key", "segment"]

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
GITHUB: Final = "https://token.actions.githubusercontent.com"
GITHUB_CLAIMS: Final[dict[str, Any]] = {
    "sub": "repo:acme/shop:ref:refs/heads/main",
    "event_name": "push",
    "sha": "a" * 40,
    "workflow": "release",
    "repository": "acme/shop",
    "repository_id": "42",
    "repository_owner": "acme",
    "repository_owner_id": "7",
    "repository_visibility": "private",
    "ref": "refs/heads/main",
    "job_workflow_ref": "acme/shop/.github/workflows/release.yml@refs/heads/main",
    "job_workflow_sha": "b" * 40,
    "workflow_ref": "acme/shop/.github/workflows/release.yml@refs/heads/main",
    "workflow_sha": "c" * 40,
    "runner_environment": "github-hosted",
    "run_id": "99",
    "run_attempt": "2",
}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey
_HASHES: Final = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES: Final = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def segment(members: object) -> str:
    return b64url(json.dumps(members).encode())


@cache
def private_key(algorithm: str, name: str = "") -> PrivateKey:
    """A key for an algorithm; the same for the same name within one process."""
    del name
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    if algorithm == "EdDSA":
        return Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


@dataclass
class FakeIssuer:
    """An issuer with one key."""

    url: str = "https://login.example.org"
    algorithm: str = "RS256"
    key_id: str | None = "key-1"
    name: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> PrivateKey:
        return private_key(self.algorithm, self.name)

    def token(self, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token with these claims; None takes a usual one away."""
        usual: dict[str, Any] = {
            "iss": self.url,
            "aud": "sigstore",
            "sub": "somebody",
            "iat": int(NOW.timestamp()),
            "exp": int((NOW + timedelta(minutes=5)).timestamp()),
        }
        members = {name: value for name, value in (usual | self.more | claims).items() if value is not None}
        head = {"alg": self.algorithm, "typ": "JWT"} | ({"kid": self.key_id} if self.key_id else {}) | (header or {})
        signed = f"{segment(head)}.{segment(members)}"
        return f"{signed}.{b64url(self.sign(signed.encode()))}"

    def sign(self, data: bytes) -> bytes:
        key, hashing = self.key, _HASHES.get(self.algorithm[2:], hashes.SHA256())
        if isinstance(key, Ed25519PrivateKey):
            return key.sign(data)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            size = (key.curve.key_size + 7) // 8
            return b"".join(n.to_bytes(size, "big") for n in decode_dss_signature(key.sign(data, ec.ECDSA(hashing))))
        if self.algorithm.startswith("PS"):
            return key.sign(data, padding.PSS(padding.MGF1(hashing), hashing.digest_size), hashing)
        return key.sign(data, padding.PKCS1v15(), hashing)

    def jwk(self, **more: Any) -> dict[str, Any]:
        """The public key as a JSON Web Key."""
        return {**_public(self.key), **({"kid": self.key_id} if self.key_id else {}), "use": "sig", **more}

    def key_set(self, *others: dict[str, Any]) -> bytes:
        return json.dumps({"keys": [self.jwk(), *others]}).encode()

    def discovery(self, jwks_uri: str | None = None) -> bytes:
        return json.dumps({"issuer": self.url, "jwks_uri": jwks_uri or f"{self.url}/keys"}).encode()


def _public(key: PrivateKey) -> dict[str, Any]:
    if isinstance(key, Ed25519PrivateKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(key.public_key().public_bytes_raw())}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers, size = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
        return {
            "kty": "EC",
            "crv": f"P-{key.curve.key_size}",
            "x": b64url(numbers.x.to_bytes(size, "big")),
            "y": b64url(numbers.y.to_bytes(size, "big")),
        }
    rsa_numbers = key.public_key().public_numbers()
    n, e = (b64url(each.to_bytes((each.bit_length() + 7) // 8, "big")) for each in (rsa_numbers.n, rsa_numbers.e))
    return {"kty": "RSA", "n": n, "e": e}
