"""The platform's own logs as a witness: what its rows hold was taken in by itself, whoever has a key now.

In: a place in a log and the hash of a leaf. Out: whether the platform put it there. Rows are written by the one writer
under triggers that let a log only grow, and audits recompute them; so after the key of a log was lost, what stands in
them still counts where a signed checkpoint does not any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.ledger.errors import LogUnknown, OutOfRange

if TYPE_CHECKING:
    from chainward.ledger.commit import Ledger

__all__ = ["LedgerEntries"]


class LedgerEntries:
    """The logs of one ledger; implements HeldEntries. Thread-safe."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def holds(self, origin: str, index: int, leaf_hash: bytes) -> bool:
        """Whether log ``origin`` has the leaf with this hash at ``index``; False for a log that is not ours."""
        with self._ledger.view() as view:
            try:
                return self._ledger.prover.leaf(view, view.head(origin), index) == leaf_hash
            except (LogUnknown, OutOfRange):
                return False
