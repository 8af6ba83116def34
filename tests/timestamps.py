"""Timestamp authorities for tests: sound ones, and ones that are wrong in exactly one way.

``chain()`` makes the certificates of an authority, ``stamp()`` a reply by it, ``forge()`` a reply in which any part is
not what it should be. :class:`SetClock` and :class:`CountedEntropy` stand in for time and chance.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from chainward.formats import cms
from chainward.formats.der import CONTEXT_0, SEQUENCE, SET, element
from chainward.formats.rfc3161 import Accuracy, TimestampInfo, TokenWriter
from chainward.formats.timestamp_info import TST_INFO, encode_info
from chainward.keys.local import PrivateKey, generate
from chainward.keys.model import Scheme
from chainward.trust.material import TrustedAuthority

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "END",
    "MESSAGE",
    "NOW",
    "START",
    "Chain",
    "CountedEntropy",
    "SetClock",
    "certificate",
    "chain",
    "forge",
    "key_of",
    "stamp",
]

NOW: Final = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
START: Final = NOW - timedelta(days=30)
END: Final = NOW + timedelta(days=3650)
MESSAGE: Final = b"the bytes of a signature"
POLICY: Final = "1.3.6.1.4.1.57264.2"


@dataclass
class SetClock:
    """A clock that says what a test sets."""

    at: datetime = NOW

    def now(self) -> datetime:
        """Return the set instant."""
        return self.at


@dataclass
class CountedEntropy:
    """Entropy that never repeats itself, and is the same in every run."""

    drawn: int = 0

    def bytes(self, count: int) -> bytes:
        """Return the next bytes."""
        self.drawn += 1
        return hashlib.shake_256(self.drawn.to_bytes(8, "big")).digest(count)


@dataclass(frozen=True)
class Chain:
    """The certificates (DER, leaf first) of an authority, and the key of its leaf."""

    certificates: tuple[bytes, ...]
    key: PrivateKey

    def trusted(self, name: str = "tsa-1", **more: Any) -> TrustedAuthority:
        """Return the authority as a verifier trusts it."""
        return TrustedAuthority.of(name, self.certificates, **more)


@cache
def key_of(name: str, scheme: Scheme = Scheme.ECDSA_P256_SHA256) -> PrivateKey:
    """Return the one key of this name."""
    assert name
    return generate(scheme)


def raw(key: PrivateKey) -> Any:
    """Return the key of ``cryptography`` beneath ours."""
    return load_der_private_key(key.sealed(lambda der: der), None)


def certificate(
    subject: str,
    key: PrivateKey,
    issuer: str,
    signer: PrivateKey,
    *,
    ca: bool | None = False,
    path_length: int | None = None,
    purposes: Sequence[x509.ObjectIdentifier] | None = (ExtendedKeyUsageOID.TIME_STAMPING,),
    critical: bool = True,
    usage: bool | None = True,
    start: datetime = START,
    end: datetime = END,
    serial: int = 7,
    algorithm: Any = None,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> bytes:
    """Return a certificate (DER); ``usage`` is whether it may sign what it is for, None leaves that out."""
    builder = x509.CertificateBuilder().subject_name(_name(subject)).issuer_name(_name(issuer)).serial_number(serial)
    builder = builder.public_key(raw(key).public_key()).not_valid_before(start).not_valid_after(end)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if usage is not None:
        builder = builder.add_extension(_usage(may=usage, ca=bool(ca)), critical=True)
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=critical)
    for extension, is_critical in extra:
        builder = builder.add_extension(extension, critical=is_critical)
    return builder.sign(raw(signer), algorithm or _hash_of(signer)).public_bytes(Encoding.DER)


def chain(
    *,
    leaf: PrivateKey | None = None,
    root: Mapping[str, Any] | None = None,
    root_key: PrivateKey | None = None,
    **of_leaf: Any,
) -> Chain:
    """Return an authority of leaf and root; the arguments are those of :func:`certificate`."""
    key, upper = leaf or key_of("leaf"), root_key or key_of("root")
    above = certificate("root", upper, "root", upper, **{"ca": True, "purposes": None, "serial": 1, **dict(root or {})})
    return Chain((certificate("leaf", key, "root", upper, **of_leaf), above), key)


def info_of(
    message: bytes = MESSAGE, *, hash_name: str = "sha256", gen_time: datetime = NOW, **more: Any
) -> TimestampInfo:
    """Return what a sound token about ``message`` says."""
    said = {"serial": 1234567, "policy": POLICY, "accuracy": Accuracy(seconds=1), "nonce": 99, **more}
    return TimestampInfo(
        hash_name=hash_name, digest=hashlib.new(hash_name, message).digest(), gen_time=gen_time, **said
    )


def stamp(by: Chain, message: bytes = MESSAGE, *, certificates: bool = True, **said: Any) -> bytes:
    """Return the reply of ``by`` about ``message``; the rest is that of :func:`info_of`."""
    writer = TokenWriter(by.certificates, by.key.public_key.hash_name)
    return writer.encode_response(info_of(message, **said), by.key.sign, certificates=certificates)


@dataclass
class Forgery:
    """The parts of a reply before it is put together; a test bends one of them."""

    content: bytes
    attributes: dict[x509.ObjectIdentifier, list[bytes]]
    issuer: bytes
    serial: int
    hash_oid: x509.ObjectIdentifier
    signature_oid: x509.ObjectIdentifier
    sign: Callable[[bytes], bytes]
    content_type: x509.ObjectIdentifier = TST_INFO
    certificates: list[bytes] = field(default_factory=list)
    signers: int = 1
    status: int = 0
    sort: bool = True


def forge(by: Chain, bend: Callable[[Forgery], object], message: bytes = MESSAGE, **said: Any) -> bytes:
    """Return a reply in which ``bend`` changed something, signed by ``by`` over what came of it."""
    hash_name = by.key.public_key.hash_name
    content = encode_info(info_of(message, **said))
    names = asn1.decode_der(
        cms.TbsCertificate, x509.load_der_x509_certificate(by.certificates[0]).tbs_certificate_bytes
    )
    forgery = Forgery(
        content,
        {
            cms.ATTRIBUTE_CONTENT_TYPE: [asn1.encode_der(TST_INFO)],
            cms.ATTRIBUTE_MESSAGE_DIGEST: [asn1.encode_der(hashlib.new(hash_name, content).digest())],
            cms.ATTRIBUTE_SIGNING_CERTIFICATE_V2: [
                asn1.encode_der(
                    cms.SigningCertificateV2(
                        certificates=[cms.CertificateIdV2(hash=hashlib.sha256(by.certificates[0]).digest())]
                    )
                )
            ],
        },
        cms.raw(names.issuer),
        names.serial,
        cms.HASH_OIDS[hash_name],
        cms.SIGNATURE_OIDS[hash_name],
        by.key.sign,
        certificates=list(by.certificates),
    )
    bend(forgery)
    return _assembled(forgery)


def _assembled(parts: Forgery) -> bytes:
    attributes = [
        element(SEQUENCE, asn1.encode_der(oid), element(SET, *values)) for oid, values in parts.attributes.items()
    ]
    signed = element(SET, *(sorted(attributes) if parts.sort else sorted(attributes, reverse=True)))
    algorithm = element(SEQUENCE, asn1.encode_der(parts.hash_oid))
    signer = element(
        SEQUENCE,
        asn1.encode_der(1),
        element(SEQUENCE, parts.issuer, asn1.encode_der(parts.serial)),
        algorithm,
        bytes((CONTEXT_0,)) + signed[1:] if attributes else b"",
        element(SEQUENCE, asn1.encode_der(parts.signature_oid)),
        asn1.encode_der(parts.sign(signed)),
    )
    data = element(
        SEQUENCE,
        asn1.encode_der(3),
        element(SET, algorithm),
        element(SEQUENCE, asn1.encode_der(parts.content_type), element(CONTEXT_0, asn1.encode_der(parts.content))),
        element(CONTEXT_0, *parts.certificates) if parts.certificates else b"",
        element(SET, *[signer] * parts.signers),
    )
    token = element(SEQUENCE, asn1.encode_der(cms.SIGNED_DATA), element(CONTEXT_0, data))
    return element(SEQUENCE, element(SEQUENCE, asn1.encode_der(parts.status)), token)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _hash_of(key: PrivateKey) -> Any:
    return {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}[key.public_key.hash_name]


def _usage(*, may: bool, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=may and not ca,
        key_cert_sign=may and ca,
        crl_sign=not may and ca,
        content_commitment=False,
        key_encipherment=not may and not ca,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
