"""The shop as a browser sees it."""

from __future__ import annotations

import json
import unittest
from typing import Any

from asgi import Answer, call
from shop.web import application


class Web(unittest.TestCase):
    """One application for all tests."""

    app = application()

    def price(self, sent: Any) -> Answer:  # noqa: ANN401 - anything may be sent
        body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        return call(self.app, "POST", "/api/basket", body)

    def test_the_shop_is_healthy(self) -> None:
        assert call(self.app, "GET", "/healthz").json() == {"status": "ok"}

    def test_products_are_listed_with_prices(self) -> None:
        products = call(self.app, "GET", "/api/products").json()["products"]
        assert {"sku", "name", "cents"} == set(products[0])

    def test_a_basket_is_priced(self) -> None:
        answer = self.price({"items": [{"sku": "TIN-ROUND-1", "quantity": 2}]})
        assert (answer.status, answer.json()["total_cents"]) == (200, 1280)

    def test_a_bad_basket_is_refused_with_a_reason(self) -> None:
        for sent in (b"", b"[]", b"{", {"items": 3}, {"items": [{"sku": "x", "quantity": 1}]}, b"[" * 60_000):
            answer = self.price(sent)
            with self.subTest(sent=str(sent)[:40]):
                assert answer.status == 422
                assert answer.json()["error"]

    def test_a_basket_of_megabytes_is_refused(self) -> None:
        assert self.price(b" " * 100_000).json()["error"] == "the basket is too large"

    def test_the_page_and_its_modules_are_served_with_security_headers(self) -> None:
        for path in ("/", "/src/main.js", "/src/styles.css", "/vendor/preact.mjs"):
            answer = call(self.app, "GET", path)
            with self.subTest(path=path):
                assert answer.status == 200
                assert "default-src 'self'" in answer.headers["content-security-policy"]
                assert answer.headers["x-content-type-options"] == "nosniff"

    def test_modules_are_served_as_scripts(self) -> None:
        for path in ("/src/main.js", "/vendor/htm.mjs"):
            assert "javascript" in call(self.app, "GET", path).headers["content-type"]

    def test_nothing_else_is_served(self) -> None:
        for path in ("/package-lock.json", "/src/../package.json", "/src/%2e%2e/package.json", "/nothing"):
            with self.subTest(path=path):
                assert call(self.app, "GET", path).status == 404


if __name__ == "__main__":
    unittest.main()
