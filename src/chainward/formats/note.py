"""Signed notes: a text and the signatures under it, for people and machines to read.

Follows C2SP signed-note v1.0.0. In: bytes. Out: a :class:`Note`, not verified; signatures of unknown keys are kept, for
a verifier picks the ones it knows by name and key id. Read strictly, so that a note has one spelling:
``format_note(parse_note(data)) == data``.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from chainward.formats.codec import check_size, decode_base64, encode_base64
from chainward.formats.errors import Malformed, Unsupported, Unwritable

__all__ = [
    "MAX_NOTE",
    "Note",
    "NoteSignature",
    "VerifierKey",
    "ed25519_key_id",
    "format_note",
    "parse_note",
    "parse_verifier_key",
    "verifier_key",
]

MAX_NOTE: Final = 1024 * 1024
MAX_SIGNATURES: Final = 100
_WHAT: Final = "note"
_KEY: Final = "verifier key"
_MARK: Final = "\u2014 "  # em dash, space
_KEY_ID_SIZE: Final = 4
_ED25519: Final = b"\x01"
_ED25519_SIZE: Final = 32
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


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """An Ed25519 key and the name under which it signs notes."""

    name: str
    raw: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes by which signature lines refer to this key."""
        return ed25519_key_id(self.name, self.raw)[:_KEY_ID_SIZE]


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
    found = tail[:-1].split("\n", MAX_SIGNATURES)
    if len(found) > MAX_SIGNATURES:
        raise Malformed(_WHAT, f"has more than {MAX_SIGNATURES} signatures")
    return Note(f"{head}\n", tuple(_parse_signature(line) for line in found))


def format_note(note: Note) -> bytes:
    """Write a note; raises Unwritable when its text or a name cannot stand in one."""
    if not note.text.endswith("\n") or _CONTROL.search(note.text):
        raise Unwritable(_WHAT, "the text must end in a newline and hold no other control characters")
    if not 1 <= len(note.signatures) <= MAX_SIGNATURES:
        raise Unwritable(_WHAT, f"must have 1 to {MAX_SIGNATURES} signatures, not {len(note.signatures)}")
    signatures = "".join(_format_signature(signature) for signature in note.signatures)
    try:
        return f"{note.text}\n{signatures}".encode()
    except UnicodeEncodeError:
        raise Unwritable(_WHAT, "the text is not Unicode") from None


def ed25519_key_id(name: str, raw: bytes) -> bytes:
    """Return all 32 bytes of the key hash, SHA-256(name ‖ 0A ‖ 01 ‖ key); signature lines carry the first four."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + raw).digest()


def verifier_key(name: str, raw: bytes) -> str:
    """Write an Ed25519 key the way that operators hand it around: ``name+key id+base64``.

    >>> verifier_key("log.example", bytes(32))
    'log.example+f3e73440+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    if not _is_name(name) or len(raw) != _ED25519_SIZE:
        raise Unwritable(_KEY, "needs a name without spaces or plus, and 32 bytes")
    return f"{name}+{ed25519_key_id(name, raw)[:_KEY_ID_SIZE].hex()}+{encode_base64(_ED25519 + raw)}"


def parse_verifier_key(text: str) -> VerifierKey:
    """Read what :func:`verifier_key` writes; raises Malformed, or Unsupported for another algorithm."""
    name, _, rest = text.partition("+")
    key_id, plus, encoded = rest.partition("+")
    if not plus or not _is_name(name) or _KEY_ID.match(key_id) is None:
        raise Malformed(_KEY, f"{text[:80]!r} is not name+key id+base64")
    typed = decode_base64(encoded, what=_KEY)
    if typed[:1] != _ED25519:
        raise Unsupported(_KEY, "is not an Ed25519 key")
    if len(typed) != 1 + _ED25519_SIZE:
        raise Malformed(_KEY, "an Ed25519 key has 32 bytes")
    key = VerifierKey(name, typed[1:])
    if key.key_id.hex() != key_id:
        raise Malformed(_KEY, "the key id belongs to another name or key")
    return key


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name) and not _CONTROL.search(name)


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
