"""Append-only facts and the tile logs that prove them; the only memory that rooms share.

A fact and the authoritative rows that belong to it become durable in one transaction (:mod:`chainward.ledger.commit`);
the same transaction extends the Merkle tree of the facts log, so no acknowledged fact can lack a proof and no crash can
fork the log.

:class:`~chainward.ledger.commit.Ledger` is what other rooms hold; what they say they write as
:class:`~chainward.ledger.model.FactBody` types. Proofs are checked with :mod:`chainward.ledger.proofs` alone.
"""

from __future__ import annotations

__all__: list[str] = []
