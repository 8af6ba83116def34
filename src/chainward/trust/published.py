"""Where a signature was first published: what binds a statement to a repository, since no bundle names one.

In: a bundle as it came in. Out: the id of its signature, under which the platform notes in which repository it came in
when; and from these notes, whether it counts in a repository.

The id stays the same whatever can be changed about a bundle without the signer: its JSON, its log entry, timestamps,
and the other of the two values that the second half of an ECDSA signature can have (``s`` and ``n - s`` are both valid,
SEC 1 §4.1.4). So it is made of what was signed and of the first half, ``r``; of other signatures it has every byte.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from chainward.formats.bundle import decode_bundle
from chainward.formats.dsse import pae
from chainward.formats.errors import Malformed
from chainward.kernel.digest import Algorithm, Digest
from chainward.trust.proven import MessageDigest, StatementPayload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from chainward.kernel.name import RepositoryName
    from chainward.trust.model import TrustedSigner

__all__ = ["Publication", "earliest", "first_within", "signature_id", "signature_of"]


@dataclass(frozen=True, slots=True)
class Publication:
    """A repository that a signature came into, and when; ``fact_index`` orders all publications."""

    repository: RepositoryName
    at: datetime
    fact_index: int


def signature_id(bundle: bytes) -> Digest:
    """Return the id of the signature in a bundle, of which nothing is verified.

    Raises:
        TooLarge, Malformed, Unsupported: it is not a bundle.
    """
    read = decode_bundle(bundle)
    if read.envelope is not None and read.envelope.signatures:
        signature = read.envelope.signatures[0].sig
        return signature_of(StatementPayload(read.envelope.payload, read.envelope.payload_type), signature)
    if read.message_signature is None:
        raise Malformed("sigstore bundle", "has no signature")
    message = read.message_signature
    return signature_of(MessageDigest(message.digest_algorithm, message.digest), message.signature)


def signature_of(payload: StatementPayload | MessageDigest, signature: bytes) -> Digest:
    """Return the id of a signature over a payload, or over the digest of a file."""
    content = pae(payload.payload_type, payload.payload) if isinstance(payload, StatementPayload) else payload.digest
    made = hashlib.sha256(hashlib.sha256(content).digest() + _fixed(signature))
    return Digest(Algorithm.SHA256, made.hexdigest())


def first_within(publications: Iterable[Publication], signer: TrustedSigner) -> RepositoryName | None:
    """Return the repository of the signer's scope that a signature came into first, None if there is none.

    Publications elsewhere do not count: who may push to some repository that the signer has nothing to do with could
    otherwise take a statement away from where it belongs, by publishing it there first.
    """
    return next((each.repository for each in publications if signer.covers(each.repository)), None)


def earliest(publications: Sequence[Publication]) -> datetime | None:
    """Return when a signature first came to the platform."""
    return min((each.at for each in publications), default=None)


def _fixed(signature: bytes) -> bytes:
    """Return the part of a signature that nobody can change without the key."""
    try:
        first, _ = decode_dss_signature(signature)
    except ValueError:
        return b"\x00" + signature
    return b"\x01" + first.to_bytes((first.bit_length() + 7) // 8, "big")
