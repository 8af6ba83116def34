"""Signers behind key references, and key files: read with a limit, written once, whole, and for nobody else.

A new key appears under its name complete or not at all: it is written to a file of mode 0600 beside it, synced, and
linked to its name, which fails if that exists. A key file is never overwritten; whoever wants another key takes another
name. Where the passphrase comes from is the caller's business and is asked for only when a key needs one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chainward.keys.errors import KeyFileExists, KeyFileUnreadable, KeyFileUnwritable, KeyReferenceInvalid
from chainward.keys.local import load_private_key
from chainward.keys.pkcs8 import is_encrypted

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.keys.local import PrivateKey
    from chainward.keys.uri import KeyReference

__all__ = ["open_signer", "passphrase_of_file", "read_key_file", "write_secret_file"]

_MAX_FILE: Final = 16 * 1024
_OWNER_ONLY: Final = 0o600


def open_signer(
    reference: KeyReference,
    passphrase: bytes | Callable[[], bytes | None] | None,
    *,
    allow_unencrypted: bool = False,
) -> PrivateKey:
    """Return the signer behind ``reference``.

    ``passphrase`` may be a function that asks somebody: it is called once, and only for an encrypted key.

    Raises:
        KeyReferenceInvalid: a scheme that is not known here.
        KeyFileUnreadable: no such file.
        Problem: what :func:`~chainward.keys.local.load_private_key` raises.
    """
    if reference.scheme != "file":
        raise KeyReferenceInvalid(f"there is no kind of key {reference.scheme!r}", hint="Known is: file:PATH")
    pem = read_key_file(Path(reference.place))
    if callable(passphrase):
        passphrase = passphrase() if is_encrypted(pem) else None
    return load_private_key(pem, passphrase, allow_unencrypted=allow_unencrypted)


def read_key_file(path: Path) -> bytes:
    """Return the content of a key file.

    Raises:
        KeyFileUnreadable: it is not there, not readable, or larger than any key.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except (OSError, ValueError) as error:
        raise KeyFileUnreadable(f"cannot read {path}: {_reason(error)}") from None
    if len(data) > _MAX_FILE:
        raise KeyFileUnreadable(f"{path} is larger than {_MAX_FILE} bytes, so it is not a key")
    return data


def passphrase_of_file(path: Path) -> bytes:
    """Return the passphrase in a file: its first line, without the end of the line; raises KeyFileUnreadable."""
    first, _, rest = read_key_file(path).partition(b"\n")
    if rest.strip():
        raise KeyFileUnreadable(f"{path} has more than one line, so it is not a passphrase")
    return first.removesuffix(b"\r")


def write_secret_file(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read; durable and complete when this returns.

    Raises:
        KeyFileExists: there is something of this name.
        KeyFileUnwritable: anything else that the system refuses.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        _write_synced(draft, data)
        path.hardlink_to(draft)
        _sync_folder(path.parent)
    except FileExistsError:
        raise KeyFileExists(f"{path} exists") from None
    except OSError as error:
        raise KeyFileUnwritable(f"cannot write {path}: {_reason(error)}") from None
    finally:
        with suppress(OSError):
            draft.unlink()


def _write_synced(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - the descriptor was opened with its mode
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "the path is not one"
