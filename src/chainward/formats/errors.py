"""What can be wrong with bytes from outside, and with values on their way out."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = ["Malformed", "TimestampRejected", "TimestampRequestInvalid", "TooLarge", "Unsupported", "Unwritable"]


class TooLarge(Problem):
    """The input is larger than this format may be; nothing of it was decoded."""

    kind: ClassVar[Kind] = Kind.TOO_LARGE
    code: ClassVar[str] = "input-too-large"
    hint = "Send a smaller document; the limits are listed in the reference."


class Malformed(Problem):
    """The input does not follow its format; ``details["what"]`` names the format."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "input-malformed"
    hint = "Compare the document with the specification of its format at the position given."

    def __init__(self, what: str, why: str, *, hint: str | None = None) -> None:
        super().__init__(f"{what}: {why}", hint=hint, details={"what": what})


class Unsupported(Problem):
    """The input may be well-formed, but is of a type or version that Chainward does not read."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "input-unsupported"
    hint = "Convert the document to a type and version that the reference lists."

    def __init__(self, what: str, why: str, *, hint: str | None = None) -> None:
        super().__init__(f"{what}: {why}", hint=hint, details={"what": what})


class Unwritable(Problem):
    """The value has no faithful form in the format it should be written in."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "value-unwritable"
    hint = "Give a value that the format can carry."

    def __init__(self, what: str, why: str, *, hint: str | None = None) -> None:
        super().__init__(f"{what}: {why}", hint=hint, details={"what": what})


class TimestampRequestInvalid(Problem):
    """A timestamp request is malformed, or asks for what the authority does not give.

    ``failure`` is the number of RFC 3161's failure information.
    """

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "timestamp-request-invalid"
    hint = "Ask for a SHA-256, SHA-384 or SHA-512 digest, without extensions, as `openssl ts -query -sha256` does."

    def __init__(self, message: str, failure: int) -> None:
        super().__init__(message, details={"failInfo": int(failure)})
        self.failure = failure


class TimestampRejected(Problem):
    """The timestamp authority answered, and the answer is no."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "timestamp-rejected"
    hint = "Look at the authority's status text; another digest algorithm or no policy may be what it wants."
