"""Asking witnesses over HTTP (C2SP tlog-witness); implements WitnessClient.

An answer is bytes of a bounded length and nothing more: whether a cosignature holds is for the caller to find out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.adapters.published import PublishedUnavailable
from chainward.formats.errors import Malformed
from chainward.formats.witness import SIZE_MEDIA_TYPE, parse_size
from chainward.ledger.witness import WitnessAhead, WitnessRefused, WitnessUnreachable

if TYPE_CHECKING:
    from chainward.adapters.published import Outside, OutsideAnswer
    from chainward.ledger.witness import NamedWitness

__all__ = ["HttpWitnesses"]

_LIMIT: Final = 64 * 1024
_MEANINGS: Final = {
    403: "it does not believe the signature of the log",
    404: "it does not know the log",
    422: "the checkpoint does not extend what it cosigned before",
}
_OK: Final = 200
_CONFLICT: Final = 409


class HttpWitnesses:
    """The witnesses of others. Any thread may call it."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def submit(self, witness: NamedWitness, request: bytes) -> bytes:
        """Ask for a cosignature and return the signature lines; raises as WitnessClient says."""
        answer = self._ask(witness, request)
        if answer.status == _OK:
            return answer.content
        if answer.status == _CONFLICT and answer.media_type == SIZE_MEDIA_TYPE:
            raise WitnessAhead(self._size(witness, answer))
        if answer.status in _MEANINGS:
            raise WitnessRefused(
                f"witness {witness.name} refuses: {_MEANINGS[answer.status]}", details={"status": answer.status}
            )
        raise WitnessUnreachable(f"witness {witness.name} answers with status {answer.status}")

    def _ask(self, witness: NamedWitness, request: bytes) -> OutsideAnswer:
        try:
            return self._outside.ask("POST", f"{witness.url.rstrip('/')}/add-checkpoint", limit=_LIMIT, body=request)
        except PublishedUnavailable as problem:
            raise WitnessUnreachable(f"witness {witness.name}: {problem}") from problem

    def _size(self, witness: NamedWitness, answer: OutsideAnswer) -> int:
        try:
            return parse_size(answer.content)
        except Malformed as problem:
            raise WitnessUnreachable(f"witness {witness.name} answers 409 without a size") from problem
