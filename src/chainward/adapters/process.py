"""Runs the command of a build, and small tools: given environment, time limit, and nothing left behind.

The command gets its own session, so that everything it started can be stopped with it. Its standard output and error
are one stream, in the order in which they were written.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final

from chainward.delivery.errors import SourceUnreadable, ToolMissing
from chainward.delivery.ports import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from chainward.delivery.ports import Command

__all__ = ["SubprocessRunner", "output_of"]

_CHUNK: Final = 64 * 1024
_DRAIN_SECONDS: Final = 10


class SubprocessRunner:
    """Runs commands in one folder; implements Runner. ``environment`` is what the allow-list chooses from."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment

    def run(self, command: Command, tee: Callable[[bytes], None]) -> Outcome:
        """Run a command to its end."""
        passed = {name: value for name, value in self._environment.items() if name in command.environment}
        passed |= command.settings
        process = self._start(command, passed)
        try:
            reader = _Reader(process.stdout, tee)
            try:
                process.wait(command.time_limit.total_seconds())
            except subprocess.TimeoutExpired:
                timed_out = True
            else:
                timed_out = False
        finally:
            _stop(process)
        reader.join()
        return Outcome(process.returncode, timed_out, tuple(sorted(passed)))

    def _start(self, command: Command, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        if not self._folder.is_dir():
            raise SourceUnreadable(f"{self._folder} is not a folder")
        try:
            return subprocess.Popen(
                command.argv,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise ToolMissing(f"{command.argv[0]!r} cannot be started: {error}") from error


class _Reader:
    """Reads a stream in a thread of its own and passes on what went wrong there."""

    def __init__(self, stream: IO[bytes] | None, tee: Callable[[bytes], None]) -> None:
        assert stream is not None  # noqa: S101 - Popen was asked for a pipe
        self._stream = stream
        self._tee = tee
        self._error: BaseException | None = None
        self._lock = threading.Lock()
        self._is_over = False
        self._thread = threading.Thread(target=self._read, name="chainward-build-output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            with self._stream:
                while chunk := os.read(self._stream.fileno(), _CHUNK):
                    with self._lock:
                        if self._is_over:
                            return
                        self._tee(chunk)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error

    def join(self) -> None:
        """Wait until the stream ended; a process that left its session may hold it open, but not for long.

        What such a process writes afterwards is no output of the command: the log is complete when this returns.
        """
        self._thread.join(_DRAIN_SECONDS)
        with self._lock:
            self._is_over = True
        if self._error is not None:
            raise self._error


def output_of(argv: Sequence[str], environment: Mapping[str, str], *, seconds: float, limit: int) -> tuple[int, bytes]:
    """Run a small tool to its end; returns its exit status and what it wrote to its standard output, and no more.

    What it writes to standard error is dropped: it may repeat secrets. ``limit`` stops a tool that never ends writing.

    Raises:
        ToolMissing: it cannot be started, writes more than ``limit`` bytes, or does not end within ``seconds``.
    """
    try:
        process = subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ToolMissing(f"{argv[0]!r} cannot be started: {error}") from error
    written = bytearray()
    reader = _Reader(process.stdout, lambda chunk: _take(written, chunk, limit))
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise ToolMissing(f"{argv[0]!r} did not end within {seconds:g} seconds") from None
    finally:
        _stop(process)
    reader.join()
    return process.returncode, bytes(written)


def _take(written: bytearray, chunk: bytes, limit: int) -> None:
    written += chunk
    if len(written) > limit:
        raise ToolMissing(f"the tool wrote more than {limit} bytes")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of the command's session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
