"""A layer's bytes as a bounded stream: hashed as they are stored, unpacked as they are read.

The stream ends with a problem, not with memory, when a layer unpacks to more than the limits allow (a decompression
bomb), takes too long, or is not the content that its digest names.
"""

from __future__ import annotations

import hmac
import time
import zlib
from typing import TYPE_CHECKING, Final

from chainward.sbom.errors import TreeUnreadable

if TYPE_CHECKING:
    from chainward.adapters.tree.limits import Limits
    from chainward.formats.oci import Descriptor
    from chainward.sbom.ports import Blob

__all__ = ["Budget", "LayerStream"]

_CHUNK: Final = 256 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_WITH_GZIP_HEADER: Final = 31


class Budget:
    """What is left of the limits for a whole image."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._bytes = limits.unpacked
        self._entries = limits.entries
        self._deadline = time.monotonic() + limits.seconds

    def spend_bytes(self, count: int) -> None:
        """Account for unpacked bytes; raises ``TreeUnreadable`` when there are too many or time is over."""
        self._bytes -= count
        if self._bytes < 0:
            raise TreeUnreadable(f"the layers unpack to more than {self.limits.unpacked} bytes")
        if time.monotonic() > self._deadline:
            raise TreeUnreadable(f"reading the layers takes longer than {self.limits.seconds:g} seconds")

    def spend_entry(self) -> None:
        """Account for one entry of an archive; raises ``TreeUnreadable`` when there are too many."""
        self._entries -= 1
        if self._entries < 0:
            raise TreeUnreadable(f"the layers have more than {self.limits.entries} entries")


class LayerStream:
    """Reads one layer once, forward only."""

    def __init__(self, blob: Blob, descriptor: Descriptor, budget: Budget) -> None:
        self._blob = blob
        self._descriptor = descriptor
        self._budget = budget
        self._hasher = descriptor.digest.algorithm.hasher()
        self._stored = 0
        self._unpacked = 0
        self._buffer = bytearray()
        self._offset = 0
        self._raw = self._fetch()
        self._decoder = self._first_decoder()

    def read(self, count: int) -> bytes:
        """Return ``count`` bytes; raises ``TreeUnreadable`` when the layer ends before."""
        while len(self._buffer) - self._offset < count:
            more = self._unpack()
            if not more:
                raise TreeUnreadable(f"the layer {self._descriptor.digest} is cut off")
            self._buffer += more
        data = bytes(self._buffer[self._offset : self._offset + count])
        self._offset += count
        if self._offset > _CHUNK:
            del self._buffer[: self._offset]
            self._offset = 0
        return data

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes."""
        while count > 0:
            step = min(count, _CHUNK)
            self.read(step)
            count -= step

    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        if len(self._buffer) == self._offset:
            self._buffer, self._offset = bytearray(self._unpack()), 0
        return not self._buffer

    def finish(self) -> None:
        """Read what is left and prove the digest; raises ``TreeUnreadable``."""
        while self._fetch():
            pass  # fetching is hashing
        if not hmac.compare_digest(self._hasher.hexdigest(), self._descriptor.digest.hex):
            raise TreeUnreadable(f"the layer {self._descriptor.digest} is not what its digest says")

    def _first_decoder(self) -> zlib._Decompress | None:
        if self._raw.startswith(_ZSTANDARD):
            raise TreeUnreadable(
                f"the layer {self._descriptor.digest} is compressed with zstd",
                hint="Push the image with gzip-compressed layers.",
            )
        return zlib.decompressobj(_WITH_GZIP_HEADER) if self._raw.startswith(_GZIP) else None

    def _fetch(self) -> bytes:
        data = self._blob.read(_CHUNK)
        self._hasher.update(data)
        self._stored += len(data)
        if self._stored > self._descriptor.size:
            raise TreeUnreadable(f"the layer {self._descriptor.digest} is longer than its descriptor says")
        return data

    def _unpack(self) -> bytes:
        """Return the next piece of the archive, empty at its end."""
        data = self._unpack_plain() if self._decoder is None else self._unpack_gzip(self._decoder)
        self._unpacked += len(data)
        self._budget.spend_bytes(len(data))
        limits = self._budget.limits
        if self._unpacked > limits.ratio_from and self._unpacked > limits.ratio * self._stored:
            raise TreeUnreadable(f"the layer {self._descriptor.digest} unpacks to over {limits.ratio} times its size")
        return data

    def _unpack_plain(self) -> bytes:
        data, self._raw = self._raw, self._fetch() if self._raw else b""
        return data

    def _unpack_gzip(self, decoder: zlib._Decompress) -> bytes:
        while True:
            if decoder.eof:  # a gzip file may have several members (RFC 1952 §2.2)
                self._raw = self._next_member(decoder.unused_data)
                if not self._raw:
                    return b""
                decoder = self._decoder = zlib.decompressobj(_WITH_GZIP_HEADER)
            if not self._raw:
                raise TreeUnreadable(f"the layer {self._descriptor.digest} is cut off")
            try:
                data = decoder.decompress(self._raw, _CHUNK)
            except zlib.error as error:
                raise TreeUnreadable(f"the layer {self._descriptor.digest} is not gzip: {error}") from None
            self._raw = decoder.unconsumed_tail or (b"" if decoder.eof else self._fetch())
            if data:
                return data

    def _next_member(self, rest: bytes) -> bytes:
        """Return the beginning of the next gzip member, empty at the end.

        Only zeros may stand behind the last one: anything else is a member to some readers and none to others.
        """
        while len(rest) < len(_GZIP) and (more := self._fetch()):
            rest += more
        if rest.startswith(_GZIP):
            return rest
        while rest:
            if rest.strip(b"\0"):
                raise TreeUnreadable(f"the layer {self._descriptor.digest} has something behind its gzip data")
            rest = self._fetch()
        return b""
