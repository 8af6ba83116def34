"""Bundles in, proven facts about a signature out: what was signed, by whom, logged where, and when.

Pure: no network, no clock. Whether the signer may say such a thing is asked by others (:mod:`chainward.trust.verify`).

The checks run in this order, and the first that fails is the answer:

1. ``input-too-large``, ``bundle-malformed``: it is a bundle v0.1 to v0.3 with one content and one signature, and no
   root certificate in it;
2. ``log-entry-missing``: it has one log entry, with an inclusion proof;
3. ``signer-unknown`` (keys), ``certificate-malformed``, ``certificate-untrusted`` (certificates): who signs is known,
   or vouched for by a trusted certificate authority;
4. ``signature-invalid``: that key made the signature over the PAE, or over the digest;
5. ``log-untrusted``, ``log-entry-mismatch``, ``checkpoint-invalid``, ``inclusion-proof-invalid``,
   ``log-promise-invalid``: a trusted log holds this very signature (:mod:`chainward.trust.logged`);
6. ``timestamp-invalid`` and its like, ``signing-time-missing``: a timestamp authority, or a log of Rekor v1, says when;
   a certificate needs that, a key does not;
7. ``certificate-outside-window``, ``authority-retired``: certificate, authority and log were in use at that time;
8. ``sct-invalid`` and its like: a trusted certificate log promised to hold the certificate;
9. ``authority-compromised``: nothing of this relies on a lost key (:mod:`chainward.trust.compromise`).

A key is found by its fingerprint: the bundle's key hint if that is one (hex, or base64 of the 32 bytes as cosign writes
it), else the key in the log entry. Either only selects; the signature and the log entry decide. Nothing else that a
bundle says about itself counts: DSSE ``keyid``, ``integratedTime`` without promise, certificates beside the leaf,
timestamps of strangers, unknown members.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chainward.formats.bundle import LogEntry, decode_bundle
from chainward.formats.errors import TooLarge, Unsupported
from chainward.formats.rekor import parse_body
from chainward.formats.rekor_v1 import decode_v1_body
from chainward.kernel.digest import Digest
from chainward.kernel.problem import Problem
from chainward.keys.model import Scheme
from chainward.ledger.proofs import leaf_hash
from chainward.trust.chain import check_windows, is_root, issued_by, public_key_of
from chainward.trust.compromise import Place
from chainward.trust.errors import (
    AuthorityRetired,
    BundleMalformed,
    LogEntryMismatch,
    LogEntryMissing,
    SignerUnknown,
    SigningTimeMissing,
)
from chainward.trust.identity import identity_of
from chainward.trust.logged import Signed, log_of, speaks_v1, verify_body, verify_logged, verify_promise
from chainward.trust.material import load_certificate
from chainward.trust.proven import SEAL, MessageDigest, Proven, ProvenCertificate, ProvenKey, StatementPayload
from chainward.trust.sct import verify_sct
from chainward.trust.stamped import verify_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from chainward.formats.bundle import Bundle, PromisedEntry
    from chainward.keys.model import PublicKey
    from chainward.trust.chain import Issued
    from chainward.trust.material import ProvenTime, TrustedLog, TrustMaterial
    from chainward.trust.ports import HeldEntries

    FindKey = Callable[[str], PublicKey | None]

__all__ = ["Thresholds", "prove_bundle"]

_HEX: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")
_FINGERPRINT_SIZE: Final = 32
_DIGEST_NAMES: Final = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How much must be proven.

    ``times`` is how many different sources must vouch for the time of a certificate's signature. With
    ``promise_suffices``, the signed promise of a log of Rekor v1 stands for the inclusion proof where a bundle v0.1 has
    none: the log could have broken it, and nobody would know.
    """

    times: int = 1
    promise_suffices: bool = False


_DEFAULT: Final = Thresholds()


@dataclass(frozen=True, slots=True)
class _Signer:
    public_key: PublicKey
    certificate_der: bytes = b""
    issued: Issued | None = None


def prove_bundle(
    data: bytes,
    material: TrustMaterial,
    *,
    find_key: FindKey,
    thresholds: Thresholds = _DEFAULT,
    held: HeldEntries | None = None,
) -> Proven:
    """Return what a bundle proves.

    ``find_key`` answers for bundles that are signed by a key: the key with that fingerprint (SHA-256 over its SPKI, in
    hex), or None for a stranger's. ``held`` lets the platform confirm entries of its own log after its key was lost.

    Raises:
        Problem: the first failed check, as the module lists them.
    """
    bundle, entry = _read(data, thresholds)
    signer = _signer(bundle, entry, material, find_key)
    payload, signed = _verify_signature(bundle, signer)
    log = log_of(entry, material)
    verify_body(entry, signed)
    place, promised = _place(entry, log)
    times, problem = _times(bundle, signed, material, place, promised)
    if signer.issued is not None:
        if len({time.source for time in times}) < thresholds.times:
            raise problem or SigningTimeMissing(f"the bundle proves {len(times)} of {thresholds.times} signing times")
        _check_certificate(signer.issued, material, place, times)
    earliest = min((time.instant for time in times), default=None)
    if earliest is not None and promised is None and not log.is_valid_at(earliest):
        raise AuthorityRetired(f"log {log.origin} was not in use at {earliest}, when the signature was made")
    place.check_log(earliest, held)
    return Proven(
        payload=payload,
        signature=signed.signature,
        signer=_proven(signer),
        log=log,
        log_index=place.index if promised is None else entry.log_index,
        checkpoint=entry.proof.checkpoint if isinstance(entry, LogEntry) else "",
        times=times,
        bundle_digest=Digest.of(data),
        seal=SEAL,
    )


def _read(data: bytes, thresholds: Thresholds) -> tuple[Bundle, LogEntry | PromisedEntry]:
    try:
        bundle = decode_bundle(data)
    except TooLarge:
        raise
    except Unsupported as problem:
        if problem.details.get("what") == "log entry":
            raise LogEntryMissing("the log entry in the bundle has no inclusion proof") from None
        raise BundleMalformed(problem.message) from None
    except Problem as problem:
        raise BundleMalformed(problem.message) from None
    entries: tuple[LogEntry | PromisedEntry, ...] = (*bundle.entries, *bundle.promised)
    if not entries:
        raise LogEntryMissing("the bundle has no log entry: nobody can see that this signature was made")
    if len(entries) > 1:
        raise BundleMalformed(f"the bundle has {len(entries)} log entries, not one")
    if bundle.promised and not thresholds.promise_suffices:
        raise LogEntryMissing("the log entry in the bundle has the log's promise, and no inclusion proof")
    return bundle, entries[0]


def _signer(bundle: Bundle, entry: LogEntry | PromisedEntry, material: TrustMaterial, find_key: FindKey) -> _Signer:
    if bundle.certificates:
        leaf, *others = (load_certificate(der) for der in bundle.certificates)
        if any(is_root(each) for each in others):
            raise BundleMalformed("the bundle carries a root certificate; roots come from the trusted root alone")
        return _Signer(public_key_of(leaf), bundle.certificates[0], issued_by(leaf, material))
    fingerprint = _hinted(bundle.key_hint or "") or _logged_key(entry)
    public_key = find_key(fingerprint)
    if public_key is None:
        raise SignerUnknown(
            f"signed by a stranger: key sha256:{fingerprint} is not trusted here", details={"fingerprint": fingerprint}
        )
    return _Signer(public_key)


def _verify_signature(bundle: Bundle, signer: _Signer) -> tuple[StatementPayload | MessageDigest, Signed]:
    key, certificate = signer.public_key, signer.certificate_der
    message, envelope = bundle.message_signature, bundle.envelope
    if message is not None:
        if _DIGEST_NAMES.get(message.digest_algorithm) != key.hash_name:
            raise BundleMalformed(f"a {key.scheme} key does not sign a {message.digest_algorithm[:40]} digest")
        key.verify_prehashed(message.digest, message.signature)
        return MessageDigest(key.hash_name, message.digest), Signed(message.digest, message.signature, key, certificate)
    if envelope is None:
        raise BundleMalformed("the bundle signs nothing")
    pae, signature = envelope.pae(), envelope.signatures[0].sig
    key.verify(pae, signature)
    digest = hashlib.new("sha256" if key.scheme is Scheme.ED25519 else key.hash_name, pae).digest()
    payload = StatementPayload(envelope.payload, envelope.payload_type)
    return payload, Signed(digest, signature, key, certificate, envelope.payload)


def _place(entry: LogEntry | PromisedEntry, log: TrustedLog) -> tuple[Place, ProvenTime | None]:
    """Return where the log holds the entry, and when it says that it took it in (Rekor v1)."""
    promised = verify_promise(entry, log) if speaks_v1(entry) and entry.promise else None
    if isinstance(entry, LogEntry):
        checkpoint = verify_logged(entry, log)
        return Place(log, entry.proof.log_index, leaf_hash(entry.body), checkpoint), promised
    if promised is None:
        raise LogEntryMissing("the log entry in the bundle has neither an inclusion proof nor a promise that counts")
    return Place(log, entry.log_index, leaf_hash(entry.body), None), promised


def _times(
    bundle: Bundle, signed: Signed, material: TrustMaterial, place: Place, promised: ProvenTime | None
) -> tuple[tuple[ProvenTime, ...], Problem | None]:
    """Return when the signature is known to have existed, and why the first timestamp that does not count does not."""
    found = [] if promised is None else [promised]
    problem: Problem | None = None
    for token in bundle.timestamps:
        try:
            found.append(_stamped(token, signed.signature, material, place))
        except Problem as refusal:
            problem = problem or refusal
    return tuple(dict.fromkeys(found)), problem


def _stamped(token: bytes, signature: bytes, material: TrustMaterial, place: Place) -> ProvenTime:
    time = verify_timestamp(token, signature, material.timestamp_authorities)
    place.check_authority(time.source, time.compromise, time.instant)
    return time


def _check_certificate(issued: Issued, material: TrustMaterial, place: Place, times: tuple[ProvenTime, ...]) -> None:
    instants = [time.instant for time in times]
    check_windows(issued, instants)
    _check_sct(issued, material, place)
    place.check_authority(issued.authority.name, issued.authority.compromise, max(instants))


def _check_sct(issued: Issued, material: TrustMaterial, place: Place) -> None:
    """Return if a certificate log promised to hold the certificate; of compromised ones as with timestamps."""
    leaf, issuer = issued.certificate, issued.path.issuer
    try:
        verify_sct(leaf, issuer, [log for log in material.ct_logs if log.compromise is None])
    except Problem as refusal:
        for log in material.ct_logs:
            if log.compromise is not None and (instant := _promised_by(issued, log)) is not None:
                place.check_authority(f"certificate log {log.origin}", log.compromise, instant)
                return
        raise refusal from None


def _promised_by(issued: Issued, log: TrustedLog) -> datetime | None:
    try:
        return verify_sct(issued.certificate, issued.path.issuer, (log,))
    except Problem:
        return None


def _proven(signer: _Signer) -> ProvenKey | ProvenCertificate:
    if signer.issued is None:
        return ProvenKey(signer.public_key)
    leaf = signer.issued.certificate
    return ProvenCertificate(
        der=signer.certificate_der,
        serial=leaf.serial_number,
        identity=identity_of(leaf),
        public_key=signer.public_key,
        authority=signer.issued.authority.name,
        not_before=leaf.not_valid_before_utc,
    )


def _hinted(hint: str) -> str | None:
    """Return the fingerprint that a key hint is, or None if it is something else."""
    match = _HEX.match(hint)
    if match is not None:
        return match[1]
    try:
        digest = base64.b64decode(hint, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == _FINGERPRINT_SIZE else None


def _logged_key(entry: LogEntry | PromisedEntry) -> str:
    try:
        if speaks_v1(entry):
            return hashlib.sha256(decode_v1_body(entry.body)[1].verifier_der).hexdigest()
        logged = parse_body(entry.body)
    except Problem as problem:
        raise LogEntryMismatch(f"the log entry cannot be read: {problem.message}") from None
    return hashlib.sha256(logged.public_key_der or logged.certificate_der).hexdigest()
