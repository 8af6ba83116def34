"""Signed notes: a text and the signatures under it, for people and machines to read.

Follows C2SP signed-note v1.0.0. In: bytes. Out: a :class:`Note`, not verified; signatures of unknown keys, and of types
that nobody here knows, are kept, for a verifier picks the ones it knows by name and key id. Read strictly, so that a
note has one spelling: ``format_note(parse_note(data)) == data``.

Verifier keys are of the types that Chainward verifies: Ed25519 (01), ECDSA (02, whose key id is the plain SHA-256 of
the SubjectPublicKeyInfo), and timestamped Ed25519 cosignatures (04, C2SP tlog-cosignature).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Self

from chainward.formats.codec import check_size, decode_base64, encode_base64
from chainward.formats.errors import Malformed, Unsupported, Unwritable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "MAX_NOTE",
    "Note",
    "NoteSignature",
    "SignatureType",
    "VerifierKey",
    "ecdsa_key_id",
    "ed25519_key_id",
    "format_note",
    "format_signatures",
    "note_key_id",
    "parse_note",
    "parse_signatures",
    "parse_verifier_key",
    "verifier_key",
]

MAX_NOTE: Final = 1024 * 1024
MAX_SIGNATURES: Final = 100
_WHAT: Final = "note"
_KEY: Final = "verifier key"
_MARK: Final = "\u2014 "  # em dash, space
_KEY_ID_SIZE: Final = 4
_ED25519_SIZE: Final = 32
_MAX_KEY: Final = 512
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}\Z")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who claims to have signed, the first four bytes of the key's hash, the signature."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends in a newline, and its signatures in the order of their lines."""

    text: str
    signatures: tuple[NoteSignature, ...]


class SignatureType(IntEnum):
    """What kind of signature a key makes; the value is its byte in a verifier key."""

    ED25519 = 0x01
    ECDSA = 0x02
    COSIGNATURE = 0x04


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key, the name under which it signs notes, and how; as text, what operators hand around.

    ``raw`` is the key material: 32 bytes of an Ed25519 key, or the SubjectPublicKeyInfo of an ECDSA key.

    >>> str(VerifierKey("witness.example", bytes(32), SignatureType.COSIGNATURE))
    'witness.example+3ac253b8+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """

    name: str
    raw: bytes
    type: SignatureType = SignatureType.ED25519

    @property
    def key_id(self) -> bytes:
        """The four bytes by which signature lines refer to this key."""
        return note_key_id(self.name, self.type, self.raw)[:_KEY_ID_SIZE]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` writes; raises Malformed, or Unsupported for another algorithm."""
        name, _, rest = text.partition("+")
        key_id, plus, encoded = rest.partition("+")
        if not plus or not _is_name(name) or _KEY_ID.match(key_id) is None:
            raise Malformed(_KEY, f"{text[:80]!r} is not name+key id+base64")
        typed = decode_base64(encoded, what=_KEY)
        key = cls(name, typed[1:], _type_of(typed))
        if not _fits(key):
            raise Malformed(_KEY, f"{len(key.raw)} bytes are not the material of such a key")
        if key.key_id.hex() != key_id:
            raise Malformed(_KEY, "the key id belongs to another name or key")
        return key

    def __str__(self) -> str:
        if not _is_name(self.name) or not _fits(self):
            raise Unwritable(_KEY, "needs a name without spaces or plus, and material of its type")
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.type]) + self.raw)}"


def parse_note(data: bytes) -> Note:
    """Read a note; raises TooLarge or Malformed."""
    check_size(data, limit=MAX_NOTE, what=_WHAT)
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(_WHAT, str(error)) from None
    if _CONTROL.search(whole):
        raise Malformed(_WHAT, "contains a control character")
    head, blank, tail = whole.rpartition("\n\n")
    if not blank:
        raise Malformed(_WHAT, "no blank line separates text and signatures")
    if not tail.endswith("\n"):
        raise Malformed(_WHAT, "does not end in a newline")
    return Note(f"{head}\n", _parse_lines(tail))


def parse_signatures(data: bytes) -> tuple[NoteSignature, ...]:
    """Read signature lines that stand alone, without the text that they sign; raises TooLarge or Malformed."""
    check_size(data, limit=MAX_NOTE, what=_WHAT)
    try:
        lines = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed(_WHAT, str(error)) from None
    if _CONTROL.search(lines) or not lines.endswith("\n"):
        raise Malformed(_WHAT, "the signature lines hold a control character, or the last of them has no end")
    return _parse_lines(lines)


def format_note(note: Note) -> bytes:
    """Write a note; raises Unwritable when its text or a name cannot stand in one."""
    if not note.text.endswith("\n") or _CONTROL.search(note.text):
        raise Unwritable(_WHAT, "the text must end in a newline and hold no other control characters")
    if not 1 <= len(note.signatures) <= MAX_SIGNATURES:
        raise Unwritable(_WHAT, f"must have 1 to {MAX_SIGNATURES} signatures, not {len(note.signatures)}")
    try:
        return f"{note.text}\n".encode() + format_signatures(note.signatures)
    except UnicodeEncodeError:
        raise Unwritable(_WHAT, "the text is not Unicode") from None


def format_signatures(signatures: Iterable[NoteSignature]) -> bytes:
    """Write signature lines; raises Unwritable when a name or a signature cannot stand in one."""
    return "".join(_format_signature(signature) for signature in signatures).encode()


def note_key_id(name: str, kind: SignatureType, raw: bytes) -> bytes:
    """Return all 32 bytes of the key hash; signature lines carry the first four.

    SHA-256(name ‖ 0A ‖ type ‖ key), but for an ECDSA key SHA-256(SubjectPublicKeyInfo).
    """
    if kind is SignatureType.ECDSA:
        return ecdsa_key_id(raw)
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + raw).digest()


def ecdsa_key_id(der: bytes) -> bytes:
    """Return all 32 bytes of the key hash of an ECDSA key, which leaves its name out: SHA-256(SubjectPublicKeyInfo)."""
    return hashlib.sha256(der).digest()


def ed25519_key_id(name: str, raw: bytes) -> bytes:
    """Return all 32 bytes of the key hash, SHA-256(name ‖ 0A ‖ 01 ‖ key); signature lines carry the first four."""
    return note_key_id(name, SignatureType.ED25519, raw)


def verifier_key(name: str, raw: bytes) -> str:
    """Write an Ed25519 key the way that operators hand it around: ``name+key id+base64``.

    >>> verifier_key("log.example", bytes(32))
    'log.example+f3e73440+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    return str(VerifierKey(name, raw))


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a verifier key of any known type; raises Malformed, or Unsupported for another algorithm."""
    return VerifierKey.parse(text)


def _type_of(typed: bytes) -> SignatureType:
    try:
        return SignatureType(typed[0])
    except (IndexError, ValueError):
        raise Unsupported(_KEY, "is of no signature type that is verified here (01, 02, 04)") from None


def _fits(key: VerifierKey) -> bool:
    """Whether the material has a size that such a key can have."""
    if key.type is SignatureType.ECDSA:
        return _ED25519_SIZE < len(key.raw) <= _MAX_KEY
    return len(key.raw) == _ED25519_SIZE


def _is_name(name: str) -> bool:
    return name.split() == [name] and "+" not in name and not _CONTROL.search(name)


def _parse_lines(lines: str) -> tuple[NoteSignature, ...]:
    found = lines[:-1].split("\n", MAX_SIGNATURES)
    if len(found) > MAX_SIGNATURES:
        raise Malformed(_WHAT, f"has more than {MAX_SIGNATURES} signatures")
    return tuple(_parse_signature(line) for line in found)


def _parse_signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not space or not _is_name(name):
        raise Malformed(_WHAT, f"{line[:80]!r} is not a signature line")
    data = decode_base64(encoded, what=_WHAT)
    if len(data) <= _KEY_ID_SIZE:
        raise Malformed(_WHAT, "a signature line has no signature")
    return NoteSignature(name, data[:_KEY_ID_SIZE], data[_KEY_ID_SIZE:])


def _format_signature(signature: NoteSignature) -> str:
    if not _is_name(signature.name) or len(signature.key_id) != _KEY_ID_SIZE or not signature.signature:
        raise Unwritable(_WHAT, f"{signature.name[:80]!r} cannot sign: name, key id or signature is not of the format")
    return f"{_MARK}{signature.name} {encode_base64(signature.key_id + signature.signature)}\n"
