"""Starts the shop: ``python serve.py``; ``SHOP_HOST`` and ``SHOP_PORT`` say where it listens."""

from __future__ import annotations

import os

import uvicorn
from shop.web import application


def main() -> None:
    """Serve until stopped."""
    host, port = os.environ.get("SHOP_HOST", "127.0.0.1"), int(os.environ.get("SHOP_PORT", "8000"))
    uvicorn.run(application(), host=host, port=port, server_header=False)


if __name__ == "__main__":
    main()
