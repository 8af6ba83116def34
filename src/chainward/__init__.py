"""Chainward: every artifact proves where it came from and what is in it, or it does not ship."""

__version__ = "0.1.0"
