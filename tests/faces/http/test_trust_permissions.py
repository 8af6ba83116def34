"""Who may change what is believed: administrators of the whole platform, and nobody else."""

from __future__ import annotations

import pytest
from tests.hostile import Door, doors

from chainward.access.model import Permission
from chainward.faces.http.routes import Reach

BELIEF = (
    "/api/v1/signers",
    "/api/v1/signature-revocations",
    "/api/v1/trust/",
    "/api/v1/witness",
    "/dev/oidc/token",
)
"""Signers, revocations of signatures, authorities, the trust repository, witnessing, and tokens for anybody."""
CHANGING = [door for door in doors() if door.method not in {"GET", "HEAD"} and door.template.startswith(BELIEF)]


def test_every_part_of_what_is_believed_can_be_changed() -> None:
    """Else the next test would try nothing."""
    assert {prefix for prefix in BELIEF if any(door.template.startswith(prefix) for door in CHANGING)} == set(BELIEF)
    assert len(CHANGING) >= 14


@pytest.mark.parametrize("door", CHANGING, ids=str)
def test_a_low_role_changes_nothing_of_what_is_believed(door: Door) -> None:
    assert (door.needs, door.reach) == (Permission.ADMINISTER, Reach.PLATFORM)
