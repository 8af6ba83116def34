"""What a basket costs. Money is counted in cents, and the server alone counts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from shop.catalogue import Catalogue

__all__ = ["BasketError", "Bill", "Line", "bill_for"]

MAX_LINES: Final = 50
MAX_QUANTITY: Final = 99
DISCOUNT_FROM_CENTS: Final = 5000
DISCOUNT_PERCENT: Final = 5


class BasketError(ValueError):
    """The basket cannot be priced; the message is for the customer."""


@dataclass(frozen=True, slots=True)
class Line:
    """One product in some quantity."""

    sku: str
    name: str
    quantity: int
    cents: int


@dataclass(frozen=True, slots=True)
class Bill:
    """A priced basket."""

    lines: tuple[Line, ...]

    @property
    def subtotal_cents(self) -> int:
        """The sum of the lines."""
        return sum(line.cents for line in self.lines)

    @property
    def discount_cents(self) -> int:
        """Five percent of large baskets, rounded in the customer's favour."""
        if self.subtotal_cents < DISCOUNT_FROM_CENTS:
            return 0
        return -(-self.subtotal_cents * DISCOUNT_PERCENT // 100)

    @property
    def total_cents(self) -> int:
        """What is to be paid."""
        return self.subtotal_cents - self.discount_cents


def bill_for(items: Any, catalogue: Catalogue) -> Bill:  # noqa: ANN401 - it comes from outside
    """Price what a customer sent; raises :class:`BasketError`."""
    if not isinstance(items, list) or len(items) > MAX_LINES:
        raise BasketError(f"a basket is a list of at most {MAX_LINES} items")
    quantities: dict[str, int] = {}
    for item in items:
        sku, quantity = _checked(item)
        quantities[sku] = quantities.get(sku, 0) + quantity
    return Bill(tuple(_line(sku, quantity, catalogue) for sku, quantity in sorted(quantities.items())))


def _checked(item: Any) -> tuple[str, int]:  # noqa: ANN401 - it comes from outside
    if not isinstance(item, dict) or not isinstance(item.get("sku"), str):
        raise BasketError("an item needs the number of a product")
    quantity = item.get("quantity")
    if type(quantity) is not int or quantity < 1:
        raise BasketError("a quantity is a whole number from 1")
    return item["sku"], quantity


def _line(sku: str, quantity: int, catalogue: Catalogue) -> Line:
    product = catalogue.find(sku)
    if product is None:
        raise BasketError(f"there is no product {sku[:40]}")
    if quantity > MAX_QUANTITY:
        raise BasketError(f"at most {MAX_QUANTITY} of {product.name} can be ordered")
    return Line(sku, product.name, quantity, product.cents * quantity)
