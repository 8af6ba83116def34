"""What can be wrong with keys, passphrases and signatures."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = [
    "KeyFileExists",
    "KeyFileUnreadable",
    "KeyFileUnwritable",
    "KeyMalformed",
    "KeyReferenceInvalid",
    "KeyUnencrypted",
    "KeyUnsupported",
    "PassphraseWeak",
    "PassphraseWrong",
    "SignatureInvalid",
]


class SignatureInvalid(Problem):
    """The signature was not made by this key over these bytes."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "signature-invalid"
    hint = "The content was changed after it was signed, or another key signed it: sign it again with the right key."


class KeyMalformed(Problem):
    """The bytes are not a key, or not a key in its one encoding."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "key-malformed"
    hint = "Give a PEM file as `chainward keys generate` or `openssl pkey -pubout` writes it."


class KeyUnsupported(Problem):
    """The key is of a type that Chainward does not use for this."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "key-unsupported"
    hint = "Use an ECDSA P-256 key for artifacts; make one with: chainward keys generate"


class KeyUnencrypted(Problem):
    """The private key lies in the clear."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "key-unencrypted"
    hint = "Encrypt it: openssl pkcs8 -topk8 -scrypt -in clear.key -out release.key, then destroy the clear file."


class PassphraseWrong(Problem):
    """The passphrase does not open the private key."""

    kind: ClassVar[Kind] = Kind.UNAUTHENTICATED
    code: ClassVar[str] = "key-passphrase-wrong"
    hint = "Check CHAINWARD_KEY_PASSPHRASE_FILE, and that the file ends where the passphrase ends."


class PassphraseWeak(Problem):
    """The passphrase is too short or too long to protect a key."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "key-passphrase-weak"
    hint = "Use 8 to 1,024 bytes, for example five random words."


class KeyReferenceInvalid(Problem):
    """The text does not say where a key is."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "key-reference-invalid"
    hint = "Name a key as file:PATH, for example file:release.key."


class KeyFileUnreadable(Problem):
    """A key or passphrase file is not there, or cannot be read."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "key-file-unreadable"
    hint = "Check the path and that you may read it; make a key with: chainward keys generate"


class KeyFileExists(Problem):
    """There is a file of this name; keys are never overwritten."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "key-file-exists"
    hint = "Choose another name, or move the old file away."


class KeyFileUnwritable(Problem):
    """The file cannot be written there."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "key-file-unwritable"
    hint = "Check that the folder exists, that you may write to it, and that the disk is not full."
