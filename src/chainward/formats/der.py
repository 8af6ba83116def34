"""Single elements of DER (X.690 §8.1, §10.1), where a whole structure is put together from parts that stand already."""

from __future__ import annotations

from typing import Final

__all__ = ["CONTEXT_0", "SEQUENCE", "SET", "element"]

SEQUENCE: Final = 0x30
SET: Final = 0x31
CONTEXT_0: Final = 0xA0
_LONG: Final = 0x80


def element(tag: int, *parts: bytes) -> bytes:
    r"""Return the element with this one-byte tag whose content is ``parts``, one behind the other.

    >>> element(SEQUENCE, b"\x05\x00").hex()
    '30020500'
    """
    content = b"".join(parts)
    size = len(content)
    if size < _LONG:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG | len(octets))) + octets + content
