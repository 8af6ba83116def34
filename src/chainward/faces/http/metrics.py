"""Numbers about the process and its requests, in the Prometheus text format.

Labels are route templates, methods, statuses and problem codes: a bounded set that names nobody's repositories.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from chainward.faces.http.trace import Trace

__all__ = ["METRICS_TYPE", "Metrics"]

METRICS_TYPE: Final = CONTENT_TYPE_LATEST
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one application; nothing is registered globally. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "chainward_http_requests", "Answered requests.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "chainward_http_request_seconds",
            "Time from a request to the end of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._problems = Counter("chainward_problems", "Problems told to callers.", ("code",), registry=self.registry)
        self._gauges: dict[str, tuple[Gauge, Callable[[], float]]] = {}
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._lock = threading.Lock()
        ProcessCollector(namespace="chainward", registry=self.registry)

    def observe(self, method: str, trace: Trace, seconds: float) -> None:
        """Count one answered request."""
        counter, histogram = self._of(method if method in _METHODS else "OTHER", trace.route, trace.status)
        counter.inc()
        histogram.observe(seconds)
        if trace.code:
            self._problems.labels(trace.code).inc()

    def _of(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """Return what counts such requests; kept, because finding it costs more than counting."""
        key = (method, route, status)
        known = self._known.get(key)
        if known is None:
            known = self._requests.labels(method, route, str(status)), self._seconds.labels(route)
            self._known[key] = known
        return known

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Show a number that is read whenever somebody asks for the metrics."""
        self._gauges[name] = (Gauge(f"chainward_{name}", description, registry=self.registry), read)

    def text(self) -> bytes:
        """Return all metrics; may block on the database."""
        with self._lock:
            for gauge, read in self._gauges.values():
                gauge.set(read())
            return generate_latest(self.registry)
