"""The server of the contract tests, for platforms over PostgreSQL."""

from __future__ import annotations

from tests.databases import cluster

__all__ = ["cluster"]
