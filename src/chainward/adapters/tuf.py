"""The metadata of The Update Framework, by python-tuf's Metadata API; implements TrustMetadata.

Keys are Ed25519 or ECDSA P-256, which all clients verify (python-tuf, go-tuf, tuf-js); their ids are those that
securesystemslib derives, because go-tuf derives them likewise. python-tuf reaches for sockets when it is imported, so
it is here and not in the room.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes  # noqa: TC002 - the type of a local
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from securesystemslib.signer import Key, Signature, SSlibKey
from securesystemslib.signer import Signer as TufSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Role, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from chainward.keys.errors import KeyUnsupported
from chainward.keys.model import PublicKey, Scheme
from chainward.trust.distribution import ONLINE_ROLES, RootSummary
from chainward.trust.errors import RootInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from chainward.keys.ports import Signer

__all__ = ["TufMetadata", "tuf_key_id"]

_MAX: Final = 512 * 1024  # what clients accept of a root
_ROOT: Final = "root"
_SCHEMES: Final = frozenset({Scheme.ED25519, Scheme.ECDSA_P256_SHA256})
Kind = TypeVar("Kind", Root, Targets, Snapshot, Timestamp)


class TufMetadata:
    """Writes and reads TUF metadata."""

    def first_root(
        self, signers: Sequence[Signer], threshold: int, online: Mapping[str, PublicKey], expires: datetime
    ) -> bytes:
        """Return root 1 with the keys of ``signers``, signed by all of them; raises RootInvalid."""
        root = Root(version=1, expires=_whole(expires), consistent_snapshot=True)
        root.roles[_ROOT] = Role([], threshold)
        for signer in signers:
            root.add_key(_key_of(signer.public_key), _ROOT)
        _set_online(root, online)
        metadata = _signed(root, signers)
        _check_threshold(metadata.signed, metadata)
        return metadata.to_bytes()

    def next_root(
        self,
        current: bytes,
        signers: Sequence[Signer],
        expires: datetime,
        *,
        remove: Sequence[str] = (),
        online: Mapping[str, PublicKey] | None = None,
    ) -> bytes:
        """Return the root that follows ``current``, signed by all of ``signers``; raises RootInvalid."""
        before = _read_root(current)
        root = _read_root(current).signed
        root.version += 1
        root.expires = _whole(expires)
        for key_id in remove:
            if key_id not in root.roles[_ROOT].keyids:
                raise RootInvalid(f"{key_id[:80]!r} is not the id of a root key")
            root.revoke_key(key_id, _ROOT)
        for signer in signers:
            key = _key_of(signer.public_key)
            if key.keyid not in remove:
                root.add_key(key, _ROOT)
        if online is not None:
            _set_online(root, online)
        metadata = _signed(root, signers)
        _check_threshold(before.signed, metadata)
        _check_threshold(metadata.signed, metadata)
        return metadata.to_bytes()

    def check_next_root(self, current: bytes, candidate: bytes, now: datetime) -> RootSummary:
        """Return what ``candidate`` says if it may follow ``current``; raises RootInvalid."""
        before, after = _read_root(current).signed, _read_root(candidate)
        if after.signed.version != before.version + 1:
            raise RootInvalid(f"root {after.signed.version} does not follow root {before.version}")
        if after.signed.is_expired(now) or not after.signed.consistent_snapshot:
            raise RootInvalid("the root is past its date, or does without consistent snapshots")
        if after.signed.roles[_ROOT].threshold < before.roles[_ROOT].threshold:
            raise RootInvalid("the root wants fewer signatures than the present one")
        _check_threshold(before, after)
        _check_threshold(after.signed, after)
        return _summary(after.signed)

    def summary(self, root: bytes) -> RootSummary:
        """Return what a root says; raises RootInvalid for bytes that are none."""
        return _summary(_read_root(root).signed)

    def targets(self, version: int, expires: datetime, files: Mapping[str, bytes], signer: Signer) -> bytes:
        """Return targets metadata about ``files``."""
        described = {name: TargetFile.from_data(name, body, ["sha256"]) for name, body in files.items()}
        return _signed(Targets(version=version, expires=_whole(expires), targets=described), [signer]).to_bytes()

    def snapshot(self, version: int, expires: datetime, targets_version: int, signer: Signer) -> bytes:
        """Return snapshot metadata."""
        meta = {"targets.json": MetaFile(targets_version)}
        return _signed(Snapshot(version=version, expires=_whole(expires), meta=meta), [signer]).to_bytes()

    def timestamp(self, version: int, expires: datetime, snapshot_version: int, signer: Signer) -> bytes:
        """Return timestamp metadata."""
        meta = MetaFile(snapshot_version)
        return _signed(Timestamp(version=version, expires=_whole(expires), snapshot_meta=meta), [signer]).to_bytes()


def tuf_key_id(public_key: PublicKey) -> str:
    """Return the id by which TUF metadata names a key; raises KeyUnsupported."""
    return _key_of(public_key).keyid


class _Signing(TufSigner):
    """One of our signers, as python-tuf wants them."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        self._key = _key_of(signer.public_key)

    @property
    def public_key(self) -> Key:
        return self._key

    def sign(self, payload: bytes) -> Signature:
        return Signature(self._key.keyid, self._signer.sign(payload).hex())

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: object = None) -> TufSigner:
        """Refuse: keys come from our own references, never from a URI in metadata."""
        del priv_key_uri, secrets_handler
        raise KeyUnsupported(f"the key {public_key.keyid[:16]} is not opened by a URI")


def _signed(content: Kind, signers: Sequence[Signer]) -> Metadata[Kind]:
    metadata = Metadata(content)
    for signer in signers:
        metadata.sign(_Signing(signer), append=True)
    return metadata


def _key_of(public_key: PublicKey) -> SSlibKey:
    if public_key.scheme not in _SCHEMES:
        raise KeyUnsupported(f"a {public_key.scheme} key does not sign TUF metadata: not all clients verify it")
    key: PublicKeyTypes = load_der_public_key(public_key.der)
    return SSlibKey.from_crypto(key)


def _public_key_of(key: Key) -> PublicKey:
    if not isinstance(key, SSlibKey):
        raise RootInvalid(f"the root has a key {key.keyid[:16]} of a kind that is not used here")
    try:
        crypto = key._crypto_key()  # noqa: SLF001 - the library has no public way from its keys to their encoding
        return PublicKey.from_der(crypto.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    except (ValueError, KeyUnsupported) as error:
        raise RootInvalid(f"the key {key.keyid[:16]} of the root is of a kind that is not used here") from error


def _set_online(root: Root, online: Mapping[str, PublicKey]) -> None:
    for role in ONLINE_ROLES:
        for key_id in list(root.roles[role].keyids) if role in root.roles else ():
            root.revoke_key(key_id, role)
        root.add_key(_key_of(online[role]), role)


def _read_root(data: bytes) -> Metadata[Root]:
    if len(data) > _MAX:
        raise RootInvalid(f"{len(data)} bytes are too many for a root")
    try:
        metadata = Metadata[Root].from_bytes(data)
    except (DeserializationError, RepositoryError) as error:
        raise RootInvalid("the bytes are not TUF metadata") from error
    if not isinstance(metadata.signed, Root):
        raise RootInvalid("the metadata is not that of a root")
    return metadata


def _check_threshold(by: Root, metadata: Metadata[Root]) -> None:
    found = by.get_verification_result(_ROOT, metadata.signed_bytes, metadata.signatures)
    if not found.verified:
        raise RootInvalid(
            f"root {metadata.signed.version} has {len(found.signed)} of the {found.threshold} signatures that root "
            f"{by.version} wants"
        )


def _summary(root: Root) -> RootSummary:
    def keys(role: str) -> dict[str, PublicKey]:
        return {key_id: _public_key_of(root.keys[key_id]) for key_id in root.roles[role].keyids}

    online = {role: tuple(keys(role).values()) for role in ONLINE_ROLES}
    return RootSummary(root.version, root.expires, root.roles[_ROOT].threshold, keys(_ROOT), online)


def _whole(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(microsecond=0)
