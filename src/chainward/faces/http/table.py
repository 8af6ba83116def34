"""The route table: every method of every path of the platform, in one list.

The registry protocol (``/v2/``) keeps its own table, because its paths are not templates of this kind.
``docs/reference/api.md`` is generated from here, and a test walks the table to see that nothing is open by accident.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.access.model import Permission
from chainward.faces.http import (
    admission,
    artifacts,
    authorities,
    development_issuer,
    documents,
    facts,
    fulcio,
    gates,
    policy,
    portfolio,
    rekor,
    revocations,
    signature_revocations,
    signers,
    timeline,
    timestamp,
    tokens,
    transparency,
    witness,
)
from chainward.faces.http.routes import Needs, Public, Reach, Route

if TYPE_CHECKING:
    from chainward.config import Config
    from chainward.faces.http.health import Health
    from chainward.faces.web.pages import Pages

__all__ = ["table_of"]


def table_of(config: Config, health: Health, pages: Pages) -> tuple[Route, ...]:
    """Return all routes, those of one path beside each other, more specific paths before less specific ones."""
    return (
        *_process(config, health),
        *admission.ROUTES,
        *artifacts.ROUTES,
        *authorities.ROUTES,
        *documents.ROUTES,
        *development_issuer.ROUTES,
        *facts.ROUTES,
        *fulcio.ROUTES,
        *gates.ROUTES,
        *policy.ROUTES,
        *portfolio.ROUTES,
        *rekor.routes(),
        *revocations.ROUTES,
        *signature_revocations.ROUTES,
        *signers.ROUTES,
        *timeline.ROUTES,
        *timestamp.ROUTES,
        *tokens.ROUTES,
        *transparency.ROUTES,
        *witness.ROUTES,
        *pages.routes(),
    )


def _process(config: Config, health: Health) -> tuple[Route, ...]:
    probe = Public("orchestrators have no token, and it says nothing but that the process is there")
    metrics = (
        Public("server.metrics_public is set")
        if config.server.metrics_public
        else Needs(Permission.READ_LEDGER, Reach.PLATFORM)
    )
    return (
        Route("GET", "/healthz", probe, health.alive, "Say whether the process answers."),
        Route("GET", "/readyz", probe, health.ready, "Say whether work should be sent here."),
        Route(
            "GET", "/metrics", metrics, health.measured, "Numbers in the Prometheus text format.", gives="text/plain"
        ),
    )
