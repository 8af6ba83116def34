"""The contract tests run over every adapter: ``platform_database`` gives each test SQLite and PostgreSQL."""

from __future__ import annotations

from tests.databases import cluster, platform_database

__all__ = ["cluster", "platform_database"]
