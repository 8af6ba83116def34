"""A private Sigstore in memory to sign in and to attack: a certificate authority, a certificate log, logs, timestamps.

It shares no code with the product where the product decides: certificates are made by ``cryptography``, certificate
timestamps byte by byte (RFC 6962), entries and promises of Rekor v1 from their published form, trees by the naive
definition (:mod:`tests.trust.world`). Everything has its fixed time, :data:`NOON`, unless a test says otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from tests.trust.world import MemoryLog, tree_path, tree_root

from chainward.formats.bundle import Bundle, InclusionProof, LogEntry, MessageSignature, encode_bundle
from chainward.formats.dsse import PAYLOAD_TYPE_INTOTO, Envelope, Signature, pae
from chainward.formats.rekor import HashedRekord
from chainward.formats.rfc3161 import TokenWriter
from chainward.formats.timestamp_info import Accuracy, TimestampInfo
from chainward.formats.trusted_root import AuthorityChain, LogKey, TrustedRoot
from chainward.keys.local import PrivateKey
from chainward.trust.material import TrustedAuthority, TrustedLog, TrustMaterial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2036, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SUBJECT = "https://ci.example.test/shop/web/build.yml@refs/heads/main"
ISSUER = "https://issuer.example.test"
ARTIFACT = b"hello, world\n"
STATEMENT = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "web", "digest": {"sha256": hashlib.sha256(ARTIFACT).hexdigest()}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"buildDefinition": {}},
    }
).encode()
SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
V1_HOST = "rekor.example.test"
Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

type_of_digest = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}


def new_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve or ec.SECP256R1())


def spki(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def name_of(common_name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "example"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )


def usage(*, signs_certificates: bool = False, digital_signature: bool = True) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


Extension = tuple[x509.ExtensionType, bool]


def key_identifiers(public_key: Any, issuer_key: Any) -> list[Extension]:
    """How certificates name their own key and the one that signed them (RFC 5280 §4.2.1.1 and §4.2.1.2)."""
    return [
        (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False),
    ]


@dataclass(frozen=True)
class Holder:
    """A certificate and the key it is about."""

    key: CertificateIssuerPrivateKeyTypes
    certificate: x509.Certificate

    def sign(
        self,
        subject: x509.Name,
        public_key: Any,
        extensions: Sequence[Extension],
        *,
        start: datetime = START,
        end: datetime = END,
        serial: int | None = None,
        hashed: Hash | None = None,
    ) -> x509.Certificate:
        """Return a certificate that this holder signed."""
        extensions = [*extensions, *key_identifiers(public_key, self.key.public_key())]
        return signed(
            self.key,
            self.certificate.subject,
            subject,
            public_key,
            extensions,
            start,
            end,
            serial=serial,
            hashed=hashed,
        )


def signed(
    key: CertificateIssuerPrivateKeyTypes,
    issuer: x509.Name,
    subject: x509.Name,
    public_key: Any,
    extensions: Sequence[Extension],
    start: datetime,
    end: datetime,
    *,
    serial: int | None = None,
    hashed: Hash | None = None,
) -> x509.Certificate:
    builder = x509.CertificateBuilder(issuer, subject, public_key, serial or x509.random_serial_number(), start, end)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashed or hashes.SHA256())


def authority_extensions(
    path_length: int | None = None, *, purposes: Sequence[ObjectIdentifier] = ()
) -> list[Extension]:
    found: list[Extension] = [
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        (usage(signs_certificates=True, digital_signature=False), True),
    ]
    return [*found, (x509.ExtendedKeyUsage(purposes), False)] if purposes else found


def root_holder(
    common_name: str = "root",
    *,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    extensions: Sequence[Extension] | None = None,
    start: datetime = START,
    end: datetime = END,
) -> Holder:
    """A self-signed authority."""
    own = key or new_key()
    name = name_of(common_name)
    found = [
        *(authority_extensions() if extensions is None else extensions),
        (x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False),
    ]
    return Holder(own, signed(own, name, name, own.public_key(), found, start, end))


def below(
    upper: Holder,
    common_name: str = "intermediate",
    *,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    extensions: Sequence[Extension] | None = None,
    start: datetime = START,
    end: datetime = END,
    hashed: Hash | None = None,
) -> Holder:
    """An authority that ``upper`` certified."""
    own = key or new_key()
    found = authority_extensions(0, purposes=[ExtendedKeyUsageOID.CODE_SIGNING]) if extensions is None else extensions
    certificate = upper.sign(name_of(common_name), own.public_key(), found, start=start, end=end, hashed=hashed)
    return Holder(own, certificate)


def leaf_extensions(
    subject: str = SUBJECT,
    issuer: str = ISSUER,
    *,
    kind: Literal["uri", "email"] = "uri",
    claims: dict[int, str] | None = None,
) -> list[Extension]:
    """What a signing certificate of Fulcio has, without the list of certificate timestamps."""
    name = x509.RFC822Name(subject) if kind == "email" else x509.UniformResourceIdentifier(subject)
    found: list[Extension] = [
        (usage(), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False),
        (x509.SubjectAlternativeName([name]), True),
        (fulcio(1, issuer.encode()), False),
        (fulcio(8, utf8(issuer)), False),
    ]
    return [*found, *((fulcio(arc, utf8(text)), False) for arc, text in (claims or {}).items())]


def fulcio(arc: int, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{arc}"), value)


def utf8(text: str) -> bytes:
    return tlv(0x0C, text.encode())


def tlv(tag: int, value: bytes) -> bytes:
    """DER: tag, length, value."""
    size = len(value)
    if size < 0x80:
        return bytes((tag, size)) + value
    width = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + size.to_bytes(width, "big") + value


@dataclass(frozen=True)
class CertificateLog:
    """A log of certificates that promises and keeps nothing."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)
    origin: str = "ct.example.test"

    def scts(self, issuer: Holder, tbs: bytes, at: datetime, extensions: bytes = b"") -> x509.UnrecognizedExtension:
        """Return the extension with one promise about ``tbs`` (RFC 6962 §3.2, §3.3)."""
        moment = struct.pack(">Q", int(at.timestamp() * 1000))
        tail = struct.pack(">H", len(extensions)) + extensions
        entry = hashlib.sha256(spki(issuer.key)).digest() + len(tbs).to_bytes(3, "big") + tbs
        signature = self.key.sign(b"\0\0" + moment + b"\0\1" + entry + tail, ec.ECDSA(hashes.SHA256()))
        sct = b"\0" + hashlib.sha256(spki(self.key)).digest() + moment + tail
        sct += b"\x04\x03" + struct.pack(">H", len(signature)) + signature
        inner = struct.pack(">H", len(sct)) + sct
        return x509.UnrecognizedExtension(SCT_LIST, tlv(0x04, struct.pack(">H", len(inner)) + inner))

    @property
    def trusted(self) -> TrustedLog:
        return TrustedLog(
            self.origin,
            PrivateKey.of(self.key).public_key,
            hashlib.sha256(spki(self.key)).digest(),
            base_url=f"https://{self.origin}",
            start=START,
        )


@dataclass(frozen=True)
class TimestampAuthority:
    """A timestamp authority, whose replies the product's writer puts together."""

    holders: tuple[Holder, ...]
    name: str = "https://tsa.example.test/api/v1/timestamp"

    @classmethod
    def new(cls, *, start: datetime = START, end: datetime = END, purposes: Sequence[ObjectIdentifier] = ()) -> Any:
        root = root_holder("tsa root")
        key = new_key()
        wanted = x509.ExtendedKeyUsage(purposes or [ExtendedKeyUsageOID.TIME_STAMPING])
        extensions: list[Extension] = [(usage(), True), (wanted, True)]
        leaf = root.sign(name_of("tsa"), key.public_key(), extensions, start=start, end=end)
        return cls((Holder(key, leaf), root))

    @property
    def certificates(self) -> tuple[bytes, ...]:
        return tuple(der(holder.certificate) for holder in self.holders)

    def stamp(self, message: bytes, at: datetime = NOON, *, certificates: bool = True) -> bytes:
        writer = TokenWriter(self.certificates, "sha256")
        info = TimestampInfo(
            hash_name="sha256",
            digest=hashlib.sha256(message).digest(),
            gen_time=at,
            serial=x509.random_serial_number(),
            policy="1.3.6.1.4.1.57264.2",
            accuracy=Accuracy(1),
        )
        return writer.encode_response(info, PrivateKey.of(self.holders[0].key).sign, certificates=certificates)

    @property
    def trusted(self) -> TrustedAuthority:
        return TrustedAuthority.of(self.name, self.certificates, start=START)


class OldLog:
    """A log of Rekor v1: an ECDSA key, a tree id in its checkpoints, promises, and bodies in their old forms."""

    def __init__(self, host: str = V1_HOST, offset: int = 1000) -> None:
        self.host = host
        self.key = new_key()
        self.offset = offset
        self.leaves: list[bytes] = [b"first", b"second", b"third"]

    @property
    def trusted(self) -> TrustedLog:
        return TrustedLog(
            self.host,
            PrivateKey.of(self.key).public_key,
            hashlib.sha256(spki(self.key)).digest(),
            base_url=f"https://{self.host}",
            start=START,
        )

    def append(self, body: bytes, kind: str, version: str, at: datetime) -> LogEntry:
        if body not in self.leaves:
            self.leaves.append(body)
        index, size = self.leaves.index(body), len(self.leaves)
        root = tree_root(self.leaves)
        proof = InclusionProof(index, size, root, tuple(tree_path(index, self.leaves)), self.checkpoint(size, root))
        when = int(at.timestamp())
        promise = self.promise(body, when, index + self.offset)
        return LogEntry(index + self.offset, self.trusted.key_id, kind, version, when, proof, body, promise)

    def checkpoint(self, size: int, root: bytes, *, name: str | None = None, tree: str = "1193050959916656506") -> str:
        host = name or self.host
        text = f"{host} - {tree}\n{size}\n{base64.b64encode(root).decode()}\nTimestamp: 1689177396617352539\n"
        line = self.trusted.key_id[:4] + self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        return f"{text}\n\u2014 {host} {base64.b64encode(line).decode()}\n"

    def promise(self, body: bytes, when: int, index: int) -> bytes:
        told = {
            "body": base64.b64encode(body).decode(),
            "integratedTime": when,
            "logID": self.trusted.key_id.hex(),
            "logIndex": index,
        }
        text = json.dumps(told, sort_keys=True, separators=(",", ":"))
        return self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))


def old_hashedrekord(content: bytes, signature: bytes, verifier: bytes) -> bytes:
    return _old(
        "hashedrekord",
        "0.0.1",
        {
            "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(content).hexdigest()}},
            "signature": {"content": b64(signature), "publicKey": {"content": b64(verifier)}},
        },
    )


def old_dsse(payload: bytes, signature: bytes, verifier: bytes) -> bytes:
    return _old(
        "dsse",
        "0.0.1",
        {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(b"envelope").hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            "signatures": [{"signature": b64(signature), "verifier": b64(verifier)}],
        },
    )


def old_intoto(payload: bytes, signature: bytes, verifier: bytes) -> bytes:
    signatures = [{"publicKey": b64(verifier), "sig": b64(b64(signature).encode())}]
    return _old(
        "intoto",
        "0.0.2",
        {
            "content": {
                "envelope": {"payloadType": PAYLOAD_TYPE_INTOTO, "signatures": signatures},
                "hash": {"algorithm": "sha256", "value": hashlib.sha256(b"envelope").hexdigest()},
                "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            }
        },
    )


def _old(kind: str, version: str, spec: dict[str, Any]) -> bytes:
    whole = {"apiVersion": version, "kind": kind, "spec": spec}
    return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pem_of(certificate: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


@dataclass
class World:
    """One instance of everything. ``authorities`` are the issuer first and the root last."""

    authorities: tuple[Holder, ...] = ()
    ct: CertificateLog = field(default_factory=CertificateLog)
    log: MemoryLog = field(default_factory=MemoryLog)
    old_log: OldLog = field(default_factory=OldLog)
    tsa: TimestampAuthority = field(default_factory=TimestampAuthority.new)

    def __post_init__(self) -> None:
        if not self.authorities:
            root = root_holder()
            self.authorities = (below(root), root)

    @property
    def issuer(self) -> Holder:
        return self.authorities[0]

    @cached_property
    def material(self) -> TrustMaterial:
        """What a verifier of this instance believes."""
        return TrustMaterial(
            (replace(self.log.log, start=START, base_url=f"https://{self.log.origin}"), self.old_log.trusted),
            (self.ct.trusted,),
            (self.trusted_ca(),),
            (self.tsa.trusted,),
        )

    def trusted_ca(self, **changes: Any) -> TrustedAuthority:
        chain = tuple(holder.certificate for holder in self.authorities)
        return replace(TrustedAuthority("https://ca.example.test", chain, START), **changes)

    @property
    def trusted_root(self) -> TrustedRoot:
        """The same as a document."""
        tsa = self.tsa.certificates
        return TrustedRoot(
            tuple(_log_key(log) for log in self.material.logs),
            (_log_key(self.ct.trusted),),
            (_chain("https://ca.example.test", tuple(der(each.certificate) for each in self.authorities)),),
            (_chain(self.tsa.name, tsa),),
        )

    def certify(
        self,
        public_key: Any,
        extensions: Sequence[Extension] | None = None,
        *,
        at: datetime = NOON,
        life: timedelta = timedelta(minutes=10),
        subject: x509.Name | None = None,
        ct: CertificateLog | None = None,
        promised_at: datetime | None = None,
        issuer: Holder | None = None,
        hashed: Hash | None = None,
    ) -> bytes:
        """Return a signing certificate as Fulcio makes them, with the promise of the certificate log."""
        holder = issuer or self.issuer
        found = leaf_extensions() if extensions is None else list(extensions)
        serial = x509.random_serial_number()

        def made(more: Sequence[Extension]) -> x509.Certificate:
            name = subject or x509.Name([])
            return holder.sign(name, public_key, [*found, *more], start=at, end=at + life, serial=serial, hashed=hashed)

        scts = (ct or self.ct).scts(holder, made(()).tbs_certificate_bytes, promised_at or at)
        return der(made([(scts, False)]))

    def sign(
        self,
        content: bytes = ARTIFACT,
        *,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
        certificate: bytes | Literal["none"] | None = None,
        at: datetime = NOON,
        stamps: int = 1,
    ) -> Bundle:
        """Return a bundle v0.3 over a file, logged in Rekor v2; ``certificate="none"`` signs with the bare key."""
        signer = PrivateKey.of(key or new_key())
        name = signer.public_key.hash_name
        digest = hashlib.new(name, content).digest()
        signature = signer.sign(content)
        leaf = self._leaf(signer, certificate, at)
        message = MessageSignature(type_of_digest[name], digest, signature)
        return self._bundle(signer, leaf, digest, signature, at, stamps, message_signature=message)

    def state(
        self,
        payload: bytes = STATEMENT,
        *,
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
        certificate: bytes | Literal["none"] | None = None,
        at: datetime = NOON,
        stamps: int = 1,
        payload_type: str = PAYLOAD_TYPE_INTOTO,
    ) -> Bundle:
        """Return a bundle v0.3 with an envelope, logged in Rekor v2."""
        signer = PrivateKey.of(key or new_key())
        encoded = pae(payload_type, payload)
        signature = signer.sign(encoded)
        digest = hashlib.new(signer.public_key.hash_name, encoded).digest()
        leaf = self._leaf(signer, certificate, at)
        envelope = Envelope(payload, payload_type, (Signature(signature),))
        return self._bundle(signer, leaf, digest, signature, at, stamps, envelope=envelope)

    def _leaf(self, signer: PrivateKey, certificate: bytes | str | None, at: datetime) -> bytes:
        if isinstance(certificate, bytes):
            return certificate
        return b"" if certificate is not None else self.certify(signer._key.public_key(), at=at)

    def _bundle(
        self,
        signer: PrivateKey,
        leaf: bytes,
        digest: bytes,
        signature: bytes,
        at: datetime,
        stamps: int,
        **content: Any,
    ) -> Bundle:
        key = signer.public_key
        entry = self.log.submit(HashedRekord(digest, signature, b"" if leaf else key.der, key.scheme.value, leaf))
        return Bundle(
            key_hint=None if leaf else key.fingerprint,
            certificates=(leaf,) if leaf else (),
            entries=(entry,),
            timestamps=tuple(self.tsa.stamp(signature, at) for _ in range(stamps)),
            **content,
        )

    def sign_old(
        self,
        kind: Literal["hashedrekord", "dsse", "intoto"] = "hashedrekord",
        *,
        key: ec.EllipticCurvePrivateKey | None = None,
        with_certificate: bool = True,
        at: datetime = NOON,
        alter: Callable[[bytes], bytes] = bytes,
    ) -> Bundle:
        """Return a bundle logged in Rekor v1, with the log's promise as its only time; ``alter`` changes the body."""
        signer = PrivateKey.of(key or new_key())
        is_file = kind == "hashedrekord"
        signature = signer.sign(ARTIFACT if is_file else pae(PAYLOAD_TYPE_INTOTO, STATEMENT))
        leaf = self._leaf(signer, None if with_certificate else "none", at)
        verifier = pem_of(leaf) if leaf else signer.public_key.pem
        make = {"hashedrekord": old_hashedrekord, "dsse": old_dsse, "intoto": old_intoto}[kind]
        body = alter(make(ARTIFACT if is_file else STATEMENT, signature, verifier))
        entry = self.old_log.append(body, kind, "0.0.2" if kind == "intoto" else "0.0.1", at)
        message = MessageSignature("SHA2_256", hashlib.sha256(ARTIFACT).digest(), signature)
        envelope = Envelope(STATEMENT, PAYLOAD_TYPE_INTOTO, (Signature(signature),))
        return Bundle(
            message_signature=message if is_file else None,
            envelope=None if is_file else envelope,
            key_hint=None if leaf else signer.public_key.fingerprint,
            certificates=(leaf,) if leaf else (),
            entries=(entry,),
        )


def as_version(bundle: Bundle, version: str, *chain: bytes) -> bytes:
    """Return a bundle in the form of v0.1 or v0.2: with a chain of certificates, leaf first."""
    whole = json.loads(encode_bundle(bundle))
    whole["mediaType"] = f"application/vnd.dev.sigstore.bundle+json;version={version}"
    material = whole["verificationMaterial"]
    leaf = material.pop("certificate", None)
    if leaf is not None:
        others = [{"rawBytes": b64(each)} for each in chain]
        material["x509CertificateChain"] = {"certificates": [leaf, *others]}
    return json.dumps(whole).encode()


def _log_key(log: TrustedLog) -> LogKey:
    return LogKey(
        origin=log.origin,
        base_url=f"https://{log.origin}",
        public_key_der=log.public_key.der,
        key_details=log.public_key.scheme.value,
        key_id=log.key_id,
        start=log.start or START,
        end=log.end,
    )


def _chain(uri: str, certificates: tuple[bytes, ...]) -> AuthorityChain:
    return AuthorityChain(uri=uri, organization="example", common_name=uri[:40], certificates=certificates, start=START)
