"""A build notes what went in, what was run and what came out, or leaves no artifact at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chainward.adapters.folder import FolderTree, LayoutReader, ResultWriter
from chainward.adapters.git import SourceFolder
from chainward.adapters.process import SubprocessRunner
from chainward.attest.testresult import RunCounts
from chainward.delivery.build import Builder, BuildPlan, BuildRecord, decode_record, provenance_of
from chainward.delivery.errors import (
    BuildFailed,
    BuildTimeout,
    OutputMissing,
    SourceRefused,
    SourceUnreadable,
    ToolMissing,
)
from chainward.delivery.image import ImagePlan, LayerPlan
from chainward.delivery.materials import FileDigest, is_lock_file, tree_digest
from chainward.delivery.ports import Command
from chainward.delivery.testresults import TestResultsInvalid, decode_test_results
from chainward.formats.errors import Malformed
from chainward.formats.slsa import decode_provenance
from chainward.kernel.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Sequence

GIT = shutil.which("git") or ""
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
BUILDER = "https://chainward.example/builders/local"


class StandingClock:
    """A clock that advances a second with every look."""

    def __init__(self) -> None:
        self._now = NOW

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


class CountedEntropy:
    """Bytes that are known beforehand; for tests only."""

    def bytes(self, count: int) -> bytes:
        return bytes(range(count))


def _git(root: Path, *arguments: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_GLOBAL": os.devnull}
    identity = ("-c", "user.name=Dev", "-c", "user.email=dev@example.org", "-c", "init.defaultBranch=main")
    answer = subprocess.run(
        [GIT, *identity, "-C", str(root), *arguments], capture_output=True, check=True, env=environment
    )
    return answer.stdout.decode().strip()


def _project(root: Path, *, repository: bool = True) -> Path:
    (root / "src").mkdir(parents=True)
    (root / "src/app.py").write_text("print('hello')\n")
    (root / "requirements.txt").write_text("flask==3.1.0\n")
    (root / "node_modules/x").mkdir(parents=True)
    (root / "node_modules/x/package-lock.json").write_text("{}")
    (root / ".gitignore").write_text("node_modules\nout\n")
    if repository:
        _git(root, "init")
        _git(root, "remote", "add", "origin", "https://user:secret@git.example.org/team/app.git")
        _git(root, "add", ".")
        _git(root, "commit", "-m", "begin")
    return root


COPY = "import pathlib,shutil; shutil.copytree('src','out'); print('copied')"


def _plan(root: Path, script: str = COPY, **changes: object) -> BuildPlan:
    image = ImagePlan(layers=(LayerPlan(FolderTree(root / "out"), "/app"),), entrypoint=("/app/app.py",))
    values: dict[str, object] = {"argv": (sys.executable, "-c", script), "outputs": ("out",), "image": image, **changes}
    return BuildPlan(builder_id=BUILDER, image_name="1.0", **values)  # type: ignore[arg-type]  # built from a dict


def _build(root: Path, plan: BuildPlan, shown: list[bytes] | None = None) -> BuildRecord:
    environment = {"PATH": os.environ["PATH"], "TOKEN": "secret", "CI": "yes", "HOME": "/root"}
    builder = Builder(SubprocessRunner(root, environment), SourceFolder(root), StandingClock(), CountedEntropy())
    return builder.build(plan, ResultWriter(root.parent / "result"), (shown if shown is not None else []).append)


def test_a_build_writes_image_record_and_provenance(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    shown: list[bytes] = []
    record = _build(root, _plan(root), shown)
    result = tmp_path / "result"
    assert b"".join(shown) == b"copied\n" == (result / "build.log").read_bytes()
    assert decode_record((result / "build.json").read_bytes()) == record
    descriptor, _ = LayoutReader(result / "image").manifest()
    assert record.image.digest == str(descriptor.digest)
    assert record.log.digest == str(Digest.of(b"copied\n"))
    assert [product.path for product in record.products] == ["out/app.py"]
    assert [file.path for file in record.dependencies] == ["requirements.txt"]
    assert record.started_at < record.finished_at


def test_provenance_says_what_the_record_says(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    record = _build(root, _plan(root))
    provenance = decode_provenance(json.loads((tmp_path / "result/provenance.json").read_bytes()))
    assert provenance == provenance_of(record)
    source, lock = provenance.resolved_dependencies
    assert source.uri == "git+https://git.example.org/team/app.git@refs/heads/main"
    assert source.digest["gitCommit"] == _git(root, "rev-parse", "HEAD")
    assert lock.digest["sha256"] == Digest.of(b"flask==3.1.0\n").hex
    assert provenance.builder_id == BUILDER
    assert provenance.invocation_id.startswith("urn:uuid:")
    assert provenance.internal_parameters == {"sourceIsDirty": False, "sourceUnchangedByBuild": True}


def test_the_same_source_built_twice_gives_the_same_image(tmp_path: Path) -> None:
    first = _build(_project(tmp_path / "a/project"), _plan(tmp_path / "a/project"))
    second = _build(_project(tmp_path / "b/project"), _plan(tmp_path / "b/project"))
    assert first.image == second.image
    assert first.source.tree == second.source.tree


def test_a_failing_command_leaves_no_artifact_and_not_the_former_one_changed(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    good = _build(root, _plan(root))
    with pytest.raises(BuildFailed, match="status 3") as caught:
        _build(root, _plan(root, "raise SystemExit(3)"))
    assert caught.value.details == {"status": 3}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project", "result"]
    assert decode_record((tmp_path / "result/build.json").read_bytes()) == good


def test_a_command_killed_by_a_signal_is_a_failure(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    with pytest.raises(BuildFailed, match="signal 9"):
        _build(root, _plan(root, "import os; os.kill(os.getpid(), 9)"))
    assert not (tmp_path / "result").exists()


def test_a_command_that_hangs_is_stopped_with_everything_it_started(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    script = "import subprocess,sys,time; print(subprocess.Popen(['sleep','300']).pid, flush=True); time.sleep(300)"
    shown: list[bytes] = []
    with pytest.raises(BuildTimeout):
        _build(root, _plan(root, script, time_limit=timedelta(seconds=1)), shown)
    _wait_until_gone(int(b"".join(shown)))


def test_what_a_command_leaves_running_is_stopped(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    script = f"import subprocess; print(subprocess.Popen(['sleep','300']).pid, flush=True); {COPY}"
    shown: list[bytes] = []
    _build(root, _plan(root, script), shown)
    _wait_until_gone(int(b"".join(shown).split()[0]))


def _wait_until_gone(process: int) -> None:
    stat = Path(f"/proc/{process}/stat")
    for _ in range(200):
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    pytest.fail("the process is still there")


def test_the_command_sees_only_allowed_variables_and_only_their_names_are_written_down(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    script = f"import os,json; print(json.dumps(sorted(os.environ))); {COPY}"
    shown: list[bytes] = []
    record = _build(root, _plan(root, script, environment=frozenset({"CI"}), settings={"MODE": "hidden"}), shown)
    seen = set(json.loads(b"".join(shown).splitlines()[0])) - {"LC_CTYPE"}  # which Python itself may set
    assert seen == {"CI", "HOME", "MODE", "PATH", "SOURCE_DATE_EPOCH"} == set(record.environment)
    written = (tmp_path / "result/provenance.json").read_bytes() + (tmp_path / "result/build.json").read_bytes()
    assert b"secret" not in written
    assert b"hidden" not in written.replace(script.encode(), b"")


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    for argv in (("no-such-tool",), ("nul\0byte",)):
        with pytest.raises(ToolMissing):
            _build(root, _plan(root, argv=argv))


def test_a_declared_output_that_is_missing_stops_the_build(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    with pytest.raises(OutputMissing, match="dist"):
        _build(root, _plan(root, outputs=("dist",)))
    assert not (tmp_path / "result").exists()


def test_an_output_outside_of_the_source_is_refused(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    for output in ("../secret", "/etc"):
        with pytest.raises(SourceRefused):
            _build(root, _plan(root, outputs=(output,)))


def test_uncommitted_changes_and_unknown_files_make_the_source_dirty(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    clean = SourceFolder(root).source(())
    assert not clean.is_dirty
    (root / "new.py").write_text("x = 1\n")
    assert SourceFolder(root).source(()).is_dirty
    assert not SourceFolder(root).source(("new.py",)).is_dirty
    (root / "new.py").unlink()
    (root / "src/app.py").write_text("print('changed')\n")
    changed = SourceFolder(root).source(())
    assert changed.is_dirty
    assert changed.tree != clean.tree


def test_a_build_that_changes_its_own_source_is_recorded_as_such(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    script = f"{COPY}; pathlib.Path('src/app.py').write_text('evil')"
    assert not _build(root, _plan(root, script)).source.unchanged


def test_a_folder_without_repository_is_known_by_the_digest_of_its_files(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", repository=False)
    state = SourceFolder(root).source(("out",))
    assert (state.commit, state.uri) == (None, "file:.")
    assert SourceFolder(root, git="").source(("out",)) == state
    (root / "out").mkdir()
    (root / "out/a").write_text("a")
    assert SourceFolder(root).source(("out",)) == state
    assert SourceFolder(root).source(()) != state


def test_a_repository_without_a_commit_has_no_commit_and_is_dirty(tmp_path: Path) -> None:
    root = _project(tmp_path / "project", repository=False)
    _git(root, "init")
    state = SourceFolder(root).source(())
    assert (state.commit, state.is_dirty) == (None, True)


def test_a_broken_repository_is_an_error_and_not_a_folder_without_one(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    (root / ".git/config").write_text("[broken")
    with pytest.raises(SourceUnreadable, match="git cannot read the source"):
        SourceFolder(root).source(())


def test_looking_at_a_hostile_repository_runs_nothing_of_it(tmp_path: Path) -> None:
    root = _project(tmp_path / "project")
    trap = tmp_path / "trap"
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {trap}\n")
    monitor.chmod(0o755)
    _git(root, "config", "core.fsmonitor", str(monitor))
    SourceFolder(root).source(())
    assert not trap.exists()


@pytest.mark.parametrize(
    ("remote", "public"),
    [
        ("git@git.example.org:team/app.git", "git+ssh://git.example.org/team/app.git@refs/heads/main"),
        ("ssh://git:pw@git.example.org:22/app", "git+ssh://git.example.org:22/app@refs/heads/main"),
        ("/srv/git/app.git", "git+file:///srv/git/app.git@refs/heads/main"),
    ],
)
def test_credentials_in_the_address_of_a_remote_are_dropped(tmp_path: Path, remote: str, public: str) -> None:
    root = _project(tmp_path / "project")
    _git(root, "remote", "set-url", "origin", remote)
    assert SourceFolder(root).source(()).uri == public


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="coreutils are not installed")
def test_the_digest_of_a_tree_can_be_recomputed_with_coreutils(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "b").mkdir(parents=True)
    for name in ("b/x", "a", "b.txt"):
        (root / name).write_text(name)
    files = SourceFolder(root).files(".")
    script = "find . -type f | cut -c3- | LC_ALL=C sort | xargs -r sha256sum | sha256sum | cut -f1 -d' '"
    answer = subprocess.run(["/bin/sh", "-c", script], cwd=root, capture_output=True, check=True)
    assert tree_digest(files).hex == answer.stdout.decode().strip()


def test_the_digest_of_a_tree_does_not_depend_on_the_order_of_listing() -> None:
    files = [FileDigest(name, Digest.of(name.encode()), 1) for name in ("b", "a", "ä")]
    assert tree_digest(files) == tree_digest(files[::-1])
    assert tree_digest(files[:2]) != tree_digest(files)


def test_links_in_a_source_count_by_where_they_point_and_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/shadow")
    (file,) = SourceFolder(tmp_path).files("link")
    assert file.digest.hex == hashlib.sha256(b"/etc/shadow").hexdigest()


def test_lock_files_are_known_by_name() -> None:
    assert all(map(is_lock_file, ("uv.lock", "a/go.sum", "requirements.txt", "requirements-dev.txt")))
    assert not any(map(is_lock_file, ("lock", "package.json", "requirements.md", "uv.lock/x")))


def test_a_slow_output_reader_fails_the_build_and_is_not_swallowed(tmp_path: Path) -> None:
    def broken(chunk: bytes) -> None:
        raise OSError(f"disk full after {len(chunk)}")

    runner = SubprocessRunner(tmp_path, {"PATH": os.environ["PATH"]})
    with pytest.raises(OSError, match="disk full"):
        runner.run(Command((sys.executable, "-c", "print(1)"), frozenset(), {}, timedelta(seconds=60)), broken)


def _results(passed: int, failed: int, skipped: int, outcomes: Sequence[str]) -> bytes:
    tests = [{"name": f"test {number}", "outcome": outcome} for number, outcome in enumerate(outcomes)]
    return json.dumps({"passed": passed, "failed": failed, "skipped": skipped, "tests": tests}).encode()


def test_the_results_of_a_test_run_are_counted_and_failures_named() -> None:
    counts = decode_test_results(_results(1, 1, 1, ["passed", "skipped", "failed"]))
    assert counts == RunCounts(passed=1, failed=1, skipped=1, failed_names=("test 2",))


@pytest.mark.parametrize(
    "data",
    [
        _results(0, 0, 0, []),
        _results(0, 0, 1, ["skipped"]),
        _results(2, 0, 0, ["passed"]),
        _results(1, 0, 0, ["passed", "failed"]),
    ],
)
def test_results_that_contradict_themselves_or_say_nothing_are_refused(data: bytes) -> None:
    with pytest.raises(TestResultsInvalid):
        decode_test_results(data)


def test_results_that_are_no_results_are_malformed() -> None:
    for data in (b"", b"[]", b'{"passed":"1"}', _results(1, 0, 0, ["weird"])):
        with pytest.raises(Malformed):
            decode_test_results(data)
