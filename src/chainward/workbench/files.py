"""Files on a workstation: read up to a limit, written whole, never over what would be lost; and keys in files."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chainward.kernel.digest import Digest
    from chainward.keys.local import PrivateKey
    from chainward.keys.model import PublicKey

__all__ = [
    "FileUnusable",
    "OutputRefused",
    "check_key_pair",
    "check_new",
    "check_output",
    "file_digest",
    "key_text",
    "open_key",
    "read_bytes",
    "read_public_key",
    "signable_digest",
    "store_key",
    "write_bytes",
    "write_durably",
    "write_secret",
]

_KEY_TEXT_LIMIT: Final = 4096
_ENCODED_ENVELOPE: Final = b"DSSEv1 "


class FileUnusable(Problem):
    """A file that was named on the command line cannot be read, or is too large for what it should hold."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "file-unusable"
    hint = "Check the path; files of evidence are at most a few megabytes."


class OutputRefused(Problem):
    """Writing there would destroy something that is not a former result, or what the verb is about to read."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "output-refused"
    hint = "Name another place with -o; nothing was written."


def open_key(reference: str, passphrase: Callable[[], bytes]) -> PrivateKey:
    """Open the private key that a reference such as ``file:release.key`` names; asks for a passphrase if it has one."""
    from chainward.adapters.signers import open_signer
    from chainward.keys.uri import KeyReference

    return open_signer(KeyReference.parse(reference), passphrase)


def check_key_pair(private: Path, public: Path) -> None:
    """Raise OutputRefused unless both halves of a key can be written as new files."""
    if private == public:
        raise OutputRefused(f"{private} would hold both halves of the key", hint="Name the private key FILE.key.")
    check_new(private)
    check_new(public)


def store_key(private: Path, public: Path, key: PrivateKey, passphrase: bytes) -> None:
    """Write a key pair into two new files, the private half under ``passphrase``."""
    from chainward.adapters.signers import write_secret_file

    check_key_pair(private, public)
    write_secret_file(private, key.encrypted_pem(passphrase))
    write_bytes(public, key.public_key.pem)


def read_public_key(path: Path) -> PublicKey:
    """Return the public key in a PEM file."""
    from chainward.adapters.signers import read_key_file
    from chainward.keys.model import PublicKey

    return PublicKey.from_pem(read_key_file(path))


def key_text(text: str) -> str:
    """Return a verifier key that is given as it is, or as the name of a file that holds it."""
    from pathlib import Path

    if "+" in text and not Path(text).is_file():
        return text
    return read_bytes(Path(text), _KEY_TEXT_LIMIT).decode("utf-8", "replace").strip()


def write_secret(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read."""
    from chainward.adapters.signers import write_secret_file

    write_secret_file(path, content)


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the content of a file; raises FileUnusable above ``limit`` bytes."""
    try:
        with path.open("rb") as handle:
            content = handle.read(limit + 1)
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from error
    if len(content) > limit:
        raise FileUnusable(f"{path} is larger than {limit} bytes")
    return content


def check_new(path: Path) -> None:
    """Raise OutputRefused if something stands at ``path``; called before work whose result could not be kept."""
    if path.exists() or path.is_symlink():
        raise OutputRefused(f"{path} exists, and is not overwritten")
    _check_folder(path)


def check_output(path: Path, *inputs: Path) -> None:
    """Raise OutputRefused if ``path`` is one of the inputs; called before work whose result could not be kept."""
    if any(path.resolve() == each.resolve() for each in inputs):
        raise OutputRefused(f"{path} is what is read, and would be lost")
    _check_folder(path)


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileUnusable(f"{path}: there is no folder {path.parent}", hint="Make the folder first.")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as a whole: whoever reads it meanwhile sees the old content or the new one.

    A link in its place is replaced and not followed; a device or a pipe, such as /dev/stdout, is written to.

    Raises:
        FileUnusable: the system refuses.
    """
    from chainward.adapters.folder import write_whole

    try:
        write_whole(path, content)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be written: {error.strerror}") from error


def write_durably(path: Path, content: bytes) -> None:
    """Write a file as a whole, so that it survives a power loss once this returns; raises FileUnusable."""
    from chainward.adapters.folder import write_whole

    try:
        write_whole(path, content, durable=True)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be written: {error.strerror}") from error


def file_digest(path: Path, hash_name: str = "sha256") -> Digest:
    """Return the digest of a file of any size; raises FileUnusable, also for a hash that names no artifacts."""
    return _digest(path, hash_name)


def signable_digest(path: Path, hash_name: str) -> Digest:
    """Return the digest of a file that is to be signed as such.

    Raises:
        FileUnusable: as :func:`file_digest`; or the file is the encoding of a DSSE envelope. Logs and signatures hold
            digests alone, so a signature over such a file is one over the statement in it, whoever wrote that.
    """
    return _digest(path, hash_name, refused=_ENCODED_ENVELOPE)


def _digest(path: Path, hash_name: str, *, refused: bytes = b"") -> Digest:
    import hashlib

    from chainward.kernel.digest import Algorithm, Digest

    if hash_name not in set(Algorithm):
        raise FileUnusable(f"files are not named by their {hash_name}", hint="Sign with a key on P-256 or P-521.")
    try:
        with path.open("rb") as handle:
            if refused and handle.read(len(refused)) == refused:
                raise FileUnusable(
                    f"{path} is an encoded envelope: to sign it as a file would be to sign what it states",
                    hint="If you mean the statement in it, sign that: chainward sign --in-toto STATEMENT",
                )
            handle.seek(0)
            return Digest(Algorithm(hash_name), hashlib.file_digest(handle, hash_name).hexdigest())
    except OSError as error:
        raise FileUnusable(f"{path}: {error.strerror}") from error
