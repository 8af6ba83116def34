"""Witnessing: the witness that a platform is for other logs, and the witnesses that it has for its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from chainward.kernel.identity import PLATFORM, Context

if TYPE_CHECKING:
    from chainward.adapters.sql.database import Database
    from chainward.config import Config
    from chainward.kernel.instant import Clock
    from chainward.keys.ports import Signer
    from chainward.keys.sealing import SealingKey
    from chainward.ledger.commit import Ledger
    from chainward.ledger.witnessed import Witness

__all__ = ["WitnessServices"]

_CONTEXT: Final = Context(PLATFORM, "witness")
_SECONDS: Final = 20.0


class WitnessServices:
    """What a platform does as a witness, and with witnesses. Thread-safe.

    The key with which it cosigns is made when it is first needed, and sealed in the database, so all replicas have it.
    """

    def __init__(self, config: Config, database: Database, sealing: SealingKey, ledger: Ledger, clock: Clock) -> None:
        from chainward.adapters.published import Outside
        from chainward.adapters.sql.witness import SqlWitnessStore
        from chainward.adapters.witness import HttpWitnesses
        from chainward.ledger.gather import Witnesses

        self.name = f"witness.{config.instance.name}"
        self._store = SqlWitnessStore(database)
        self._sealing = sealing
        self._ledger = ledger
        self._clock = clock
        self._outside = Outside(seconds=_SECONDS)
        self._witness: Witness | None = None
        self._lock = threading.Lock()
        client = HttpWitnesses(self._outside)
        self.witnesses = Witnesses(ledger, self._store, client, threshold=config.trust.witness_threshold)

    @property
    def witness(self) -> Witness:
        """The witness that this platform is; raises KeyMalformed if its key was sealed by another platform."""
        from chainward.ledger.cosign import Cosigner
        from chainward.ledger.witnessed import Witness

        with self._lock:
            if self._witness is None:
                cosigner = Cosigner(self.name, self._signer())
                self._witness = Witness(self._ledger, self._store, cosigner, self._clock)
            return self._witness

    def close(self) -> None:
        """Let go of connections."""
        self._outside.close()

    def _signer(self) -> Signer:
        """Return the key that is kept, and make it if there is none."""
        from chainward.keys.model import Scheme
        from chainward.ledger.cosign import Cosigner
        from chainward.ledger.facts import WitnessEstablished
        from chainward.ledger.witnessed import KeepWitnessKey, WitnessKeyKept

        kept = self._store.key()
        if kept is not None:
            return self._sealing.open(kept[1], self.name)
        sealed, signer = self._sealing.make(self.name, Scheme.ED25519)
        fact = WitnessEstablished(key=str(Cosigner(self.name, signer).key))
        try:
            self._ledger.commit([fact], [KeepWitnessKey(signer.public_key.der, sealed)], context=_CONTEXT)
        except WitnessKeyKept:
            return self._signer()  # another replica was quicker
        return signer
