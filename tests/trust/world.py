"""A small world to sign in: keys, a signature log in memory, a trust root, and the parts of a bundle to tamper with.

The log implements the SignatureLog port over a naive RFC 9162 tree, which shares no code with the product's, so it is
also the oracle for proofs. Everything that :mod:`chainward.trust` calls verified is made here by really verifying it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from chainward.formats.bundle import InclusionProof, LogEntry
from chainward.formats.intoto import SLSA_PROVENANCE, ResourceDescriptor, Statement
from chainward.formats.rekor import ENTRY_KIND, ENTRY_VERSION, HashedRekord, canonical_body
from chainward.formats.trusted_root import LogKey, TrustedRoot, encode_trusted_root
from chainward.kernel.digest import Digest
from chainward.kernel.name import RepositoryName, RepositoryPattern
from chainward.keys.local import PrivateKey, generate
from chainward.keys.model import Scheme
from chainward.ledger.checkpoint import NoteSigner
from chainward.trust.model import TrustedLog, TrustedSigner, TrustMaterial, TrustRoot, VerifiedStatement
from chainward.trust.sign import sign_statement
from chainward.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ORIGIN = "log.example.test"
SHOP = RepositoryName("shop/web")
IMAGE = Digest.of(b"an image manifest")
OTHER_IMAGE = Digest.of(b"another image manifest")
THEN = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@cache
def key(name: str) -> PrivateKey:
    """A P-256 key that is the same for the same name within one process."""
    del name
    return generate(Scheme.ECDSA_P256_SHA256)


def log_key(name: str = "log") -> PrivateKey:
    """An Ed25519 key of a log, derived from its name."""
    return _log_key(name)


@cache
def _log_key(name: str) -> PrivateKey:
    del name
    return generate(Scheme.ED25519)


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The tree hash as RFC 9162 §2.1.1 defines it."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return hashlib.sha256(b"\x01" + tree_root(leaves[:split]) + tree_root(leaves[split:])).digest()


def tree_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The inclusion proof as RFC 9162 §2.1.3.1 defines it."""
    if len(leaves) == 1:
        return []
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < split:
        return [*tree_path(index, leaves[:split]), tree_root(leaves[split:])]
    return [*tree_path(index - split, leaves[split:]), tree_root(leaves[:split])]


@dataclass
class MemoryLog:
    """A signature log that forgets everything when the test ends."""

    origin: str = ORIGIN
    name: str = "log"
    leaves: list[bytes] = field(default_factory=lambda: [b"genesis", b"first", b"second"])

    @property
    def signer(self) -> NoteSigner:
        return NoteSigner(self.origin, log_key(self.name))

    @property
    def log(self) -> TrustedLog:
        return TrustedLog.of(self.origin, log_key(self.name).public_key)

    def submit(self, entry: HashedRekord) -> LogEntry:
        return self.append(canonical_body(entry))

    def append(self, body: bytes) -> LogEntry:
        """Append any bytes, also such as an honest log would refuse."""
        if body not in self.leaves:
            self.leaves.append(body)
        return self.entry(self.leaves.index(body))

    def entry(self, index: int) -> LogEntry:
        """The entry at ``index`` with a proof in the tree of now."""
        root = tree_root(self.leaves)
        note = self.signer.sign(len(self.leaves), root).decode()
        proof = InclusionProof(index, len(self.leaves), root, tuple(tree_path(index, self.leaves)), note)
        return LogEntry(index, self.log.key_id, ENTRY_KIND, ENTRY_VERSION, 0, proof, self.leaves[index])


def trusted(
    name: str = "release",
    repositories: Sequence[str] = ("shop/**",),
    predicates: Sequence[str] = ("*",),
    distrusted_at: datetime | None = None,
) -> TrustedSigner:
    """The signer ``name`` with the key of that name."""
    return TrustedSigner(
        name=name,
        public_key=key(name).public_key,
        repositories=tuple(map(RepositoryPattern, repositories)),
        predicates=tuple(predicates),
        trusted_since=THEN,
        distrusted_at=distrusted_at,
    )


def root_of(*signers: TrustedSigner, logs: Sequence[TrustedLog] | None = None) -> TrustRoot:
    """A root that trusts ``signers`` (default: release) and the log of this world."""
    return TrustRoot(signers or (trusted(),), TrustMaterial(tuple(logs) if logs is not None else (MemoryLog().log,)))


def statement(
    digest: Digest = IMAGE, predicate_type: str = SLSA_PROVENANCE, predicate: Mapping[str, Any] | None = None
) -> Statement:
    """A statement about ``digest``."""
    return Statement((ResourceDescriptor.of("web", digest),), predicate_type, dict(predicate or {"says": "so"}))


def bundle_of(said: Statement | None = None, *, signer: str = "release", log: MemoryLog | None = None) -> bytes:
    """A valid bundle, signed by the key named ``signer``."""
    return sign_statement(said or statement(), key(signer), log or MemoryLog())


def verified(
    digest: Digest = IMAGE,
    predicate_type: str = SLSA_PROVENANCE,
    predicate: Mapping[str, Any] | None = None,
    *,
    signer: str = "release",
) -> VerifiedStatement:
    """A statement that really was signed, logged and verified."""
    bundle = bundle_of(statement(digest, predicate_type, predicate), signer=signer)
    return verify_bundle(bundle, root_of(trusted(signer, ("**",))), subject=digest, repository=None)


def opened(bundle: bytes) -> dict[str, Any]:
    """The JSON of a bundle, to be tampered with."""
    document: dict[str, Any] = json.loads(bundle)
    return document


def closed(document: Mapping[str, Any]) -> bytes:
    """The bytes of a tampered bundle."""
    return json.dumps(document).encode()


def the_entry(document: dict[str, Any]) -> dict[str, Any]:
    """The one log entry of an opened bundle."""
    entry: dict[str, Any] = document["verificationMaterial"]["tlogEntries"][0]
    return entry


def b64(data: bytes) -> str:
    """Base64 as in bundles."""
    return base64.b64encode(data).decode()


def trusted_root_json(logs: Sequence[TrustedLog], start: datetime) -> bytes:
    """A trusted root that names these logs, in use since ``start``, and no other service."""
    keys = (
        LogKey(
            origin=log.origin,
            base_url=f"https://{log.origin}",
            public_key_der=log.public_key.der,
            key_details=log.public_key.scheme.value,
            key_id=log.key_id,
            start=start,
        )
        for log in logs
    )
    return encode_trusted_root(TrustedRoot(tuple(keys)))
