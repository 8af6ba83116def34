"""In-toto statements: a predicate that is said of subjects, which are named by digest.

Follows in-toto Attestation Framework v1.2 (statement.md, resource_descriptor.md, digest_set.md); reads Statement v1 and
v0.1, writes v1. In: the payload of a DSSE envelope. Out: a :class:`Statement` whose predicate is still a plain object;
:mod:`~chainward.formats.slsa`, :mod:`~chainward.formats.vsa` and :mod:`~chainward.formats.testresult` read some of
them further. Unknown members are skipped, as the framework's parsing rules demand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chainward.formats.codec import decode_base64, decode_json, deterministic_json, encode_base64, without_empty
from chainward.formats.errors import Malformed, Unsupported, Unwritable
from chainward.kernel.digest import Algorithm, Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CYCLONEDX",
    "MAX_STATEMENT",
    "SLSA_PROVENANCE",
    "STATEMENT_V01",
    "STATEMENT_V1",
    "TEST_RESULT",
    "VSA",
    "ResourceDescriptor",
    "Statement",
    "Subject",
    "WireResource",
    "decode_statement",
    "encode_statement",
    "resource_members",
]

STATEMENT_V1: Final = "https://in-toto.io/Statement/v1"
STATEMENT_V01: Final = "https://in-toto.io/Statement/v0.1"

SLSA_PROVENANCE: Final = "https://slsa.dev/provenance/v1"
VSA: Final = "https://slsa.dev/verification_summary/v1"
TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
CYCLONEDX: Final = "https://cyclonedx.org/bom"

MAX_STATEMENT: Final = 24 * 1024 * 1024
_WHAT: Final = "in-toto statement"
_HEX: Final = re.compile(r"[0-9a-f]+\Z")


@dataclass(frozen=True, slots=True)
class ResourceDescriptor:
    """A thing: by name, by place, by digest, or by its bytes. As a subject it has at least one digest."""

    name: str = ""
    digest: Mapping[str, str] = field(default_factory=dict)
    uri: str = ""
    media_type: str = ""
    download_location: str = ""
    content: bytes = b""
    annotations: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, digest: Digest) -> ResourceDescriptor:
        """Describe the thing that has ``digest``.

        >>> ResourceDescriptor.of("web", Digest.of(b"")).digests()[0].algorithm
        <Algorithm.SHA256: 'sha256'>
        """
        return cls(name, {digest.algorithm.value: digest.hex})

    def digests(self) -> tuple[Digest, ...]:
        """Return the digests of accepted algorithms, sha256 first; others (gitCommit, sha1) are left out."""
        return tuple(Digest(known, self.digest[known.value]) for known in Algorithm if known.value in self.digest)


Subject = ResourceDescriptor


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said (``predicate``, of ``predicate_type``) of whom (``subjects``); nobody has verified it."""

    subjects: tuple[ResourceDescriptor, ...]
    predicate_type: str
    predicate: dict[str, Any]

    def is_about(self, digest: Digest) -> bool:
        """Whether one of the subjects has this very digest."""
        return any(digest in subject.digests() for subject in self.subjects)


class WireResource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The JSON form of a resource descriptor, as a member of other documents."""

    name: str | None = None
    uri: str | None = None
    digest: dict[str, str] | None = None
    content: str | None = None
    download_location: str | None = None
    media_type: str | None = None
    annotations: dict[str, Any] | None = None

    def value(self, what: str) -> ResourceDescriptor:
        """Return the descriptor; raises Malformed when a sha256 or sha512 is not one, or the content not base64."""
        digest = self.digest or {}
        for known in Algorithm:
            text = digest.get(known.value)
            if text is not None and (len(text) != known.hex_length or _HEX.match(text) is None):
                raise Malformed(what, f"{text[:140]!r} is not a {known.value}")
        return ResourceDescriptor(
            self.name or "",
            digest,
            self.uri or "",
            self.media_type or "",
            self.download_location or "",
            decode_base64(self.content or "", what=what, url_safe_too=True),
            self.annotations or {},
        )


class _WireStatement(msgspec.Struct, frozen=True, kw_only=True):
    type: str = msgspec.field(name="_type")
    subject: tuple[WireResource, ...]
    predicate_type: str = msgspec.field(name="predicateType")
    predicate: dict[str, Any] | None = None


def decode_statement(payload: bytes, *, limit: int = MAX_STATEMENT) -> Statement:
    """Read a statement.

    Raises:
        TooLarge: more than ``limit`` bytes.
        Unsupported: another ``_type``.
        Malformed: no subject, a subject without digest, a missing member.
    """
    wire = decode_json(payload, _WireStatement, limit=limit, what=_WHAT)
    if wire.type not in {STATEMENT_V1, STATEMENT_V01}:
        raise Unsupported(_WHAT, f"{wire.type[:120]!r} is not a known type of statement")
    if not wire.subject or not wire.predicate_type:
        raise Malformed(_WHAT, "subject or predicateType is empty")
    if not all(subject.digest for subject in wire.subject):
        raise Malformed(_WHAT, "a subject has no digest")
    subjects = tuple(subject.value(_WHAT) for subject in wire.subject)
    return Statement(subjects, wire.predicate_type, wire.predicate or {})


def encode_statement(statement: Statement) -> bytes:
    """Write a statement (v1); equal statements give equal bytes; raises Unwritable for one without subjects."""
    if not statement.subjects or not statement.predicate_type or not all(each.digest for each in statement.subjects):
        raise Unwritable(_WHAT, "needs a predicate type and subjects with digests")
    return deterministic_json(
        {
            "_type": STATEMENT_V1,
            "subject": [resource_members(subject) for subject in statement.subjects],
            "predicateType": statement.predicate_type,
            "predicate": statement.predicate,
        }
    )


def resource_members(resource: ResourceDescriptor) -> dict[str, Any]:
    """Return the JSON members of a descriptor, without the empty ones."""
    return without_empty(
        {
            "name": resource.name,
            "uri": resource.uri,
            "digest": dict(resource.digest),
            "content": encode_base64(resource.content),
            "downloadLocation": resource.download_location,
            "mediaType": resource.media_type,
            "annotations": dict(resource.annotations),
        }
    )
