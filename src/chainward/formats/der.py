"""Single elements of DER (X.690 §8.1 to §8.3, §10.1), where a structure is put together from parts that stand already.

The declarative shapes of ``cryptography`` are what reads and writes here; on hot paths most of a structure never
changes, and then it costs a tenth to join its parts.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CONTEXT_0", "GENERALIZED_TIME", "OCTETS", "SEQUENCE", "SET", "UTC_TIME", "bounds", "element", "integer"]

OCTETS: Final = 0x04
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
CONTEXT_0: Final = 0xA0
_INTEGER: Final = 0x02
_LONG: Final = 0x80
_MAX_LENGTH: Final = 3


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


def integer(value: int) -> bytes:
    """Return an INTEGER: two's complement in as few bytes as it takes (X.690 §8.3).

    >>> integer(128).hex(), integer(-128).hex()
    ('02020080', '020180')
    """
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return element(_INTEGER, value.to_bytes(size, "big", signed=True))


def bounds(data: bytes, at: int) -> tuple[int, int]:
    r"""Return where the content of the element that begins at ``at`` starts, and where it ends; tags have one byte.

    >>> bounds(b"\x30\x03\x02\x01\x07", 0)
    (2, 5)

    Raises:
        IndexError, ValueError: the element does not end within ``data``, or has no definite length up to 16 MiB.
    """
    size, start = data[at + 1], at + 2
    if size >= _LONG:
        count = size - _LONG
        if not 1 <= count <= _MAX_LENGTH:
            raise ValueError("a length of another form than DER has")
        start += count
        size = int.from_bytes(data[at + 2 : start], "big")
    if start + size > len(data):
        raise ValueError("an element that ends too late")
    return start, start + size
