"""The ``chainward`` command: one module for each verb, loaded only when that verb runs.

Nothing heavy is imported to parse a command line: ``--help`` costs less than 100 ms of CPU, which a test holds.
Exit status: 0 done; 1 refused or untrusted (the gate said no); 2 wrong input or usage; 3 not found; 4 not allowed;
5 conflict; 6 not available now; 70 a defect; 130 stopped by Ctrl-C; 141 nobody read the output to its end.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Final

import click

from chainward import __version__
from chainward.faces.cli.exits import BROKEN_PIPE, INTERRUPTED, report, report_defect, report_usage
from chainward.kernel.problem import Problem

__all__ = ["VERBS", "main"]

VERBS: Final = {
    "init": "Create a platform: keys, database, environments, starter policy, first admin token",
    "up": "Run the platform",
    "build": "Run a build, record what went in and out, and assemble its image",
    "sbom": "List what is in a folder or an image",
    "sign": "Sign a file or an image",
    "attest": "Sign a statement about an image: provenance, SBOM, test result",
    "verify": "Check who signed a file or an image, and what was stated about it",
    "push": "Push an image with its evidence",
    "promote": "Move an image to the next environment, evidence checked again",
    "admit": "Ask the gate about a Kubernetes AdmissionReview",
    "revoke": "Stop a digest everywhere, now",
    "timeline": "Show everything that ever happened to an image",
    "log": "Look at the logs and check them",
    "witness": "Cosign the logs of others, and have one's own cosigned",
    "keys": "Make and show signing keys",
    "trust": "Say whose signatures count, and for what",
    "policy": "Show, check and activate the policy",
    "service": "Declare services and environments",
    "token": "Issue and revoke API tokens",
    "rebuild": "Build the projections anew from fact 0",
}


class _LazyGroup(click.Group):
    """A group that imports a verb's module only when the verb is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which a user meets them."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"chainward.faces.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - a module of this folder without a command is a defect
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


_EPILOG: Final = """\b
Exit status:
  0  done, allowed, verified        4  not allowed, or no token
  1  refused, denied, untrusted     5  conflict with what is there
  2  wrong input or usage           6  platform not available now
  3  not found                     70  a defect; please report it

\b
Environment:
  CHAINWARD_URL                  the platform   [http://127.0.0.1:8420]
  CHAINWARD_TOKEN_FILE           file with the API token (or CHAINWARD_TOKEN)
  CHAINWARD_KEY                  private key; without one an identity signs
  CHAINWARD_IDENTITY_TOKEN       token of that identity
  CHAINWARD_TUF_ROOT             root of trust to begin with
  CHAINWARD_TRUST_FOLDER         where roots that were met first are pinned
  CHAINWARD_KEY_PASSPHRASE_FILE  file with its passphrase

\b
Begin with:
  chainward init --data DIR --token-out admin.token
  chainward up --data DIR
"""


@click.group(
    cls=_LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="chainward")
def cli() -> None:
    """Every artifact proves where it came from and what is in it, or it does not ship."""


def main() -> None:
    """Run the command line; every way to end has its exit status, and every error its text."""
    status = _run()
    gc.freeze()  # or the end of the interpreter looks through all that was loaded for garbage: 30 ms of CPU
    raise SystemExit(status)


def _run() -> int:
    stdout = sys.stdout
    try:
        status = cli.main(prog_name="chainward", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as end:
        if sys.stdout is not stdout:  # click met a broken pipe: then, and only then, it puts a wrapper here
            return BROKEN_PIPE
        status = end.code
    except BaseException as end:  # noqa: BLE001 - the last place that can tell a defect from a refusal
        return _status_of(end)
    return status if isinstance(status, int) else 0


def _status_of(end: BaseException) -> int:
    """Report how a command ended, and return the exit status of that."""
    match end:
        case Problem():
            return report(end)
        case click.ClickException():
            return report_usage(end)
        case click.Abort() | KeyboardInterrupt():
            click.echo("stopped", err=True)
            return INTERRUPTED
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
            return BROKEN_PIPE
        case _:
            return report_defect(end)
