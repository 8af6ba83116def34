"""${message}."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

__all__: list[str] = []

revision: Final = ${repr(up_revision)}
down_revision: Final = ${repr(down_revision)}


def upgrade() -> None:
    """Add what this version needs."""
    ${upgrades if upgrades else "raise NotImplementedError"}
