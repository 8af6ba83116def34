"""The keys of an issuer: a JSON Web Key Set (RFC 7517) in, keys that may verify tokens out.

A key is bound to the algorithms that its type can have, so that an RSA key never verifies what claims to be HMAC or
ECDSA. What cannot be used is passed over: symmetric and private keys, keys for encryption, RSA below 2,048 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import get_default_algorithms

from chainward.formats.codec import decode_object
from chainward.trust.errors import TokenInvalid
from chainward.trust.oidc import ALGORITHMS

if TYPE_CHECKING:
    from chainward.trust.oidc import UnverifiedToken

__all__ = ["MAX_KEY_SET", "IssuerKey", "KeySet", "parse_keys"]

MAX_KEY_SET: Final = 256 * 1024
_MAX_KEYS: Final = 64
_RSA_BITS: Final = range(2048, 8193)
_BY_CURVE: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_ALGORITHMS: Final = {name: each for name, each in get_default_algorithms().items() if name in ALGORITHMS}

Key = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A key, the name that tokens call it by, and the algorithms that it may verify."""

    key_id: str | None
    key: Key
    algorithms: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeySet:
    """All usable keys of one issuer."""

    keys: tuple[IssuerKey, ...]

    def knows(self, key_id: str | None) -> bool:
        """Whether there is a key of that name; a token that names none is content with any."""
        return key_id is None or any(key.key_id == key_id for key in self.keys)

    def verify(self, token: UnverifiedToken) -> None:
        """Return if one of these keys signed ``token``.

        Raises:
            TokenInvalid: in every other case, also when the token names no key and several could have signed it.
        """
        fitting = [key for key in self.keys if token.algorithm in key.algorithms]
        named = [key for key in fitting if token.key_id is None or key.key_id == token.key_id]
        if not named or (token.key_id is None and len(named) > 1):
            raise TokenInvalid(
                "the issuer has no such key",
                hint="Get a fresh token; if it is fresh, the issuer has not published its key yet.",
            )
        algorithm = _ALGORITHMS[token.algorithm]
        if not any(algorithm.verify(token.signed, each.key, token.signature) for each in named):
            raise TokenInvalid("the token was not signed by its issuer")


def parse_keys(data: bytes) -> KeySet:
    """Read a JSON Web Key Set; raises Malformed or TooLarge. There may be no usable key in it."""
    members = decode_object(data, limit=MAX_KEY_SET, what="key set").get("keys")
    listed = members if isinstance(members, list) else []
    found = (_usable(member) for member in listed[:_MAX_KEYS] if isinstance(member, dict))
    return KeySet(tuple(key for key in found if key is not None))


def _usable(member: dict[str, Any]) -> IssuerKey | None:
    operations = member.get("key_ops")
    if member.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        return None
    if "d" in member or member.get("kty") not in {"RSA", "EC", "OKP"}:
        return None
    try:
        key = jwt.PyJWK({**member, "alg": None}).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    algorithms = _algorithms(key)
    declared = member.get("alg")
    if declared is not None:
        algorithms &= {declared} if isinstance(declared, str) else set()
    key_id = member.get("kid")
    if not algorithms or not isinstance(key, Key) or not isinstance(key_id, str | None):
        return None
    return IssuerKey(key_id, key, algorithms)


def _algorithms(key: object) -> frozenset[str]:
    match key:
        case RSAPublicKey() if key.key_size in _RSA_BITS:
            return _RSA
        case EllipticCurvePublicKey() if key.curve.name in _BY_CURVE:
            return frozenset({_BY_CURVE[key.curve.name]})
        case Ed25519PublicKey():
            return frozenset({"EdDSA"})
        case _:
            return frozenset()
