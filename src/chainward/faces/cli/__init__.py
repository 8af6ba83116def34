"""The ``chainward`` command: one module for each verb, loaded only when that verb runs.

Nothing heavy is imported to parse a command line: ``--help`` costs less than 100 ms of CPU, which a test holds.
Exit status: 0 done; 1 refused or untrusted (the gate said no); 2 wrong input or usage; 3 not found; 4 not allowed;
5 conflict; 6 not available now; 70 a defect.
"""

from __future__ import annotations

import importlib
from typing import Final

import click

from chainward import __version__
from chainward.faces.cli.exits import report
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


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="chainward")
def cli() -> None:
    """Every artifact proves where it came from and what is in it, or it does not ship."""


def main() -> None:
    """Run the command line and turn every Problem into its message and exit status."""
    try:
        cli(standalone_mode=True)
    except Problem as problem:
        raise SystemExit(report(problem)) from None
