"""Published logs for tests: honest ones, and those that lie. A stand-in for TileLog over entries in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.ledger import naive

from chainward.formats.tile import TILE_WIDTH, EntriesPath, TilePath, encode_entries, encode_tile
from chainward.kernel.problem import Kind, Problem
from chainward.keys.local import PrivateKey
from chainward.ledger.checkpoint import NoteSigner
from chainward.ledger.cosign import verifier_of
from chainward.ledger.frontier import Frontier

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.formats.note import VerifierKey

__all__ = ["LOG", "ORIGIN", "ForeignLog", "MissingFile", "key", "leaves"]

ORIGIN: Final = "log.example.org/2026"


def key(seed: bytes) -> PrivateKey:
    """Return an Ed25519 key that is the same in every run."""
    return PrivateKey.of(Ed25519PrivateKey.from_private_bytes(seed * 32))


LOG: Final = NoteSigner(ORIGIN, key(b"l"))


def leaves(count: int, word: str = "entry") -> list[bytes]:
    """Return so many different entries."""
    return [f"{word} {number}".encode() for number in range(count)]


class MissingFile(Problem):
    """A file that a published log does not have."""

    kind = Kind.UNAVAILABLE
    code = "test-missing-file"


@dataclass
class ForeignLog:
    """A log as its operator publishes it; ``shown`` is the size of the checkpoint, ``asked`` what was fetched.

    Tiles and bundles of any size up to that of ``content`` are served. Tests replace single files in ``forged``.
    """

    content: list[bytes]
    signer: NoteSigner = LOG
    shown: int | None = None
    forged: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The keys of the log."""
        return (verifier_of(self.signer.origin, self.signer.signer.public_key),)

    @property
    def size(self) -> int:
        """How many entries the newest checkpoint covers."""
        return len(self.content) if self.shown is None else self.shown

    def signed(self, size: int | None = None) -> bytes:
        """Return the checkpoint that the log signs at a size."""
        covered = self.content[: self.size if size is None else size]
        frontier = Frontier()
        frontier.append(covered)
        return self.signer.sign(len(covered), frontier.root())

    def checkpoint(self) -> bytes:
        return self._file("checkpoint", self.signed)

    def tile(self, path: TilePath) -> bytes:
        return self._file(f"tile/{path}", lambda: self._tile(path))

    def entries(self, path: EntriesPath) -> bytes:
        return self._file(f"tile/entries/{path}", lambda: self._bundle(path))

    def _file(self, name: str, content: Callable[[], bytes]) -> bytes:
        self.asked.append(name)
        return self.forged[name] if name in self.forged else content()

    def _bundle(self, path: EntriesPath) -> bytes:
        start = path.index * TILE_WIDTH
        found = self.content[start : start + path.width]
        if len(found) != path.width:
            raise MissingFile(f"there is no bundle {path}")
        return encode_entries(found)

    def _tile(self, path: TilePath) -> bytes:
        span = TILE_WIDTH**path.level
        first = path.index * TILE_WIDTH
        if (first + path.width) * span > len(self.content):
            raise MissingFile(f"there is no tile {path}")
        return encode_tile(
            [naive.root(self.content[n * span : (n + 1) * span]) for n in range(first, first + path.width)]
        )
