"""What it costs to start the command: CPU of the whole process, beside the bare interpreter in the same run.

Promise: ``chainward --help`` takes less than 100 ms of CPU.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 15
LIMIT_MS = 100
CHAINWARD = Path(sys.executable).parent / "chainward"


def cpu_ms(*words: str) -> float:
    """Return the CPU milliseconds of one process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def main() -> int:
    """Measure both in turn and print the table."""
    bare: list[float] = []
    shown: list[float] = []
    for _ in range(RUNS):
        bare.append(cpu_ms(sys.executable, "-c", "pass"))
        shown.append(cpu_ms(str(CHAINWARD), "--help"))
    median = statistics.median(shown)
    print("| process | CPU ms median | min |")
    print("|---|---|---|")
    print(f"| bare interpreter | {statistics.median(bare):.0f} | {min(bare):.0f} |")
    print(f"| chainward --help | {median:.0f} | {min(shown):.0f} |")
    return 0 if median < LIMIT_MS else 1


if __name__ == "__main__":
    raise SystemExit(main())
