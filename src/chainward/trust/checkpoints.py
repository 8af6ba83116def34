"""What more a verifier may demand of the checkpoint in a bundle: that it is not older than what it saw, and witnessed.

A bundle carries the checkpoint of its day, and that is enough to show that the log held the entry then. Who remembers a
later state of the log, or knows its witnesses, can demand more: a log that was rolled back, or that shows one tree to
its victim and another to everybody else, then has to fail. Both demands also refuse honest bundles that are older than
them, so there are none unless somebody makes them; a newer proof of the same entry satisfies them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainward.formats.checkpoint import parse_checkpoint
from chainward.formats.note import parse_note
from chainward.ledger.witness import verify_cosigned
from chainward.trust.errors import CheckpointOutdated

if TYPE_CHECKING:
    from chainward.ledger.witness import WitnessPolicy
    from chainward.trust.proven import Proven

__all__ = ["CheckpointDemands"]


@dataclass(frozen=True, slots=True)
class CheckpointDemands:
    """``sizes`` are the smallest acceptable sizes of logs by origin; ``witnesses`` must vouch for any checkpoint."""

    sizes: tuple[tuple[str, int], ...] = ()
    witnesses: WitnessPolicy | None = None

    def check(self, proven: Proven) -> None:
        """Return if the checkpoint of a proven bundle is acceptable.

        Raises:
            CheckpointOutdated: it is of fewer entries than the log is known to have had, or there is none.
            NotWitnessed: too few witnesses vouch for it.
            CosignatureInvalid: the line of one of the witnesses does not verify.
        """
        smallest = dict(self.sizes).get(proven.log.origin)
        if smallest is None and self.witnesses is None:
            return
        if not proven.checkpoint:
            raise CheckpointOutdated(f"the bundle has a promise of log {proven.log.origin}, and no checkpoint of it")
        note = proven.checkpoint.encode()
        size = parse_checkpoint(parse_note(note).text).size
        if smallest is not None and size < smallest:
            raise CheckpointOutdated(
                f"the checkpoint of log {proven.log.origin} is of {size} entries, it had {smallest} before",
                details={"origin": proven.log.origin, "size": size, "known": smallest},
            )
        if self.witnesses is not None:
            verify_cosigned(note, self.witnesses)
