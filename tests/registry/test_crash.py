"""kill -9 and power loss under pushes: what was acknowledged is there, and nothing half-written is ever served."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.crash.powerloss import record
from tests.registry.pusher import CONFIG, image_named, layer_named, opened, push
from tests.registry_stand import ALICE, WEB

from chainward.adapters.blobs import disk
from chainward.kernel.digest import Digest
from chainward.kernel.name import Tag
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from chainward.registry.registry import Registry

PROJECT: Final = Path(__file__).parents[2]
ROUNDS: Final = 50
STATES: Final = 40
LIMIT: Final = 1 << 20
EARLY: Final = 8


def check(registry: Registry, acknowledged: list[str]) -> None:
    """Everything acknowledged is there, and everything that is there is whole."""
    for tag in acknowledged:
        digest = registry.resolve(WEB, Tag(tag))
        assert registry.manifest(WEB, digest).body == image_named(tag)
        assert registry.blob_bytes(WEB, Digest.of(layer_named(tag)), LIMIT) == layer_named(tag)
    if acknowledged:
        assert registry.blob_bytes(WEB, Digest.of(CONFIG), LIMIT) == CONFIG
    for tag in tags_of(registry):
        assert registry.pull.manifest(WEB, Tag(tag), ALICE).body == image_named(tag)
        layer = registry.pull.blob(WEB, Digest.of(layer_named(tag)), ALICE)
        assert layer.read(0, LIMIT) == layer_named(tag)
        layer.close()


def tags_of(registry: Registry) -> tuple[str, ...]:
    with registry.store.view() as view:
        return tuple(map(str, view.tags(WEB, "", 1_000_000)))


@pytest.mark.timeout(600)
def test_killing_the_platform_loses_no_acknowledged_image_and_serves_no_torn_one(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    moments = random.Random(seed)  # noqa: S311 - moments, not secrets
    command = [sys.executable, "-m", "tests.registry.pusher", "zygote"]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as zygote:
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        for number in range(ROUNDS):
            zygote.stdin.write(f"{tmp_path} round{number}\n")
            zygote.stdin.flush()
            word, child = zygote.stdout.readline().split()
            assert word == "pid"
            said: list[str] = []
            while number % EARLY and len(said) < number % 4:
                said += zygote.stdout.readline().split()[1:]
            time.sleep(moments.uniform(0, 0.05) if said else moments.uniform(0, 0.3))
            os.kill(int(child), signal.SIGKILL)
            while (line := zygote.stdout.readline()) != "end\n":
                said += line.split()[1:]
            with opened(tmp_path) as registry:
                check(registry, said)
        zygote.stdin.close()
    with opened(tmp_path) as registry:
        push(registry, "after-all-that")
        check(registry, ["after-all-that"])


@pytest.mark.timeout(600)
def test_a_power_loss_takes_no_acknowledged_image(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    with opened(folder):
        pass
    trace = record(folder, [sys.executable, "-m", "tests.registry.pusher", "run", str(folder), "6"])
    seen = 0
    for state in trace.crash_states(STATES, seed=6, into=tmp_path / "states"):
        said = [line.split()[1] for line in state.said.decode().splitlines() if line.startswith("ack ")]
        seen += len(said)
        with opened(state.directory) as registry:
            check(registry, said)
            push(registry, "after-the-power-came-back")
            check(registry, [*said, "after-the-power-came-back"])
    assert seen > STATES  # else nothing was put to the test


@pytest.mark.timeout(600)
def test_a_store_that_does_not_sync_is_caught_by_this_test(tmp_path: Path) -> None:
    """The same with blobs that are never synced: if nothing was lost, the test above would prove nothing."""
    folder = tmp_path / "careless"
    folder.mkdir()
    with opened(folder):
        pass
    trace = record(folder, [sys.executable, "-c", CARELESS, str(folder)])
    losses = 0
    for state in trace.crash_states(20, seed=7, into=tmp_path / "states"):
        said = [line.split()[1] for line in state.said.decode().splitlines() if line.startswith("ack ")]
        with opened(state.directory) as registry:
            try:
                check(registry, said)
            except Problem:
                losses += 1  # missing or torn, and refused: torn content is not served even then
    assert losses


CARELESS: Final = f"""
import os, sys
from pathlib import Path
from {disk.__name__} import sync_folder
import chainward.adapters.blobs.local as local
from tests.registry.pusher import run
local.sync_folder = lambda folder: None
class Careless:
    def __getattr__(self, name):
        return (lambda descriptor: None) if name == "fsync" else getattr(os, name)
local.os = Careless()
run(Path(sys.argv[1]), "run", 4)
"""
