import { openGateway, type TestGateway } from "./test-gateway.ts";
import { serveProducts, serveReviews, type TestService } from "./test-services.ts";

/** A gateway, and the services behind it. */
export type Shop = TestGateway & { readonly products: TestService; readonly reviews: TestService };

/** Runs a test with a gateway over products and reviews, which have been asked nothing yet. */
export async function withShop(
  test: (shop: Shop) => Promise<void>,
  options: object = {},
  parts: Parameters<typeof openGateway>[1] = {},
): Promise<void> {
  await using products = await serveProducts();
  await using reviews = await serveReviews();
  await using shop = await openGateway(options, parts);
  await shop.apply({ products, reviews });
  for (const { seen } of [products, reviews]) seen.length = 0;
  await test(Object.assign(shop, { products, reviews }));
}

export const json = { "content-type": "application/json" };

export function post(
  shop: TestGateway,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(shop.url, { method: "POST", headers: { ...json, ...headers }, body: JSON.stringify(body) });
}

/** The code of an answer's first error. */
export async function codeOf(response: Response): Promise<unknown> {
  const { errors } = (await response.json()) as { errors?: { extensions?: { code?: string } }[] };
  return errors?.[0]?.extensions?.code;
}
