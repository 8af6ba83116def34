"""Services, who owns them and how much they matter; environments and their namespaces; and what is deployed where.

:class:`~chainward.portfolio.map.Portfolio` is the whole of it at one moment and answers ``service_of`` and
``environment_of``; :class:`~chainward.portfolio.declare.Portfolios` changes it and reads it back.
"""

from __future__ import annotations

from chainward.portfolio.declare import Portfolios
from chainward.portfolio.map import Portfolio
from chainward.portfolio.model import Deployment, Environment, NamespacePattern, Service

__all__ = ["Deployment", "Environment", "NamespacePattern", "Portfolio", "Portfolios", "Service"]
