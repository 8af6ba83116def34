"""JSON and base64, with limits: the two encodings beneath nearly every format of this room.

In: bytes of at most ``limit``. Out: typed values (:mod:`msgspec`), plain objects, or canonical bytes.
Follows RFC 8259 (JSON), RFC 8785 (canonical form, for the shapes we write: ASCII keys, no floats) and RFC 4648 §3.5 and
§4 (base64, trailing bits must be zero).

Where an object repeats a key, the last one counts. Integers beyond 64 bits and numbers beyond a double are refused or
rounded by the decoder as the target type says; no format here has a member that needs them.
"""

from __future__ import annotations

import binascii
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import orjson

from chainward.formats.errors import Malformed, TooLarge, Unwritable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MAX_DEPTH",
    "canonical_json",
    "check_size",
    "convert",
    "decode_base64",
    "decode_json",
    "decode_object",
    "deterministic_json",
    "encode_base64",
    "without_empty",
]

T = TypeVar("T")

MAX_DEPTH: Final = 128
_MAX_SAFE_INTEGER: Final = 2**53 - 1  # RFC 8785 §3.2.2.3: beyond it, a number is no longer one number
_MAX_REASON: Final = 240
_OPENING: Final = b"[{"
_CLOSING: Final = b"]}"
_IRRELEVANT: Final = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_STEP: Final = tuple(1 if byte in _OPENING else -1 if byte in _CLOSING else 0 for byte in range(256))


def check_size(data: bytes, *, limit: int, what: str) -> None:
    """Raise :class:`TooLarge` when ``data`` is longer than ``limit`` bytes."""
    if len(data) > limit:
        raise TooLarge(
            f"{what}: {len(data)} bytes are more than the {limit} allowed", details={"what": what, "limit": limit}
        )


def decode_json(data: bytes, shape: type[T], *, limit: int, what: str, depth: int | None = MAX_DEPTH) -> T:
    """Decode JSON straight into ``shape``; ``what`` names the document in the error.

    ``depth`` is the deepest nesting allowed. ``None`` leaves it to the decoder's own limit (below Python's recursion
    limit), which saves a pass over the bytes where ``shape`` hands out nothing untyped.

    Raises:
        TooLarge: ``data`` is longer than ``limit``.
        Malformed: anything else, with the position.
    """
    check_size(data, limit=limit, what=what)
    try:
        if not data.isascii():
            data.decode()  # the decoder skips unknown members without looking at their text
        if depth is not None and _is_deeper(data, depth):
            raise Malformed(what, f"is nested more than {depth} levels deep")
        return msgspec.json.decode(data, type=shape)
    except RecursionError:
        raise Malformed(what, "is nested too deeply") from None
    except ValueError as error:  # msgspec.DecodeError, UnicodeDecodeError
        raise Malformed(what, str(error)[:_MAX_REASON]) from None


def decode_object(data: bytes, *, limit: int, what: str) -> dict[str, Any]:
    """Decode a JSON object without a type; raises as :func:`decode_json` does."""
    return decode_json(data, dict[str, Any], limit=limit, what=what)


def convert(value: Mapping[str, Any], shape: type[T], *, what: str) -> T:
    """Read an already decoded object as ``shape``; raises :class:`Malformed`."""
    try:
        return msgspec.convert(value, shape)
    except RecursionError:
        raise Malformed(what, "is nested too deeply") from None
    except ValueError as error:
        raise Malformed(what, str(error)[:_MAX_REASON]) from None


def canonical_json(value: object) -> bytes:
    """Write ``value`` in the one form of RFC 8785; equal values give equal bytes.

    Only strings, booleans, None, integers up to 2^53 - 1, lists, tuples and dicts with ASCII keys can be written.

    >>> canonical_json({"b": 1, "a": ["x", None]})
    b'{"a":["x",null],"b":1}'

    Raises:
        Unwritable: a float, another type, a larger integer, a key that is not ASCII, text with lone surrogates.
    """
    _check_canonical(value, MAX_DEPTH)
    return deterministic_json(value)


def deterministic_json(value: object) -> bytes:
    """Write ``value`` compactly with sorted keys: same value, same bytes, floats allowed.

    Raises:
        Unwritable: the value holds something JSON has no word for.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise Unwritable("json", str(error)[:_MAX_REASON]) from None


def without_empty(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that say something: not None, not False, not 0, not empty."""
    return {name: value for name, value in members.items() if value}


def decode_base64(text: str, *, what: str, url_safe_too: bool = False) -> bytes:
    """Decode padded standard base64, nothing else; ``url_safe_too`` also admits the other alphabet (protobuf, DSSE).

    Every byte string has one accepted spelling per alphabet: trailing bits must be zero.

    Raises:
        Malformed: any character, padding or trailing bit out of place.
    """
    if url_safe_too and ("-" in text or "_" in text):
        if "+" in text or "/" in text:
            raise Malformed(what, "mixes two base64 alphabets")
        text = text.replace("-", "+").replace("_", "/")
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error, text that is not ASCII
        raise Malformed(what, "is not base64") from None
    tail = len(data) % 3
    if tail and binascii.b2a_base64(data[-tail:], newline=False) != text[-4:].encode():
        raise Malformed(what, "is not base64 in its only form")
    return data


def encode_base64(data: bytes) -> str:
    """Write ``data`` in padded standard base64."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _is_deeper(data: bytes, depth: int) -> bool:
    if data.count(b"[") + data.count(b"{") <= depth:
        return False
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = b"".join(data.translate(None, _IRRELEVANT).split(b'"')[::2])
    return any(level > depth for level in accumulate(map(_STEP.__getitem__, outside_strings)))


def _check_canonical(value: object, levels: int) -> None:
    match value:
        case None | bool() | str():
            return
        case int():
            if abs(value) > _MAX_SAFE_INTEGER:
                raise Unwritable("canonical json", f"an integer of {value.bit_length()} bits is not exact everywhere")
        case dict() | list() | tuple():
            if levels == 0:
                raise Unwritable("canonical json", f"is nested more than {MAX_DEPTH} levels deep")
            _check_members(value, levels - 1)
        case _:
            raise Unwritable("canonical json", f"has no form for {type(value).__name__}")


def _check_members(value: dict[Any, Any] | list[Any] | tuple[Any, ...], levels: int) -> None:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or not key.isascii():
                raise Unwritable("canonical json", f"the key {str(key)[:40]!r} is not ASCII text")
        value = list(value.values())
    for member in value:
        _check_canonical(member, levels)
