"""The witnesses of a log, and when enough of them vouch for a checkpoint.

A witness (C2SP tlog-witness) cosigns a checkpoint only if it extends all that it cosigned before. A log that shows
different trees to different people can therefore not get both of them cosigned by one honest witness; who demands
cosignatures of several witnesses need not trust any single one. :func:`verify_cosigned` is what a verifier calls, and
needs nothing but the checkpoint and a :class:`WitnessPolicy`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from chainward.formats.checkpoint import parse_checkpoint
from chainward.formats.note import SignatureType, VerifierKey, parse_note
from chainward.kernel.problem import Kind, Problem
from chainward.ledger.cosign import signed_by

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.formats.checkpoint import Checkpoint

__all__ = [
    "Cosigned",
    "CosignedCheckpoint",
    "NamedWitness",
    "NotWitnessed",
    "Unwitnessed",
    "WitnessAhead",
    "WitnessExists",
    "WitnessInvalid",
    "WitnessPolicy",
    "WitnessRefused",
    "WitnessUnknown",
    "WitnessUnreachable",
    "verify_cosigned",
]

_MAX_WITNESSES: Final = 64
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?\Z")
_URL: Final = re.compile(r"https?://[!-~]{1,1000}\Z")


class NotWitnessed(Problem):
    """A checkpoint carries valid cosignatures of fewer witnesses than the policy demands."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "checkpoint-not-witnessed"
    hint = (
        "Fetch the newest cosigned checkpoint, or a newer proof; ask the log's operator whether its witnesses answer."
    )


class Unwitnessed(Problem):
    """No checkpoint of an own log has as many cosignatures as it must have to be served as witnessed."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "checkpoint-unwitnessed"
    hint = "See who is asked with: chainward witness list; ask them now with: chainward witness submit"


class WitnessExists(Problem):
    """A witness of this name, or with this key, is asked already."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "witness-exists"
    hint = "See them with: chainward witness list; remove the other one first."


class WitnessUnknown(Problem):
    """There is no witness of this name."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "witness-unknown"
    hint = "See them with: chainward witness list"


class WitnessInvalid(Problem):
    """A witness, or a policy of witnesses, that cannot be."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "witness-invalid"
    hint = "A witness has a name, an http(s) URL and a verifier key of type 04; print ours with: chainward witness key"


class WitnessUnreachable(Problem):
    """A witness does not answer, or answers with something that no witness answers with."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "witness-unreachable"
    hint = "Nothing needs to be done if it lasts a short while: the next round submits the newest checkpoint again."


class WitnessRefused(Problem):
    """A witness will not cosign a checkpoint."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "witness-refused"
    hint = "If it does not know the log, have its operator add it; if the proof fails, look for a fork of the log."


class WitnessAhead(Problem):
    """A witness last cosigned another size than the one that the request starts from; ``details["size"]`` tells it."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "witness-size-differs"
    hint = "Submit again with a proof from the size that the witness has."

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness last cosigned size {size}", details={"size": size})
        self.size = size


@dataclass(frozen=True, slots=True)
class NamedWitness:
    """A witness that is asked to cosign: a name for people, its submission prefix, and its key.

    Raises:
        WitnessInvalid: a name, URL or key that a witness cannot have.
    """

    name: str
    url: str
    key: VerifierKey

    def __post_init__(self) -> None:
        if _NAME.match(self.name) is None:
            raise WitnessInvalid(f"{self.name[:80]!r} is not a name of a witness")
        if _URL.match(self.url) is None or "?" in self.url or "#" in self.url or "@" in self.url:
            raise WitnessInvalid(f"{self.url[:120]!r} is not the http(s) URL of a witness")
        if self.key.type is not SignatureType.COSIGNATURE:
            raise WitnessInvalid(f"the key of witness {self.name} is not one that makes timestamped cosignatures")


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """How many of which witnesses must have cosigned a checkpoint.

    Raises:
        WitnessInvalid: a key that makes no cosignatures, one key twice (under whatever names), or a threshold that
            cannot be met or demands nothing.
    """

    witnesses: tuple[VerifierKey, ...]
    threshold: int

    def __post_init__(self) -> None:
        if any(key.type is not SignatureType.COSIGNATURE for key in self.witnesses):
            raise WitnessInvalid("a policy of witnesses names keys of type 04 only")
        if len({key.raw for key in self.witnesses}) != len(self.witnesses):
            raise WitnessInvalid("a policy of witnesses names one key twice, which would let it count twice")
        if not 1 <= self.threshold <= len(self.witnesses) <= _MAX_WITNESSES:
            raise WitnessInvalid(f"{self.threshold} of {len(self.witnesses)} witnesses is not a threshold")


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint that enough witnesses vouch for: who did, and when. Whether the log signed it is another question.

    ``since`` is when the threshold was reached: the checkpoint existed then, for that many witnesses saw it.
    """

    checkpoint: Checkpoint
    by: tuple[tuple[str, datetime], ...]
    since: datetime


@dataclass(frozen=True, slots=True)
class CosignedCheckpoint:
    """A checkpoint of an own log with its cosignatures, as it is served."""

    origin: str
    size: int
    root: bytes
    note: bytes
    witnesses: tuple[str, ...]


def verify_cosigned(note: bytes, policy: WitnessPolicy) -> Cosigned:
    """Return who cosigned a checkpoint, if these are enough for the policy.

    Lines of others are passed over; each witness counts once, however often it signed.

    Raises:
        NotWitnessed: fewer than the threshold.
        CosignatureInvalid: a line of a named witness does not verify, so the note is not to be believed at all.
    """
    parsed = parse_note(note)
    checkpoint = parse_checkpoint(parsed.text)
    by = tuple((signed.key.name, signed.at) for signed in signed_by(parsed, policy.witnesses) if signed.at is not None)
    if len(by) < policy.threshold:
        raise NotWitnessed(
            f"the checkpoint of {checkpoint.origin[:120]} at size {checkpoint.size} is cosigned by {len(by)} "
            f"of the {len(policy.witnesses)} known witnesses, and {policy.threshold} are needed",
            details={"witnesses": [name for name, _ in by], "threshold": policy.threshold},
        )
    instants = sorted(at for _, at in by)
    return Cosigned(checkpoint, by, instants[policy.threshold - 1])
