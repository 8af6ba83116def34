// The shop's two calls.

async function answerOf(response) {
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.error ?? `the shop answered ${response.status}`);
  }
  return answer;
}

export async function products() {
  return (await answerOf(await fetch("/api/products"))).products;
}

export async function priced(items) {
  const body = JSON.stringify({ items });
  const headers = { "Content-Type": "application/json" };
  return answerOf(await fetch("/api/basket", { method: "POST", headers, body }));
}
