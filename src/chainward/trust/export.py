"""Everything that verification needs in one file, for where no network is: an air-gapped site, an archive, a court.

In it is the standard trusted root, as stock clients read it, and beside it what they know nothing of: all authorities
with their compromises and pinned checkpoints, the signers with their scope, the revocations of signatures, the TUF root
from which later documents follow, the newest checkpoints of all logs, and the witnesses. Whoever gives the file decides
what is believed: carry it by a way that you trust, or compare its digest.

The format is our own, ``application/vnd.chainward.trust-export.v1+json``, read strictly and up to a size.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import decode_base64, decode_json, deterministic_json, encode_base64
from chainward.formats.errors import Malformed, Unsupported
from chainward.formats.trusted_root import decode_trusted_root
from chainward.kernel.instant import parse_instant, rfc3339
from chainward.kernel.name import RepositoryPattern
from chainward.keys.model import PublicKey
from chainward.trust.authority import Authority, AuthorityKind, Compromise, PinnedCheckpoint
from chainward.trust.match import match_of, members_of
from chainward.trust.material import TrustMaterial
from chainward.trust.model import TrustedSigner, TrustRoot
from chainward.trust.revocations import RevokedBy, SignatureRevocation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["EXPORT_TYPE", "TrustExport", "decode_export", "encode_export", "is_export", "material_of"]

EXPORT_TYPE: Final = "application/vnd.chainward.trust-export.v1+json"
MAX_EXPORT: Final = 16 * 1024 * 1024
_WHAT: Final = "trust export"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustExport:
    """What is believed at one moment. ``trusted_root`` and ``tuf_root`` are the documents, byte for byte.

    ``checkpoints`` are the newest signed checkpoints by origin, ``witnesses`` verifier keys (C2SP signed-note).
    """

    instance: str
    exported_at: datetime
    trusted_root: bytes
    tuf_root: bytes
    authorities: tuple[Authority, ...]
    signers: tuple[TrustedSigner, ...] = ()
    revocations: tuple[SignatureRevocation, ...] = ()
    checkpoints: Mapping[str, str]
    witnesses: tuple[str, ...] = ()

    def root(self) -> TrustRoot:
        """Return the root of trust that verification takes."""
        return TrustRoot(self.signers, TrustMaterial.from_authorities(self.authorities), self.revocations)


class _Strict(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A member of the file."""


class _WirePin(_Strict, frozen=True, kw_only=True):
    origin: str
    size: int
    root: str


class _WireCompromise(_Strict, frozen=True, kw_only=True):
    since: str
    reason: str
    checkpoints: tuple[_WirePin, ...]


class _WireAuthority(_Strict, frozen=True, kw_only=True):
    name: str
    kind: AuthorityKind
    origin: str
    public_key: str
    certificates: tuple[str, ...]
    start: str
    end: str | None = None
    compromise: _WireCompromise | None = None


class _WireSigner(_Strict, frozen=True, kw_only=True):
    name: str
    public_key: str | None = None
    identity: dict[str, Any] | None = None
    repositories: tuple[str, ...]
    predicates: tuple[str, ...]
    portable: bool
    trusted_since: str
    distrusted_at: str | None = None
    distrusted_since: str | None = None


class _WireRevocation(_Strict, frozen=True, kw_only=True):
    by: RevokedBy
    target: str
    identity: dict[str, Any] | None = None
    since: str | None = None
    until: str | None = None
    reason: str
    revoked_at: str


class _WireExport(_Strict, frozen=True, kw_only=True):
    media_type: str
    instance: str
    exported_at: str
    trusted_root: str
    tuf_root: str
    authorities: tuple[_WireAuthority, ...]
    signers: tuple[_WireSigner, ...]
    revocations: tuple[_WireRevocation, ...]
    checkpoints: dict[str, str]
    witnesses: tuple[str, ...]


def is_export(data: bytes) -> bool:
    """Whether the bytes say that they are an export; reading them is another matter."""
    return EXPORT_TYPE.encode() in data[:MAX_EXPORT]


def material_of(data: bytes) -> TrustMaterial:
    """Return what an export or a Sigstore trusted root says of services; raises what reading either raises."""
    if is_export(data):
        return decode_export(data).root().material
    return TrustMaterial.from_document(decode_trusted_root(data))


def decode_export(data: bytes) -> TrustExport:
    """Read an export.

    Raises:
        TooLarge, Malformed, Unsupported, InvalidInstant: not an export.
        Problem: a part of it cannot be, such as a key or a scope.
    """
    wire = decode_json(data, _WireExport, limit=MAX_EXPORT, what=_WHAT)
    if wire.media_type != EXPORT_TYPE:
        raise Unsupported(_WHAT, f"{wire.media_type[:120]!r} is not a known version")
    return TrustExport(
        instance=wire.instance,
        exported_at=parse_instant(wire.exported_at),
        trusted_root=wire.trusted_root.encode(),
        tuf_root=wire.tuf_root.encode(),
        authorities=tuple(map(_authority, wire.authorities)),
        signers=tuple(map(_signer, wire.signers)),
        revocations=tuple(map(_revocation, wire.revocations)),
        checkpoints=wire.checkpoints,
        witnesses=wire.witnesses,
    )


def encode_export(export: TrustExport) -> bytes:
    """Write an export."""
    wire = _WireExport(
        media_type=EXPORT_TYPE,
        instance=export.instance,
        exported_at=rfc3339(export.exported_at),
        trusted_root=export.trusted_root.decode(),
        tuf_root=export.tuf_root.decode(),
        authorities=tuple(map(_wire_authority, export.authorities)),
        signers=tuple(map(_wire_signer, export.signers)),
        revocations=tuple(map(_wire_revocation, export.revocations)),
        checkpoints=dict(export.checkpoints),
        witnesses=export.witnesses,
    )
    return deterministic_json(json.loads(msgspec.json.encode(wire)))


def _authority(wire: _WireAuthority) -> Authority:
    return Authority(
        name=wire.name,
        kind=wire.kind,
        origin=wire.origin,
        public_key=PublicKey.from_der(_bytes(wire.public_key)),
        certificates=tuple(map(_bytes, wire.certificates)),
        start=parse_instant(wire.start),
        end=_instant(wire.end),
        compromise=None if wire.compromise is None else _compromise(wire.compromise),
    )


def _compromise(wire: _WireCompromise) -> Compromise:
    try:
        pins = tuple(PinnedCheckpoint(pin.origin, pin.size, bytes.fromhex(pin.root)) for pin in wire.checkpoints)
    except ValueError:
        raise Malformed(_WHAT, "a pinned checkpoint has no root in hex") from None
    return Compromise(since=parse_instant(wire.since), reason=wire.reason, checkpoints=pins)


def _signer(wire: _WireSigner) -> TrustedSigner:
    return TrustedSigner(
        name=wire.name,
        public_key=None if wire.public_key is None else PublicKey.from_der(_bytes(wire.public_key)),
        match=None if wire.identity is None else match_of(wire.identity),
        repositories=tuple(map(RepositoryPattern, wire.repositories)),
        predicates=wire.predicates,
        portable=wire.portable,
        trusted_since=parse_instant(wire.trusted_since),
        distrusted_at=_instant(wire.distrusted_at),
        distrusted_since=_instant(wire.distrusted_since),
    )


def _revocation(wire: _WireRevocation) -> SignatureRevocation:
    return SignatureRevocation(
        by=wire.by,
        target=wire.target,
        match=None if wire.identity is None else match_of(wire.identity),
        since=_instant(wire.since),
        until=_instant(wire.until),
        reason=wire.reason,
        revoked_at=parse_instant(wire.revoked_at),
    )


def _wire_authority(authority: Authority) -> _WireAuthority:
    lost = authority.compromise
    return _WireAuthority(
        name=authority.name,
        kind=authority.kind,
        origin=authority.origin,
        public_key=encode_base64(authority.public_key.der),
        certificates=tuple(map(encode_base64, authority.certificates)),
        start=rfc3339(authority.start),
        end=_text(authority.end),
        compromise=None
        if lost is None
        else _WireCompromise(
            since=rfc3339(lost.since),
            reason=lost.reason,
            checkpoints=tuple(
                _WirePin(origin=pin.origin, size=pin.size, root=pin.root.hex()) for pin in lost.checkpoints
            ),
        ),
    )


def _wire_signer(signer: TrustedSigner) -> _WireSigner:
    return _WireSigner(
        name=signer.name,
        public_key=None if signer.public_key is None else encode_base64(signer.public_key.der),
        identity=None if signer.match is None else members_of(signer.match),
        repositories=tuple(map(str, signer.repositories)),
        predicates=signer.predicates,
        portable=signer.portable,
        trusted_since=rfc3339(signer.trusted_since),
        distrusted_at=_text(signer.distrusted_at),
        distrusted_since=_text(signer.distrusted_since),
    )


def _wire_revocation(revocation: SignatureRevocation) -> _WireRevocation:
    return _WireRevocation(
        by=revocation.by,
        target=revocation.target,
        identity=None if revocation.match is None else members_of(revocation.match),
        since=_text(revocation.since),
        until=_text(revocation.until),
        reason=revocation.reason,
        revoked_at=rfc3339(revocation.revoked_at),
    )


def _bytes(text: str) -> bytes:
    return decode_base64(text, what=_WHAT)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)
