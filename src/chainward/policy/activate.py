"""Putting a policy in force, and reading the one that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chainward.policy.document import parse_policy
from chainward.policy.errors import PolicyAbsent
from chainward.policy.facts import PolicyActivated
from chainward.policy.model import ActivatePolicy, Activation, Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.kernel.identity import Context
    from chainward.ledger.commit import Ledger
    from chainward.policy.ports import PolicyStore

__all__ = ["Policies"]

_HISTORY: Final = 100


class Policies:
    """The policies of one platform. Thread-safe."""

    def __init__(self, ledger: Ledger, store: PolicyStore) -> None:
        self._ledger = ledger
        self._store = store
        self._known: tuple[int, Policy] | None = None

    def activate(self, document: bytes, *, context: Context) -> tuple[int, Policy]:
        """Put a policy in force for every decision that begins from now on, and return it with its epoch.

        Raises:
            TooLarge: the document has more than 256 KiB.
            PolicyInvalid: the document is no policy; nothing changes then.
        """
        policy = parse_policy(document)
        fact = PolicyActivated(name=policy.name, digest=str(policy.digest), rules=len(policy.rules))
        write = ActivatePolicy(document, policy.digest, str(context.actor))
        receipt = self._ledger.commit([fact], [write], context=context)
        return receipt.facts[0], policy

    def current(self) -> tuple[int, Policy]:
        """Return the policy in force and its epoch; reads only the epoch when it has not moved since the last call.

        Raises:
            PolicyAbsent: none was ever activated.
            PolicyInvalid: another version of Chainward activated it, and this one cannot read it.
        """
        epoch = self._store.epoch()
        if epoch is None:
            raise PolicyAbsent("no policy was ever activated, so nothing is allowed")
        return epoch, self.at(epoch)

    def at(self, epoch: int) -> Policy:
        """Return the policy of an epoch that was read before, from memory if it was the last one asked for.

        Raises:
            PolicyAbsent: there was no such activation.
        """
        known = self._known
        if known is None or known[0] != epoch:
            known = self._known = (epoch, parse_policy(self.activation(epoch).document))
        return known[1]

    def activation(self, epoch: int) -> Activation:
        """Return the document of an epoch, and who activated it when; raises PolicyAbsent."""
        found = self._store.activation(epoch)
        if found is None:
            raise PolicyAbsent(f"no policy was activated at epoch {epoch}")
        return found

    def history(self, limit: int = _HISTORY) -> Sequence[Activation]:
        """Return the newest activations, the newest first."""
        return self._store.history(limit)
