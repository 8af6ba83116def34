"""A prepared platform below the faces for each attack."""

from __future__ import annotations

from tests.delivery.conftest import rig

__all__ = ["rig"]
