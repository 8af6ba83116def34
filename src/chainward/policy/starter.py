"""The policy that a new platform starts with; it ships as ``starter.yaml`` beside this module."""

from __future__ import annotations

from importlib import resources

__all__ = ["starter_policy"]


def starter_policy() -> bytes:
    """Return the document of the starter policy."""
    return resources.files("chainward.policy").joinpath("starter.yaml").read_bytes()
