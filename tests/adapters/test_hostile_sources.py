"""Source folders and commands of strangers: looking at them runs nothing, tells no secret, and takes nobody in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from chainward.adapters.folder import LayoutReader, ResultWriter
from chainward.adapters.git import SourceFolder
from chainward.adapters.process import SubprocessRunner
from chainward.delivery.errors import LayoutInvalid, SourceRefused, SourceUnreadable
from chainward.delivery.materials import FileDigest, tree_digest
from chainward.delivery.ports import Command
from chainward.formats.oci import OCI_MANIFEST, Descriptor
from chainward.kernel.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

GIT = shutil.which("git") or ""
needs_git = pytest.mark.skipif(not GIT, reason="git is not installed")


def git(root: Path, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_GLOBAL": os.devnull}
    identity = ("-c", "user.name=Dev", "-c", "user.email=dev@example.org", "-c", "init.defaultBranch=main")
    subprocess.run([GIT, *identity, "-C", str(root), *arguments], capture_output=True, check=True, env=environment)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    git(root, "init", "--quiet")
    (root / "app.py").write_text("print('hello')\n")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "first")
    return root


@needs_git
@pytest.mark.parametrize("name", ["evil", "e=vil", "a.b.c", 'quo"te'])
@pytest.mark.parametrize("key", ["clean", "process"])
def test_the_filters_of_a_hostile_repository_are_not_run(repository: Path, tmp_path: Path, name: str, key: str) -> None:
    trap = tmp_path / "trap"
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/attributes").write_text(f"* filter={name}\n")
    git(repository, "config", f"filter.{name}.{key}", f"touch {trap}; cat")
    git(repository, "config", f"filter.{name}.required", "true")
    os.utime(repository / "app.py", (1, 1))  # so that git has to look at the content
    state = SourceFolder(repository).source(())
    assert not trap.exists()
    assert not state.is_dirty


@needs_git
def test_a_filter_in_an_included_file_is_not_run_either(repository: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (repository / ".git/more").write_text(f'[filter "evil"]\n\tclean = touch {trap}; cat\n')
    git(repository, "config", "include.path", "more")
    (repository / ".git/info/attributes").write_text("* filter=evil\n")
    os.utime(repository / "app.py", (1, 1))
    SourceFolder(repository).source(())
    assert not trap.exists()


@needs_git
@pytest.mark.parametrize(
    "remote",
    [
        "https://git.example/app?access_token=SECRET",
        "https://git.example/app#SECRET",
        "https://SECRET@git.example/app",
        "https://user:SECRET@git.example/app",
        "https://user:SE@CRET@git.example/app",
        "https://SECRET:x-oauth-basic@git.example/app?SECRET#SECRET",
    ],
)
def test_no_secret_in_the_address_of_a_remote_is_written_down(repository: Path, remote: str) -> None:
    git(repository, "remote", "add", "origin", remote)
    assert SourceFolder(repository).source(()).uri == "git+https://git.example/app@refs/heads/main"


@needs_git
def test_an_address_that_is_no_url_ends_in_a_coded_problem(repository: Path) -> None:
    git(repository, "config", "remote.origin.url", "https://[::1")
    with pytest.raises(SourceUnreadable, match="not a URL"):
        SourceFolder(repository).source(())


@needs_git
def test_a_detached_commit_and_a_missing_remote_are_values_and_not_errors(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    state = SourceFolder(repository).source(())
    assert (state.reference, state.remote, state.uri) == (None, None, "git+file:.")
    assert state.commit


def test_without_git_a_repository_is_a_folder(repository: Path) -> None:
    state = SourceFolder(repository, git="").source(())
    assert state.files == 1


def test_a_git_that_does_not_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="git does not answer"):
        SourceFolder(tmp_path, git=str(tmp_path / "no-git")).source(())


# --- digests of trees ------------------------------------------------------------------------------------------------


def test_one_file_whose_name_spells_two_does_not_have_the_digest_of_two() -> None:
    """The lines of two files, put into the name of one, used to give the same digest."""
    one, two = Digest.of(b"1"), Digest.of(b"2")
    pair = [FileDigest("a", one, 1), FileDigest("b", two, 1)]
    forged = [FileDigest(f"a\n{two.hex}  b", one, 1)]
    assert tree_digest(pair) == tree_digest(pair[::-1])
    with pytest.raises(SourceRefused, match="line break"):
        tree_digest(forged)


# --- commands --------------------------------------------------------------------------------------------------------


def command(*argv: str, seconds: float = 30) -> Command:
    return Command(argv, frozenset({"PATH"}), {"A": "1"}, timedelta(seconds=seconds))


LATE = """
import os, sys, time
print("early", flush=True)
if os.fork() == 0:
    os.setsid()
    time.sleep(1)
    os.write(1, b"late")
    time.sleep(5)
    os._exit(0)
os._exit(0)
"""


def test_what_an_escaped_process_writes_after_the_end_is_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It left the session, so it outlives the command; what it writes came into a log that was hashed already."""
    monkeypatch.setattr("chainward.adapters.process._DRAIN_SECONDS", 0.2)
    seen: list[bytes] = []
    runner = SubprocessRunner(tmp_path, {"PATH": os.environ["PATH"], "SECRET": "x"})
    outcome = runner.run(command(sys.executable, "-c", LATE), seen.append)
    assert (outcome.status, outcome.environment) == (0, ("A", "PATH"))
    before = b"".join(seen)
    time.sleep(1.5)
    assert (before, b"".join(seen)) == (b"early\n", b"early\n")


def test_standard_output_and_error_are_one_stream_in_order(tmp_path: Path) -> None:
    seen: list[bytes] = []
    script = "import os; os.write(1, b'1'); os.write(2, b'2'); os.write(1, b'3')"
    SubprocessRunner(tmp_path, {}).run(command(sys.executable, "-c", script), seen.append)
    assert b"".join(seen) == b"123"


def test_a_command_cannot_wait_for_somebody_to_type(tmp_path: Path) -> None:
    outcome = SubprocessRunner(tmp_path, {}).run(
        command(sys.executable, "-c", "import sys; sys.exit(len(sys.stdin.read()))"), lambda _: None
    )
    assert (outcome.status, outcome.timed_out) == (0, False)


def test_a_folder_that_is_not_there_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="not a folder"):
        SubprocessRunner(tmp_path / "none", {}).run(command("true"), lambda _: None)


# --- layouts that a build is published from --------------------------------------------------------------------------


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    writer = ResultWriter(tmp_path / "out")
    digest, size = writer.put((b"{}",))
    writer.index(Descriptor(OCI_MANIFEST, digest, size), "web")
    writer.complete()
    return tmp_path / "out/image"


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
def test_a_pipe_in_place_of_a_layout_document_keeps_nobody_waiting(layout: Path, name: str) -> None:
    (layout / name).unlink()
    os.mkfifo(layout / name)
    with pytest.raises(LayoutInvalid, match="not a regular file"):
        LayoutReader(layout).manifest()


@pytest.mark.timeout(10)
def test_a_pipe_in_place_of_a_blob_keeps_nobody_waiting(layout: Path) -> None:
    digest = Digest.of(b"{}")
    path = layout / "blobs/sha256" / digest.hex
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(LayoutInvalid, match="lacks the blob"):
        list(LayoutReader(layout).chunks(digest))


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
def test_a_layout_document_of_gigabytes_is_refused(layout: Path, name: str) -> None:
    with (layout / name).open("r+b") as file:
        file.truncate(20 * 1024 * 1024 * 1024)
    with pytest.raises(LayoutInvalid):
        LayoutReader(layout).manifest()


def test_a_layout_with_two_images_is_not_published_by_chance(layout: Path) -> None:
    index = (layout / "index.json").read_text()
    entry = index[index.index("[") + 1 : index.rindex("]")]
    (layout / "index.json").write_text(index.replace(entry, f"{entry},{entry}"))
    with pytest.raises(LayoutInvalid, match="one image"):
        LayoutReader(layout).manifest()
