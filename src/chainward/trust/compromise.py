"""What still counts after a key was lost: only what a log held in a state that was fixed before.

Who holds the key of an authority can date what he signs with it as he likes, so no time in a bundle helps. The one
thing he cannot do is to get an entry into a log below a size whose tree hash was witnessed or anchored before the
compromise. So one rule for all kinds of authorities: what relies on a compromised one counts if the entry lies below
the pinned size of its log, and what is known of its time is before the compromise. If the log's own key is lost, the
proof itself must be under exactly the pinned tree, or the platform must find the entry among its own rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.trust.errors import AuthorityCompromised

if TYPE_CHECKING:
    from datetime import datetime

    from chainward.formats.checkpoint import Checkpoint
    from chainward.trust.authority import Compromise
    from chainward.trust.material import TrustedLog
    from chainward.trust.ports import HeldEntries

__all__ = ["Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry is proven to stand: in which log, at which index of its tree, under which checkpoint.

    Without ``checkpoint`` there is no proof, only the log's promise, and then nothing here counts after a compromise.
    """

    log: TrustedLog
    index: int
    leaf_hash: bytes
    checkpoint: Checkpoint | None

    def outlasts(self, compromise: Compromise | None) -> bool:
        """Whether the entry is in the log since before ``compromise``, as far as the index tells."""
        if compromise is None:
            return True
        pin = compromise.pinned(self.log.origin)
        return pin is not None and self.checkpoint is not None and self.index < pin.size

    def check_authority(self, name: str, compromise: Compromise | None, instant: datetime | None) -> None:
        """Return if what relies on the authority ``name`` still counts; raises AuthorityCompromised."""
        if compromise is None:
            return
        if not self.outlasts(compromise) or (instant is not None and instant >= compromise.since):
            raise AuthorityCompromised(
                f"{name} is compromised since {compromise.since}, and the log entry is not from before that",
                details={"authority": name, "origin": self.log.origin, "index": self.index},
            )

    def check_log(self, instant: datetime | None, held: HeldEntries | None) -> None:
        """Return if the log itself may still be believed about the entry; raises AuthorityCompromised."""
        compromise = self.log.compromise
        if compromise is None:
            return
        self.check_authority(f"log {self.log.origin}", compromise, instant)
        pin = compromise.pinned(self.log.origin)
        shown = self.checkpoint
        if pin is not None and shown is not None and (shown.size, shown.root) == (pin.size, pin.root):
            return
        if held is None or not held.holds(self.log.origin, self.index, self.leaf_hash):
            raise AuthorityCompromised(
                f"log {self.log.origin} is compromised, and this is not the checkpoint of it that is still believed",
                details={"authority": self.log.origin, "origin": self.log.origin, "index": self.index},
                hint="Ask the platform for a proof under the pinned checkpoint, or verify on the platform itself.",
            )
