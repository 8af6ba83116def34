"""The text of a token: ``cwt_<id>_<secret>``, 22 base62 characters and 43 base64url characters.

The id is 128 bits and public: it stands in facts and lists. The secret is 256 bits; only the SHA-256 of the whole text
is kept. A fast hash is enough here, because nobody can try 2^256 secrets (a slow one protects guessable passwords).
The fixed beginning lets secret scanners find a leaked token.
"""

from __future__ import annotations

import base64
import hashlib
import re
import string
from typing import TYPE_CHECKING, Final

from chainward.access.errors import TokenInvalid

if TYPE_CHECKING:
    from chainward.kernel.entropy import Entropy

__all__ = ["PREFIX", "TokenText", "digest_of", "fresh", "id_in"]

PREFIX: Final = "cwt_"
_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_BYTES: Final = 16
_ID_LENGTH: Final = 22
_SECRET_BYTES: Final = 32
_SHAPE: Final = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{_ID_LENGTH}}})_[A-Za-z0-9_-]{{43}}\Z")


class TokenText:
    """The text of a token, on its one way to its holder; it shows itself only through :meth:`reveal`.

    Not a dataclass, because encoders write those out member by member.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, secret included."""
        return self._text

    def __repr__(self) -> str:
        return "TokenText(…)"

    __str__ = __repr__


def fresh(entropy: Entropy) -> tuple[str, TokenText]:
    """Return a new id and the text of a new token with that id."""
    token_id = _base62(int.from_bytes(entropy.bytes(_ID_BYTES)))
    secret = base64.urlsafe_b64encode(entropy.bytes(_SECRET_BYTES)).rstrip(b"=").decode()
    return token_id, TokenText(f"{PREFIX}{token_id}_{secret}")


def digest_of(text: str) -> bytes:
    """Return what is kept of a token's text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def id_in(text: str) -> str:
    """Return the id that the text of a token names; raises TokenInvalid."""
    match = _SHAPE.match(text)
    if match is None:
        raise TokenInvalid("this is not a token of this platform")
    return match[1]


def _base62(number: int) -> str:
    digits: list[str] = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_BASE62))
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
