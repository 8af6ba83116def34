"""Game day: somebody restores an old backup of the database, and the log goes on from there as if nothing had been.

The log forks: what was logged, witnessed and perhaps relied upon since the backup is gone, and other entries take its
place. The platform itself cannot see that, for its database is in order. Its witness and its monitor do.
"""

from __future__ import annotations

import shutil
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from tests.flows.command_line import bare
from tests.flows.server import serve
from tests.platforms import CONTEXT

from chainward.adapters.published import HttpTileLog, Outside
from chainward.config import load
from chainward.faces.http.app import create_app
from chainward.faces.http.logs import logger_to
from chainward.ledger.checkpoint import verifier_key_of
from chainward.ledger.cosign import open_signed
from chainward.ledger.evidence import decode_evidence, verify_split
from chainward.ledger.facts import WitnessDisagreed
from chainward.ledger.monitor import LogRolledBack, Monitor, SplitView
from chainward.ledger.witness import NamedWitness
from chainward.wiring import initialise, open_platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chainward.config import Config
    from chainward.formats.note import VerifierKey
    from chainward.kernel.problem import Problem
    from chainward.ledger.remembered import Remembered
    from chainward.wiring import Platform

ORIGIN: Final = "log.victim.example"


def config_of(folder: Path, name: str) -> Config:
    return load(None, {}, {("storage", "folder"): folder, ("instance", "name"): name})


@contextmanager
def opened(config: Config) -> Iterator[tuple[Platform, str]]:
    """Open a platform of a folder and serve it, without background work."""
    with closing(open_platform(config)) as platform, serve(create_app(platform, logger_to())) as url:
        yield platform, url


def backup(config: Config, place: Path) -> None:
    shutil.copytree(config.folder, place, ignore=shutil.ignore_patterns("lock"))


def restore(config: Config, place: Path) -> None:
    shutil.rmtree(config.folder)
    shutil.copytree(place, config.folder)


def grow(platform: Platform, word: str, count: int) -> None:
    platform.ledger.append_entries(ORIGIN, [f"{word} {number}".encode() for number in range(count)])


def log_key(platform: Platform) -> VerifierKey:
    return verifier_key_of(ORIGIN, platform.logs["signatures"].public_key)


@pytest.fixture
def victim(tmp_path: Path) -> Config:
    config = config_of(tmp_path / "victim", "victim.example")
    initialise(config)
    return config


@pytest.fixture
def guard(tmp_path: Path) -> Config:
    config = config_of(tmp_path / "guard", "guard.example")
    initialise(config)
    return config


def looked(url: str, key: VerifierKey, remembered: Remembered | None = None) -> Remembered:
    """Let a monitor look at the log that is served at ``url``."""
    with Outside() as outside:
        monitor = Monitor(HttpTileLog(outside, f"{url}/log/{ORIGIN}"), ORIGIN, (key,))
        return list(monitor.looks(remembered, start=0))[-1].remembered


def asked(platform: Platform) -> Problem | None:
    """Ask the witness to cosign the log; returns why it did not."""
    return {each.origin: each.problem for each in platform.witnessing.witnesses.submit()}[ORIGIN]


def acquaint(victim: Config, guardian: Platform, guard_url: str) -> VerifierKey:
    """Make the guardian the witness of the victim, and return the key of the victim's log."""
    witness = NamedWitness("guard", f"{guard_url}/witness", guardian.witnessing.witness.key)
    with opened(victim) as (platform, _):
        guardian.witnessing.witness.trust_log(log_key(platform), context=CONTEXT)
        platform.witnessing.witnesses.add(witness, context=CONTEXT)
        grow(platform, "before", 10)
        return log_key(platform)


def test_a_fork_after_a_restored_backup_is_found_by_the_monitor_and_refused_by_the_witness(
    tmp_path: Path, victim: Config, guard: Config
) -> None:
    with opened(guard) as (guardian, guard_url):
        key = acquaint(victim, guardian, guard_url)
        backup(victim, tmp_path / "backup")
        with opened(victim) as (platform, url):
            grow(platform, "after", 20)
            assert asked(platform) is None
            remembered = looked(url, key)
        restore(victim, tmp_path / "backup")
        with opened(victim) as (platform, url):
            grow(platform, "again", 5)
            platform.audit()  # nothing is wrong with what is stored
            with pytest.raises(LogRolledBack):
                looked(url, key, remembered)
            codes = [told.code for told in [asked(platform)] if told]
            grow(platform, "again", 40)
            with pytest.raises(SplitView) as raised:
                looked(url, key, remembered)
            codes += [told.code for told in (asked(platform), asked(platform)) if told]
            facts = platform.ledger.facts(schemas=frozenset({WitnessDisagreed.schema}))
        assert raised.value.evidence is not None
        assert verify_split(raised.value.evidence, (key,)) == (31, 56)
        assert codes == ["witness-size-differs", "witness-refused", "witness-refused"]
        assert [fact.body["code"] for fact in facts if fact.body and fact.body["origin"] == ORIGIN] == codes[:2]
        assert guardian.witnessing.witness.logs()[0].size == 31


def test_a_fork_that_reached_the_same_size_convicts_the_log_before_everybody(
    tmp_path: Path, victim: Config, guard: Config
) -> None:
    with opened(guard) as (guardian, guard_url):
        key = acquaint(victim, guardian, guard_url)
        backup(victim, tmp_path / "backup")
        for word in ("first", "second"):
            with opened(victim) as (platform, _):
                grow(platform, word, 7)
                platform.witnessing.witnesses.submit()
            restore(victim, tmp_path / "backup")
        ((origin, evidence),) = guardian.witnessing.witness.splits()
        assert origin == ORIGIN
        assert verify_split(decode_evidence(evidence), (key,)) == (18, 18)


def test_the_command_line_monitor_finds_the_fork_and_keeps_the_evidence(tmp_path: Path, victim: Config) -> None:
    state = tmp_path / "victim.state"

    def look(url: str, key: VerifierKey) -> tuple[int, str]:
        done = bare("log", "monitor", "--url", url, "--key", str(key), "--state", str(state), cwd=tmp_path)
        return done.status, done.err

    with opened(victim) as (platform, _):
        grow(platform, "before", 300)
    backup(victim, tmp_path / "backup")
    with opened(victim) as (platform, url):
        key = log_key(platform)
        grow(platform, "after", 20)
        assert look(url, key)[0] == 0
        remembered = state.read_bytes()
    restore(victim, tmp_path / "backup")
    with opened(victim) as (platform, url):
        grow(platform, "again", 40)
        status, told = look(url, key)
        note = httpx.get(f"{url}/log/{ORIGIN}/checkpoint").content
    assert status == 1
    assert "log-split-view" in told
    assert state.read_bytes() == remembered
    (kept,) = tmp_path.glob("victim.state.evidence-*.json")
    evidence = decode_evidence(kept.read_bytes())
    assert verify_split(evidence, (key,)) == (321, 341)
    assert open_signed(note, ORIGIN, (key,))[0] == open_signed(evidence.second, ORIGIN, (key,))[0]
