"""Private keys at rest: PKCS#8 ``ENCRYPTED PRIVATE KEY``, PBES2 with scrypt and AES-256-CBC.

Follows RFC 5958 §3 (EncryptedPrivateKeyInfo), RFC 8018 §6.2 and appendix A.4 (PBES2), RFC 7914 §7 (scrypt-params) and
RFC 7468 §11 (the PEM label). ``cryptography`` itself writes PKCS#8 with 2,048 rounds of PBKDF2 and lets nobody choose,
which one graphics card walks through; it reads scrypt well. So the wrapping is composed here from its parts, and what
is written opens with ``openssl pkey`` too: the parameters stay below OpenSSL's memory limit of 32 MiB.

Encryption without authentication is what the format has: who can write the file can make it useless, or swap it for
another key, which nobody trusts.
"""

from __future__ import annotations

import base64
import binascii
import textwrap
from typing import Final

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

from chainward.keys.errors import KeyMalformed

__all__ = ["ENCRYPTED_LABEL", "check_encrypted", "encrypt", "is_encrypted"]

ENCRYPTED_LABEL: Final = b"ENCRYPTED PRIVATE KEY"

_COST: Final = 2**14  # 16 MiB; with _PARALLEL = 5 what OWASP's password storage guide asks for
_BLOCK: Final = 8
_PARALLEL: Final = 5
_KEY_SIZE: Final = 32
_PARAMETERS: Final = (_COST, _BLOCK, _PARALLEL, _KEY_SIZE)  # in this order, none with its top bit set
_IV_BITS: Final = 128
_LINE: Final = 64
_SEQUENCE: Final = 0x30
_OCTETS: Final = 0x04
_INTEGER: Final = 0x02
_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")  # 1.2.840.113549.1.5.13
_SCRYPT: Final = bytes.fromhex("06092b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
_AES256_CBC: Final = bytes.fromhex("060960864801650304012a")  # 2.16.840.1.101.3.4.1.42


@asn1.sequence
class _EncryptedPrivateKeyInfo:
    algorithm: asn1.TLV
    data: bytes


def encrypt(private_key_info: bytes, passphrase: bytes) -> bytes:
    """Return the PEM block that holds ``private_key_info`` under ``passphrase``."""
    salt, iv = _fresh(), _fresh()
    key = Scrypt(salt=salt, length=_KEY_SIZE, n=_COST, r=_BLOCK, p=_PARALLEL).derive(passphrase)
    padder = PKCS7(algorithms.AES256.block_size).padder()
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    data = encryptor.update(padder.update(private_key_info) + padder.finalize()) + encryptor.finalize()
    numbers = (_der(_INTEGER, number.to_bytes(3, "big").lstrip(b"\0")) for number in _PARAMETERS)
    derivation = _der(_SEQUENCE, _SCRYPT, _der(_SEQUENCE, _der(_OCTETS, salt), *numbers))
    cipher = _der(_SEQUENCE, _AES256_CBC, _der(_OCTETS, iv))
    scheme = _der(_SEQUENCE, _PBES2, _der(_SEQUENCE, derivation, cipher))
    return _pem(_der(_SEQUENCE, scheme, _der(_OCTETS, data)))


def is_encrypted(pem: bytes) -> bool:
    """Whether the text says that it is an encrypted key, so that a passphrase must be asked for."""
    return b"-----BEGIN " + ENCRYPTED_LABEL + b"-----" in pem


def check_encrypted(pem: bytes) -> None:
    """Raise KeyMalformed unless ``pem`` holds an EncryptedPrivateKeyInfo: then only the passphrase can be wrong."""
    body = pem.split(b"-----BEGIN " + ENCRYPTED_LABEL + b"-----", 1)[-1]
    body = body.split(b"-----END " + ENCRYPTED_LABEL + b"-----", 1)[0]
    try:
        asn1.decode_der(_EncryptedPrivateKeyInfo, base64.b64decode(b"".join(body.split()), validate=True))
    except (binascii.Error, ValueError):
        raise KeyMalformed("the PEM block does not hold an encrypted private key") from None


def _fresh() -> bytes:
    # Salt and vector come from the library that makes the keys, and from the same source: nothing replays either.
    return AESGCM.generate_key(_IV_BITS)


def _der(tag: int, *parts: bytes) -> bytes:
    """Return one DER element of at most 65,535 bytes (X.690 §8.1.3, §10.1)."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 - the short form of a length
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _pem(der: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(der).decode("ascii"), _LINE)
    label = ENCRYPTED_LABEL.decode("ascii")
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode("ascii")
