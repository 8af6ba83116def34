"""Write every generated reference page, or check with ``--check`` that all of them are fresh.

Each page has its own ``tools/docs_<page>.py``, which takes the same flag; this runs them all.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run every generator; returns 1 if one of them failed."""
    here = Path(__file__).parent
    generators = sorted(here.glob("docs_*.py"))
    failed = [
        path.name
        for path in generators
        if subprocess.run([sys.executable, path, *sys.argv[1:]], check=False).returncode
    ]
    if failed:
        print(f"stale or broken: {', '.join(failed)}; run: make docs-generate", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
