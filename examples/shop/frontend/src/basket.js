// What is in the basket: an immutable map of product numbers to quantities. Prices are the server's business.

export const MAX_QUANTITY = 99;

export const empty = Object.freeze({});

export function add(basket, sku, quantity = 1) {
  const wanted = Math.min((basket[sku] ?? 0) + quantity, MAX_QUANTITY);
  return wanted > 0 ? Object.freeze({ ...basket, [sku]: wanted }) : remove(basket, sku);
}

export function remove(basket, sku) {
  const { [sku]: _removed, ...rest } = basket;
  return Object.freeze(rest);
}

export function items(basket) {
  return Object.entries(basket)
    .map(([sku, quantity]) => ({ sku, quantity }))
    .sort((left, right) => left.sku.localeCompare(right.sku));
}
