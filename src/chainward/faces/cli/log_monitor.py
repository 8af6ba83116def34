"""``chainward log monitor``: watch a log from outside, whoever runs it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainward import workbench
from chainward.faces.cli.log_watch import keys_of, vantage_points, watch_options
from chainward.faces.cli.output import json_option, say
from chainward.kernel.problem import Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainward.ledger.monitor import LogMisbehaved, Look, Monitor
    from chainward.ledger.remembered import Remembered
    from chainward.trust.watch import Watcher

__all__ = ["SIGHTED", "monitor"]

SIGHTED = 7
_SHORTEST_PAUSE = 0.05
_SHORT = 16


@click.command("monitor")
@click.option(
    "--url",
    envvar="CHAINWARD_URL",
    default="http://127.0.0.1:8420",
    show_default=True,
    show_envvar=True,
    help="Prefix of the log, below which checkpoint and tile/… lie; or a Chainward platform.",
)
@click.option("--key", "keys", multiple=True, help="Verifier key of the log, or a file with it; repeatable.")
@click.option(
    "--trusted-root",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the keys of the log from this trusted root.",
)
@click.option("--origin", help="Origin of the log.  [default: the name of the key]")
@click.option(
    "--state", type=click.Path(dir_okay=False, path_type=Path), help="File that remembers the log between two looks."
)
@click.option("--from-start", is_flag=True, help="On the first look, examine all entries that are there already.")
@click.option("--every", type=click.FloatRange(min=_SHORTEST_PAUSE), help="Look again after so many seconds, for ever.")
@click.option("--once", is_flag=True, help="Look once.  [default]")
@click.option("--also", multiple=True, help="Prefix where the same log is shown as well, to compare; repeatable.")
@click.option("--witness", "witnesses", multiple=True, help="Prefix of a witness of the log, to compare; repeatable.")
@watch_options
@click.option(
    "--ca", "authority", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CA bundle (PEM)."
)
@json_option
def monitor(
    *,
    url: str,
    keys: tuple[str, ...],
    trusted_root: Path | None,
    origin: str | None,
    also: tuple[str, ...],
    witnesses: tuple[str, ...],
    watcher: Watcher,
    state: Path | None,
    from_start: bool,
    every: float | None,
    once: bool,
    authority: Path | None,
    as_json: bool,
) -> None:
    """Check that a log only grows and shows everybody the same; watch for entries in it.

    The log is not believed: every proof is computed here from its tiles, and every new entry must lead to the root that
    it signed. The first look believes what it sees; from then on --state remembers it. Any log in the form of C2SP
    tlog-tiles will do: shards of the signature log, the certificate log, and those of others.

    \b
    chainward log monitor --key log.key --state log.state
    chainward log monitor --trusted-root root.json --origin log.example.org \\
      --state log.state --every 60
    chainward log monitor --key ct.key --state ct.state \\
      --identity ci@example.org --expected serials

    \b
    Exit status:
      0  in order
      1  the log misbehaved; evidence is kept beside the state
      6  it cannot be reached
      7  something was seen that is watched for and not expected
    """
    if once and every is not None:
        raise click.UsageError("--once and --every exclude each other")
    origin, known = keys_of(keys, trusted_root, origin)
    watched = _Watched(origin, state, 0 if from_start else None, as_json)
    watched.load()
    places = vantage_points(also, witnesses, origin)
    with workbench.published_log(_prefix(url, origin), authority) as log:
        from chainward.ledger.monitor import Monitor

        watching = Monitor(log, origin, known, watcher.examine)
        watched.look(watching, _seen(places, authority))
        while every is not None:
            time.sleep(every)
            try:
                watched.look(watching, _seen(places, authority))
            except Problem as problem:
                if problem.kind is not Kind.UNAVAILABLE:
                    raise
                say(f"warning: {problem.message}", err=True)
    if watched.sighted:
        raise click.exceptions.Exit(SIGHTED)


@dataclass(slots=True)
class _Watched:
    """One log, and what is known of it so far."""

    origin: str
    state: Path | None
    start: int | None
    as_json: bool
    sighted: int = 0
    remembered: Remembered | None = None

    def load(self) -> None:
        """Take up what the state file remembers, if there is one."""
        from chainward.ledger.remembered import STATE_LIMIT, decode_remembered

        if self.state is not None and self.state.exists():
            self.remembered = decode_remembered(workbench.read_bytes(self.state, STATE_LIMIT), self.origin)

    def look(self, monitor: Monitor, others: Sequence[tuple[str, bytes]]) -> None:
        """Look once, keep what is to be remembered, and print what was found."""
        from chainward.ledger.monitor import LogMisbehaved

        try:
            for look in monitor.looks(self.remembered, others=others, start=self.start):
                before, self.remembered = self.remembered, look.remembered
                self._keep(look)
                self._tell(look, before)
        except LogMisbehaved as problem:
            self._keep_evidence(problem)
            raise

    def _keep(self, look: Look) -> None:
        from chainward.ledger.remembered import encode_remembered

        if self.state is not None:
            content = encode_remembered(look.remembered, self.origin, workbench.clock().now())
            workbench.write_durably(self.state, content)

    def _keep_evidence(self, problem: LogMisbehaved) -> None:
        from chainward.ledger.evidence import encode_evidence

        if problem.evidence is None:
            return
        content = encode_evidence(problem.evidence)
        short = hashlib.sha256(content).hexdigest()[:_SHORT]
        base = self.state or Path(re.sub(r"[^A-Za-z0-9.-]", "_", self.origin))
        path = base.with_name(f"{base.name}.evidence-{short}.json")
        workbench.write_durably(path, content)
        problem.details["evidence"] = str(path)
        say(f"evidence: {path}", err=True)

    def _tell(self, look: Look, before: Remembered | None) -> None:
        newest, examined = look.checkpoint, look.remembered.examined
        self.sighted += len(look.sightings)
        if self.as_json:
            sightings = [
                {"index": each.index, "watch": each.watch, "seen": each.seen, **each.details} for each in look.sightings
            ]
            root = base64.b64encode(newest.root).decode()
            answer = {"origin": self.origin, "size": newest.size, "root": root, "examined": examined}
            click.echo(json.dumps({**answer, "sightings": sightings}))
            return
        if before != look.remembered:
            told = f"{examined - before.examined} new entries" if before else "seen for the first time"
            say(f"{self.origin}: size {newest.size}, {told}, all {examined} below in order")
        for each in look.sightings:
            more = "".join(f", {name} {value}" for name, value in each.details.items())
            say(f"! entry {each.index}: {each.seen} ({each.watch}){more}")


def _seen(places: Sequence[tuple[str, str]], authority: Path | None) -> list[tuple[str, bytes]]:
    """Return the checkpoints that are shown elsewhere; a place that does not answer is warned about."""
    found: list[tuple[str, bytes]] = []
    for place, url in places:
        try:
            found.append((place, workbench.published_file(url, authority)))
        except Problem as problem:
            say(f"warning: {problem.message}", err=True)
    return found


def _prefix(url: str, origin: str) -> str:
    """Return the prefix of the log: a URL without a path is that of a platform, which serves it below its origin."""
    from urllib.parse import urlsplit

    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/log/{origin}"
