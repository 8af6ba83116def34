"""Is everything that is stored still what was logged? An audit recomputes all of it and names what is not.

In: a snapshot, the public keys of the logs, and checkpoints that somebody remembers from earlier. Out: a report, or
LogTampered with every finding. Checked are, for each log: the signature of its checkpoint; each leaf's hash against its
entry; the tiles against the leaves; the root against the checkpoint; remembered checkpoints and those that the facts
log has anchored against the tree of their size. For facts: each envelope against its commitment in the log, and the
columns against the envelope. Reads 256 leaves at a time, so memory does not grow with the log.

What an audit cannot see: that a log was cut back to an older state together with its checkpoint. Against that stands a
checkpoint that somebody else remembers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from chainward.kernel.instant import rfc3339
from chainward.kernel.problem import Problem
from chainward.ledger.checkpoint import open_checkpoint
from chainward.ledger.errors import LogTampered, LogUnknown
from chainward.ledger.facts import CheckpointAnchored
from chainward.ledger.frontier import TILE_HEIGHT, TILE_WIDTH, Frontier
from chainward.ledger.model import commitment, open_envelope
from chainward.ledger.proofs import leaf_hash
from chainward.ledger.prove import Prover, inner_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from chainward.formats.checkpoint import Checkpoint
    from chainward.keys.model import PublicKey
    from chainward.ledger.frontier import Tile
    from chainward.ledger.model import LogHead, StoredFact, StoredLeaf
    from chainward.ledger.ports import AuditView

__all__ = ["AuditReport", "AuditedLog", "audit"]

_FINDINGS: Final = 1000
_SHOWN: Final = 100
_PAGE: Final = 500
_HASH: Final = 32
_UNKNOWN: Final = bytes(_HASH)


@dataclass(frozen=True, slots=True)
class AuditedLog:
    """One log that was found in order, with the signed checkpoint over it for the caller to remember."""

    origin: str
    size: int
    root: bytes
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was found in order; ``pruned`` facts have only their commitment left."""

    logs: tuple[AuditedLog, ...]
    facts: int
    pruned: int


def audit(view: AuditView, keys: Mapping[str, PublicKey], remembered: Iterable[Checkpoint] = ()) -> AuditReport:
    """Check every log that ``keys`` names, and all facts.

    Raises:
        LogTampered: with all findings in ``details["findings"]`` (at most 100 of them) and their number in ``count``.
    """
    findings = _Findings()
    older = tuple(remembered)
    audited: list[AuditedLog] = []
    facts = _Facts(findings)
    for origin, key in keys.items():
        try:
            head = view.head(origin)
        except LogUnknown:
            findings.add(f"log {origin} is missing")
            continue
        _Log(view, head, findings, facts if head.content == "facts" else None).check(key)
        _check_milestones(view, head, _milestones(view, head, older), findings)
        audited.append(AuditedLog(origin, head.size, head.root, head.checkpoint))
    findings.raise_if_any()
    return AuditReport(tuple(audited), facts.seen, facts.pruned)


@dataclass(slots=True)
class _Findings:
    """What is wrong, in words; the first thousand of it."""

    texts: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, text: str) -> None:
        self.count += 1
        if len(self.texts) < _FINDINGS:
            self.texts.append(text)

    def raise_if_any(self) -> None:
        if self.count:
            more = f" (and {self.count - 1} more findings)" if self.count > 1 else ""
            raise LogTampered(f"{self.texts[0]}{more}", details={"findings": self.texts[:_SHOWN], "count": self.count})


@dataclass(slots=True)
class _Facts:
    """Compares facts with the leaves that commit to them."""

    findings: _Findings
    seen: int = 0
    pruned: int = 0

    def check(self, view: AuditView, leaves: Mapping[int, StoredLeaf], start: int, stop: int) -> None:
        stored = {fact.index: fact for fact in view.stored_facts(start, stop)}
        for index in range(start, stop):
            fact = stored.get(index)
            if fact is None:
                self.findings.add(f"fact {index} is missing")
            elif index in leaves:
                self._check_fact(fact, leaves[index].entry)

    def check_end(self, view: AuditView, size: int) -> None:
        last = view.last_fact()
        if last >= size:
            self.findings.add(f"facts {size} to {last} stand beyond the end of the log")

    def _check_fact(self, fact: StoredFact, entry: bytes) -> None:
        self.seen += 1
        if fact.envelope is None and fact.salt is None:
            self.pruned += 1
        elif fact.envelope is None or fact.salt is None:
            self.findings.add(f"fact {fact.index}: envelope or salt was removed without the other")
        elif commitment(fact.salt, fact.envelope) != entry:
            self.findings.add(f"fact {fact.index}: envelope was changed")
        else:
            self._check_columns(fact, fact.envelope)

    def _check_columns(self, fact: StoredFact, envelope: bytes) -> None:
        try:
            members = open_envelope(envelope)
        except Problem:
            self.findings.add(f"fact {fact.index}: envelope cannot be read")
            return
        if members.schema != fact.schema:
            self.findings.add(f"fact {fact.index}: column schema was changed")
        if members.recorded_at != rfc3339(fact.recorded_at):
            self.findings.add(f"fact {fact.index}: column recorded_at was changed")


@dataclass(slots=True)
class _Log:
    """Recomputes one log from its leaves, tile by tile."""

    view: AuditView
    head: LogHead
    findings: _Findings
    facts: _Facts | None
    frontier: Frontier = field(default_factory=Frontier)
    _bad: list[int] = field(default_factory=list)

    def check(self, key: PublicKey) -> None:
        self._check_head(key)
        for start in range(0, self.head.size, TILE_WIDTH):
            self._check_chunk(start, min(start + TILE_WIDTH, self.head.size))
        self._check_end()
        if self.facts is not None:
            self.facts.check_end(self.view, self.head.size)

    def _check_head(self, key: PublicKey) -> None:
        head = self.head
        try:
            checkpoint = open_checkpoint(head.checkpoint, head.origin, key)
        except Problem as problem:
            self.findings.add(f"checkpoint of log {head.origin} is not signed by its key: {problem}")
            return
        if (checkpoint.size, checkpoint.root) != (head.size, head.root):
            self.findings.add(f"head of log {head.origin} does not say what its checkpoint signs")

    def _check_chunk(self, start: int, stop: int) -> None:
        origin = self.head.origin
        leaves = {leaf.index: leaf for leaf in self.view.leaves(origin, start, stop)}
        hashes: list[bytes] = []
        for index in range(start, stop):
            leaf = leaves.get(index)
            hashes.append(_UNKNOWN if leaf is None else leaf_hash(leaf.entry))
            if leaf is None:
                self._bad_leaf(index, f"leaf {index} of log {origin} is missing")
            elif leaf.hash != hashes[-1]:
                self._bad_leaf(index, f"leaf {index} of log {origin}: its hash is not that of its entry")
        if self.facts is not None:
            self.facts.check(self.view, leaves, start, stop)
        for tile in self.frontier.extend(hashes):
            if len(tile.hashes) == TILE_WIDTH * _HASH:
                self._check_tile(tile)

    def _check_tile(self, tile: Tile) -> None:
        """Compare a tile as it follows from the leaves with the one that is stored."""
        name = f"tile {tile.level}/{tile.index} of log {self.head.origin}"
        stored = self.view.tile(self.head.origin, tile.level, tile.index)
        if stored is None or len(stored.hashes) != len(tile.hashes):
            self.findings.add(f"{name} is missing" if stored is None else f"{name} is not as long as it must be")
            return
        if stored.hashes != tile.hashes:
            for offset in range(0, len(stored.hashes), _HASH):
                if stored.hashes[offset : offset + _HASH] != tile.hashes[offset : offset + _HASH]:
                    self._bad_hash(name, tile.level, tile.index * TILE_WIDTH + offset // _HASH)
            return
        nodes = inner_nodes(tile.hashes) if len(tile.hashes) == TILE_WIDTH * _HASH else None
        if stored.nodes != nodes:
            self.findings.add(f"{name} holds other nodes above its hashes than follow from the leaves")

    def _bad_hash(self, name: str, level: int, position: int) -> None:
        """Report a hash in a tile that the leaves do not lead to, unless that follows from something reported."""
        span = 1 << (TILE_HEIGHT * level)
        first, last = position * span, (position + 1) * span - 1
        if any(first <= index <= last for index in self._bad):
            return
        if level == 0:
            text = f"leaf {first} of log {self.head.origin} was rewritten: {name} holds another hash for it"
        else:
            text = (
                f"leaves {first} to {last} of log {self.head.origin} were rewritten: {name} holds another hash for them"
            )
        self._bad_leaf(first, text)

    def _bad_leaf(self, index: int, text: str) -> None:
        if len(self._bad) < _FINDINGS:
            self._bad.append(index)
        self.findings.add(text)

    def _check_end(self) -> None:
        head, frontier = self.head, self.frontier
        expected = sum(len(range(0, head.size >> (TILE_HEIGHT * level), TILE_WIDTH)) for level in _levels(head.size))
        expected += head.size // TILE_WIDTH
        for level in _levels(head.size):
            if frontier.edges[level]:
                self._check_tile(frontier.partial(level))
        extent = self.view.extent(head.origin)
        if extent.last_leaf >= head.size:
            self.findings.add(f"leaves {head.size} to {extent.last_leaf} of log {head.origin} stand beyond its head")
        if extent.tiles > expected:
            self.findings.add(f"log {head.origin} has {extent.tiles - expected} tiles too many")
        if frontier.root() != head.root and not self._bad:
            self._report_root()

    def _report_root(self) -> None:
        tail = self.head.size - self.head.size % TILE_WIDTH
        where = f"one of the leaves {tail} to {self.head.size - 1} was rewritten, or leaves and tiles together"
        if tail == self.head.size:
            where = "leaves and tiles were rewritten together"
        self.findings.add(f"log {self.head.origin} does not lead to the root in its signed checkpoint: {where}")


def _levels(size: int) -> Iterator[int]:
    """Return the tile levels above 0 that a tree of this size has."""
    level = 1
    while size >> (TILE_HEIGHT * level):
        yield level
        level += 1


def _milestones(view: AuditView, head: LogHead, older: Sequence[Checkpoint]) -> Iterator[tuple[str, int, bytes]]:
    """Return who says that the log had which root at which size."""
    for checkpoint in older:
        if checkpoint.origin == head.origin:
            yield f"the remembered checkpoint of size {checkpoint.size}", checkpoint.size, checkpoint.root
    after = -1
    while head.content != "facts":
        page = view.facts(after, _PAGE, frozenset({CheckpointAnchored.schema}))
        for fact in page:
            after = fact.index
            if fact.body is not None and fact.body["origin"] == head.origin:
                yield f"the anchor in fact {fact.index}", fact.body["size"], bytes.fromhex(fact.body["root"])
        if len(page) < _PAGE:
            return


def _check_milestones(
    view: AuditView, head: LogHead, milestones: Iterable[tuple[str, int, bytes]], findings: _Findings
) -> None:
    prover = Prover()
    try:
        for who, size, root in milestones:
            if size > head.size:
                findings.add(f"log {head.origin} has only {head.size} leaves: {who} is larger")
            elif prover.root(view, head, size) != root:
                findings.add(f"log {head.origin} is not the one that {who} was signed over")
    except LogTampered as problem:
        findings.add(problem.message)
