"""What the shop sells: products with a number, a name and a price in cents, read from ``catalogue.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Catalogue", "Product"]

_FILE = Path(__file__).with_name("catalogue.json")


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on the shelf."""

    sku: str
    name: str
    cents: int

    def __post_init__(self) -> None:
        if not self.sku or not self.name or self.cents <= 0:
            raise ValueError(f"{self.sku!r} needs a number, a name and a price")


class Catalogue:
    """All products by their number."""

    def __init__(self, products: list[Product]) -> None:
        self._products = {product.sku: product for product in products}
        if len(self._products) != len(products):
            raise ValueError("two products share a number")

    @classmethod
    def load(cls, file: Path = _FILE) -> Catalogue:
        """Read the catalogue that ships with the shop."""
        return cls([Product(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))])

    def find(self, sku: str) -> Product | None:
        """The product with this number, if it is sold."""
        return self._products.get(sku)

    def listed(self) -> list[dict[str, Any]]:
        """All products in the order of their numbers, ready for JSON."""
        return [asdict(product) for _, product in sorted(self._products.items())]
