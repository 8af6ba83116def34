"""Alive, ready, measured: what orchestrators and Prometheus ask.

``/healthz`` says that the process answers. ``/readyz`` says that work should be sent here: the database answers, the
logs have heads, and the platform is not shutting down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainward.faces.http.answers import Answer, json_answer
from chainward.kernel.problem import Problem

if TYPE_CHECKING:
    from chainward.faces.http.envelope import Traffic
    from chainward.faces.http.metrics import Metrics
    from chainward.faces.http.requests import Call

__all__ = ["Health"]


class Health:
    """The translators of the three routes; they look at the process as well as at the platform."""

    def __init__(self, traffic: Traffic, metrics: Metrics) -> None:
        self._traffic = traffic
        self._metrics = metrics

    def alive(self, call: Call) -> Answer:
        """Answer as long as there is a process that can."""
        del call
        return json_answer({"status": "ok"})

    def ready(self, call: Call) -> Answer:
        """Answer 200 when work should be sent here, 503 with the reason otherwise."""
        if self._traffic.closing:
            return json_answer({"status": "shutting-down"}, 503, {"Retry-After": "5"})
        try:
            sizes = call.platform.log_sizes()
        except Problem as problem:
            return json_answer({"status": "unavailable", "code": problem.code}, 503, {"Retry-After": "1"})
        return json_answer({"status": "ready" if sizes else "empty"}, 200 if sizes else 503)

    def measured(self, call: Call) -> Answer:
        """Answer the metrics in the Prometheus text format."""
        from chainward.faces.http.metrics import METRICS_TYPE

        del call
        return Answer(self._metrics.text(), media_type=METRICS_TYPE)
