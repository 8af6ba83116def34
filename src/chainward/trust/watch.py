"""Watching a log for entries of identities and keys: what an entry says, and whether somebody waits for it.

In: entries of a signature log (Rekor v1 and v2 bodies) or of a certificate log, as a monitor fetched and verified them.
Out: a sighting for each entry that a :class:`Watch` is about and that was not expected. An entry that nobody can read
is a sighting as well: somebody who is watched might hide in it.

An identity in an entry proves nothing about who made it: anybody may log a certificate of anybody. But a certificate
for a watched identity that its owner did not ask for is exactly what a watch is there to find.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning

from chainward.formats.certificate_leaf import decode_certificate_leaf
from chainward.formats.errors import Unsupported
from chainward.formats.fulcio import ISSUER, decode_claims
from chainward.formats.rekor import parse_body
from chainward.formats.rekor_v1 import decode_v1_body
from chainward.kernel.problem import Problem
from chainward.ledger.monitor import Sighting
from chainward.ledger.proofs import leaf_hash
from chainward.trust.errors import CertificateMalformed
from chainward.trust.identity import Identity, IdentityKind, identity_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.trust.identity import IdentityMatch

__all__ = ["UNREADABLE", "LogContent", "Watch", "Watcher", "content_of"]

UNREADABLE: Final = "unreadable"
_OURS: Final = (b"chainward genesis/1\n", b"chainward.fact/1\n")


@dataclass(frozen=True, slots=True)
class LogContent:
    """What an entry says.

    ``marks`` are the names under which it may be expected: ``sha256:…`` of what was signed, ``leaf:…``, and
    ``serial:…`` of a certificate. ``fingerprint`` is that of the key that signed, or that was certified.
    """

    identities: tuple[Identity, ...]
    fingerprint: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched for: an identity, or (by fingerprint) a key; ``name`` is for people."""

    name: str
    match: IdentityMatch | None = None
    fingerprint: str = ""

    def meets(self, content: LogContent) -> str:
        """Return who of an entry is meant, empty for nobody."""
        if self.fingerprint and self.fingerprint == content.fingerprint:
            return f"sha256:{content.fingerprint}"
        if self.match is None:
            return ""
        return next((identity.subject for identity in content.identities if self.match.matches(identity)), "")


@dataclass(frozen=True, slots=True)
class Watcher:
    """Examines entries for a monitor; ``expected`` are marks of entries that nobody needs to be told of."""

    watches: Sequence[Watch]
    expected: frozenset[str] = field(default_factory=frozenset)

    def examine(self, index: int, entry: bytes) -> Sighting | None:
        """Return what is to be told about an entry, if anything is."""
        if not self.watches or entry.startswith(_OURS):
            return None
        mark = f"leaf:{leaf_hash(entry).hex()}"
        if mark in self.expected:
            return None
        try:
            content = content_of(entry)
        except Problem as problem:
            return Sighting(index, UNREADABLE, problem.message, {"leaf": mark})
        if not self.expected.isdisjoint(content.marks):
            return None
        for watch in self.watches:
            who = watch.meets(content)
            if who:
                return Sighting(index, watch.name, who, _details(content, mark))
        return None


def content_of(entry: bytes) -> LogContent:
    """Return what an entry of a signature log or of a certificate log says; raises a Problem if it cannot be read."""
    if entry[:1] != b"{":
        leaf = decode_certificate_leaf(entry)
        return _of_certificate(leaf.certificate_der, ())
    try:
        body = parse_body(entry)
    except Unsupported:
        return _of_v1(entry)
    mark = f"sha256:{body.digest.hex()}"
    if body.certificate_der:
        return _of_certificate(body.certificate_der, (mark,))
    return LogContent((), hashlib.sha256(body.public_key_der).hexdigest(), (mark,))


def _of_v1(entry: bytes) -> LogContent:
    _, logged = decode_v1_body(entry)
    mark = f"{logged.hash_name}:{logged.digest.hex()}"
    if logged.is_certificate:
        return _of_certificate(logged.verifier_der, (mark,))
    return LogContent((), hashlib.sha256(logged.verifier_der).hexdigest(), (mark,))


def _of_certificate(der: bytes, marks: tuple[str, ...]) -> LogContent:
    try:
        certificate = x509.load_der_x509_certificate(der)
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        serial = f"serial:{certificate.serial_number:x}"
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm, CryptographyDeprecationWarning) as error:
        raise CertificateMalformed(f"the certificate cannot be read: {error}") from None
    return LogContent(_identities(certificate), hashlib.sha256(spki).hexdigest(), (*marks, serial))


def _identities(certificate: x509.Certificate) -> tuple[Identity, ...]:
    """Return everybody whom a certificate could be taken for, also where our own verification would refuse it."""
    try:
        return (identity_of(certificate),)
    except CertificateMalformed:
        pass
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        claims = decode_claims(certificate.extensions)
    except x509.ExtensionNotFound:
        return ()
    except (Problem, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError) as error:
        raise CertificateMalformed(f"the certificate cannot be read: {error}") from None
    texts = [*names.get_values_for_type(x509.RFC822Name), *names.get_values_for_type(x509.UniformResourceIdentifier)]
    texts += names.get_values_for_type(x509.DNSName)
    return tuple(Identity(text, IdentityKind.OTHER, claims.get(ISSUER, ""), claims) for text in texts)


def _details(content: LogContent, mark: str) -> dict[str, str]:
    told = {"leaf": mark, "marks": " ".join(content.marks)}
    issuers = " ".join(dict.fromkeys(identity.issuer for identity in content.identities if identity.issuer))
    return told | ({"issuer": issuers} if issuers else {})
