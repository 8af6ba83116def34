"""What can go wrong in the ledger."""

from __future__ import annotations

from typing import ClassVar

from chainward.kernel.problem import Kind, Problem

__all__ = [
    "AnchorStale",
    "CommitUncertain",
    "EntryTooLarge",
    "FactTooLarge",
    "FactUnknown",
    "FollowerBehind",
    "FollowerUnknown",
    "LedgerBusy",
    "LedgerClosed",
    "LogExists",
    "LogFrozen",
    "LogKeyChanged",
    "LogReserved",
    "LogTampered",
    "LogUnknown",
    "OutOfRange",
    "WriteFailed",
]


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


class WriteFailed(Problem):
    """A write could not be carried out because of a defect; nothing of its commit exists."""

    kind: ClassVar[Kind] = Kind.INTERNAL
    code: ClassVar[str] = "ledger-write-failed"


class AnchorStale(Problem):
    """A log was anchored at a larger size meanwhile."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "log-anchor-stale"
    hint = "Nothing needs to be done: the newer anchor covers this one."


class LogReserved(Problem):
    """The facts log takes facts, no other entries."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "log-reserved"
    hint = "Append to another log, or commit a fact."


class EntryTooLarge(Problem):
    """An entry of a log is larger than an entry bundle can hold (C2SP tlog-tiles: 65,535 bytes)."""

    kind: ClassVar[Kind] = Kind.TOO_LARGE
    code: ClassVar[str] = "log-entry-too-large"
    hint = "Log a digest of the content in place of the content."


class LogKeyChanged(Problem):
    """The stored checkpoint of a log was not signed by the key that the platform has for it now."""

    kind: ClassVar[Kind] = Kind.UNTRUSTED
    code: ClassVar[str] = "log-key-changed"
    hint = "Start with the key with which this log was opened; a new key begins a new log under a new origin."


class FollowerBehind(Problem):
    """A projection did not reach a fact in time; the fact itself is durable."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "follower-behind"
    hint = "Ask again in a moment; if it lasts, look at the followers' lag."


class FollowerUnknown(Problem):
    """There is no follower with that name."""

    kind: ClassVar[Kind] = Kind.NOT_FOUND
    code: ClassVar[str] = "follower-unknown"
    hint = "Name one of the followers that the platform lists, or all."


class LogExists(Problem):
    """A log with that origin was opened before; an origin names one log for ever."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "log-exists"
    hint = "Choose an origin that no log of this platform ever had: chainward log list"


class LogFrozen(Problem):
    """The log takes no more entries; everything in it can be read and proven for ever."""

    kind: ClassVar[Kind] = Kind.REFUSED
    code: ClassVar[str] = "log-frozen"
    hint = "Submit to the shard that is active now; it stands first in /signing_config.v0.2.json."


class LedgerBusy(Problem):
    """More is waiting to become durable than will be in good time."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "ledger-busy"
    hint = "Send it again after a moment, and with growing pauses; nothing of it was kept."
