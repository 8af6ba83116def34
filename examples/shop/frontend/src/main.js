// The page: a list of products and a basket whose prices the server computes.

import { Component, h, render } from "../vendor/preact.mjs";
import htm from "../vendor/htm.mjs";
import { priced, products } from "./api.js";
import { add, empty, items, remove } from "./basket.js";

const html = htm.bind(h);
const money = (cents) => new Intl.NumberFormat("en", { style: "currency", currency: "EUR" }).format(cents / 100);

function Products({ list, onAdd }) {
  return html`
    <ul class="products">
      ${list.map(
        (product) => html`
          <li key=${product.sku}>
            <strong>${product.name}</strong>
            <span>${money(product.cents)}</span>
            <button type="button" onClick=${() => onAdd(product.sku)}>Add</button>
          </li>
        `,
      )}
    </ul>
  `;
}

function Basket({ bill, onRemove }) {
  if (!bill || bill.lines.length === 0) {
    return html`<p class="basket">The basket is empty.</p>`;
  }
  return html`
    <section class="basket">
      <h2>Basket</h2>
      <ul>
        ${bill.lines.map(
          (line) => html`
            <li key=${line.sku}>
              ${line.quantity} × ${line.name} <span>${money(line.cents)}</span>
              <button type="button" onClick=${() => onRemove(line.sku)}>Remove</button>
            </li>
          `,
        )}
      </ul>
      ${bill.discount_cents > 0 && html`<p>Discount <span>−${money(bill.discount_cents)}</span></p>`}
      <p class="total">Total <span>${money(bill.total_cents)}</span></p>
    </section>
  `;
}

class Shop extends Component {
  state = { list: [], basket: empty, bill: null, error: "" };

  componentDidMount() {
    products().then(
      (list) => this.setState({ list }),
      (error) => this.setState({ error: error.message }),
    );
  }

  change(basket) {
    this.setState({ basket });
    priced(items(basket)).then(
      (bill) => this.setState({ bill, error: "" }),
      (error) => this.setState({ error: error.message }),
    );
  }

  render(_properties, { list, basket, bill, error }) {
    return html`
      ${error && html`<p class="error" role="alert">${error}</p>`}
      <${Products} list=${list} onAdd=${(sku) => this.change(add(basket, sku))} />
      <${Basket} bill=${bill} onRemove=${(sku) => this.change(remove(basket, sku))} />
    `;
  }
}

render(html`<${Shop} />`, document.getElementById("shop"));
