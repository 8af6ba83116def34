"""Who acts: a person's token, a robot, a gate of the platform itself, a signer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["PLATFORM", "Actor", "Context"]


@dataclass(frozen=True, slots=True, order=True)
class Actor:
    """Somebody or something that acts, as a URI-like name: ``token:ci``, ``platform:chainward``."""

    name: str

    def __str__(self) -> str:
        return self.name


PLATFORM: Final = Actor("platform:chainward")


@dataclass(frozen=True, slots=True)
class Context:
    """On whose behalf and within which request something happens.

    ``correlation`` is the request id that ties log lines, facts and answers together.
    """

    actor: Actor
    correlation: str
    tenant: str = "default"
