"""What can go wrong in the ledger."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = ["CommitUncertain", "FactTooLarge", "FactUnknown", "LedgerClosed", "LogTampered", "LogUnknown", "OutOfRange"]


class CommitUncertain(Problem):
    """The store failed while it made a batch durable, so nobody knows whether it did."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "ledger-commit-uncertain"
    hint = "Read the state back before you repeat the call; repeating it is safe for every verb."


class LedgerClosed(Problem):
    """The ledger is shutting down and takes nothing more."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "ledger-closed"
    hint = "Try again when the platform is back."


class FactTooLarge(Problem):
    """A fact is larger than facts may be; large evidence belongs into a blob."""

    kind: ClassVar[Kind] = Kind.TOO_LARGE
    code: ClassVar[str] = "fact-too-large"
    hint = "Shorten the free text of the call, such as a reason."


class FactUnknown(Problem):
    """There is no fact with that index."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "fact-unknown"
    hint = "Ask for an index below the size of the facts log."


class LogUnknown(Problem):
    """There is no log with that origin."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "log-unknown"
    hint = "List the logs of this platform with: chainward log list"


class OutOfRange(Problem):
    """An index or size lies outside the log."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "log-out-of-range"
    hint = "Fetch the newest checkpoint and stay below its size."


class LogTampered(Problem):
    """What is stored is not what was logged."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-tampered"
    hint = "Stop writing, keep the database file as evidence, and restore from a backup whose checkpoint is consistent."
