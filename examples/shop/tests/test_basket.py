"""What baskets cost, and which ones are refused."""

from __future__ import annotations

import unittest
from typing import Any

from shop.basket import MAX_QUANTITY, BasketError, bill_for
from shop.catalogue import Catalogue, Product

CATALOGUE = Catalogue([Product("tea", "Tea", 890), Product("tin", "Tin", 645)])


def total(*items: tuple[str, int]) -> int:
    return bill_for([{"sku": sku, "quantity": quantity} for sku, quantity in items], CATALOGUE).total_cents


class Prices(unittest.TestCase):
    """The arithmetic."""

    def test_an_empty_basket_costs_nothing(self) -> None:
        assert total() == 0

    def test_quantities_multiply_and_lines_add_up(self) -> None:
        assert total(("tea", 2), ("tin", 1)) == 2 * 890 + 645

    def test_one_product_in_two_items_is_one_line(self) -> None:
        bill = bill_for([{"sku": "tea", "quantity": 1}, {"sku": "tea", "quantity": 2}], CATALOGUE)
        assert [(line.sku, line.quantity) for line in bill.lines] == [("tea", 3)]

    def test_a_large_basket_is_cheaper_and_never_rounded_against_the_customer(self) -> None:
        assert total(("tin", 7)) == 7 * 645
        bill = bill_for([{"sku": "tin", "quantity": 8}], CATALOGUE)
        assert bill.subtotal_cents == 5160
        assert bill.discount_cents == 258
        assert bill_for([{"sku": "tea", "quantity": 9}], CATALOGUE).discount_cents == 401  # 400.5


class Refusals(unittest.TestCase):
    """What customers must not be able to send."""

    def test_nonsense_is_refused(self) -> None:
        nonsense: list[Any] = [
            None,
            {},
            "tea",
            ["tea"],
            [{"sku": 1, "quantity": 1}],
            [{"sku": "tea"}],
            [{"sku": "tea", "quantity": 0}],
            [{"sku": "tea", "quantity": -1}],
            [{"sku": "tea", "quantity": 1.5}],
            [{"sku": "tea", "quantity": True}],
            [{"sku": "tea", "quantity": MAX_QUANTITY + 1}],
            [{"sku": "tea", "quantity": MAX_QUANTITY}, {"sku": "tea", "quantity": 1}],
            [{"sku": "coffee", "quantity": 1}],
            [{"sku": "tea", "quantity": 1}] * 51,
        ]
        for items in nonsense:
            with self.subTest(items=str(items)[:60]), self.assertRaises(BasketError):
                bill_for(items, CATALOGUE)


class Shelves(unittest.TestCase):
    """The catalogue that ships."""

    def test_the_catalogue_loads_and_is_listed_in_order(self) -> None:
        listed = Catalogue.load().listed()
        assert len(listed) == 4
        assert [entry["sku"] for entry in listed] == sorted(entry["sku"] for entry in listed)

    def test_products_without_price_or_with_the_same_number_are_refused(self) -> None:
        with self.assertRaises(ValueError):
            Product("tea", "Tea", 0)
        with self.assertRaises(ValueError):
            Catalogue([Product("tea", "Tea", 1), Product("tea", "Other tea", 2)])


if __name__ == "__main__":
    unittest.main()
