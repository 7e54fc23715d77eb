import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

type Line = Readonly<Record<string, unknown>>;

const dataDir = mkdtempSync(join(tmpdir(), "catalyst-examples-"));
after(() => rmSync(dataDir, { recursive: true }));

/** One example as its own process, without a node. Disposing it sends SIGTERM and checks that it ends well. */
class Example implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  #url = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, "exit");
  }

  static start(name: string): Promise<Example> {
    return Example.run([join(import.meta.dirname, name, "main.ts"), "--port", "0", "--data-dir", dataDir]);
  }

  static async run(args: readonly string[]): Promise<Example> {
    const env = { ...process.env, CATALYST_NODE_DATA_DIR: dataDir };
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "inherit", "pipe"] });
    const example = new Example(child);
    const listening = Promise.withResolvers<string>();
    child.once("exit", () => listening.reject(new Error(JSON.stringify(example.lines))));
    createInterface({ input: child.stderr as NonNullable<ChildProcess["stderr"]> }).on("line", (text) => {
      const line: Line = JSON.parse(text);
      example.lines.push(line);
      if (line["msg"] === "listening") listening.resolve(String(line["url"]));
    });
    example.#url = await listening.promise;
    return example;
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(new URL(path, this.#url), { signal: AbortSignal.timeout(10_000), ...init });
  }

  /** Asks over the service's endpoint; what comes back is the whole answer. */
  async query(query: string, variables: object = {}): Promise<Answer> {
    const response = await this.#post(query, variables, "application/json");
    return (await response.json()) as Answer;
  }

  /** Starts a subscription over SSE, and yields the data of each event. */
  async *subscribe(query: string): AsyncGenerator<unknown> {
    const response = await this.#post(query, {}, "text/event-stream");
    assert.equal(response.headers.get("content-type")?.split(";")[0], "text/event-stream");
    for await (const data of eventsOf(response)) yield data;
  }

  #post(query: string, variables: object, accept: string): Promise<Response> {
    const headers = { "content-type": "application/json", accept, "x-request-id": "test-1" };
    const body = JSON.stringify({ query, variables });
    return this.fetch(this.#url, { method: "POST", headers, body });
  }

  /** Resolves when it has logged a message that begins so. */
  async says(words: string): Promise<void> {
    for (let left = 500; !this.lines.some(({ msg }) => String(msg).startsWith(words)); left--) {
      assert.ok(left > 0, `"${words}" in ${JSON.stringify(this.lines)}`);
      await sleep(20);
    }
  }

  /** Ends it as a supervisor would. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const [code, signal] = await this.#exited;
    assert.deepEqual([code, signal], [0, null], JSON.stringify(this.lines));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.stop();
  }
}

type Answer = {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
};

/** The JSON in the `data` fields of an event stream; a line per field is all that these services send. */
async function* eventsOf(response: Response): AsyncGenerator<unknown> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const data = line.startsWith("data:") ? line.slice(5).trim() : "";
      if (data !== "") yield JSON.parse(data);
    }
  }
}

/** Repeats an action until the next event is there: a subscription begins a moment after its answer's head. */
async function nextEvent(events: AsyncGenerator<unknown>, act: () => Promise<unknown>): Promise<unknown> {
  let event: IteratorResult<unknown> | null = null;
  const next = events.next().then((result) => {
    event = result;
  });
  while (event === null) {
    await act();
    await Promise.race([next, sleep(50)]);
  }
  return (event as IteratorResult<unknown>).value;
}

const codeOf = ({ errors }: Answer) => errors?.[0]?.extensions?.code;

test("the service that the README shows is served as it stands there", async () => {
  const readme = readFileSync(join(import.meta.dirname, "README.md"), "utf8");
  const [, source] = /```ts\n(import \{ serveService \}[\s\S]*?)```/.exec(readme) ?? [];
  await using hello = await Example.run(["--input-type=module-typescript", "--eval", source ?? ""]);
  assert.equal(await (await hello.fetch("/world")).text(), "Hello from /world\n");
});

test("products lists pages in order, answers the gateway's references, and names what does not fit", async () => {
  await using products = await Example.start("products");
  const { data } = await products.query(`{
    first: products(first: 2) { id name category price sku }
    next: products(first: 1, after: "p2") { id }
    garden: products(category: GARDEN, first: 1) { id category }
    none: product(id: "p999") { id }
    _service { sdl }
    _entities(representations: [{ __typename: "Product", id: "p3" }, { __typename: "Product", id: "p999" }]) {
      ... on Product { name }
    }
  }`);
  assert.partialDeepStrictEqual(data, {
    first: [
      { id: "p1", name: "Plain Kettle", category: "KITCHEN", price: 500, sku: "KI-1001" },
      { id: "p2", name: "Plain Pan", category: "KITCHEN", price: 8_419, sku: "KI-1002" },
    ],
    next: [{ id: "p3" }],
    garden: [{ id: "p11", category: "GARDEN" }],
    none: null,
    _entities: [{ name: "Plain Knife" }, null],
  });
  assert.match(JSON.stringify(data?.["_service"]), /federation\/v2\.3/);
  assert.equal(codeOf(await products.query("{ products(first: 101) { id } }")), "BAD_USER_INPUT");
  assert.equal(codeOf(await products.query('{ products(after: "p0") { id } }')), "BAD_USER_INPUT");
  const setPrice = "mutation ($id: ID!, $price: Int!) { setPrice(id: $id, price: $price) { price } }";
  assert.equal(codeOf(await products.query(setPrice, { id: "p999", price: 1 })), "NOT_FOUND");
  assert.equal(codeOf(await products.query(setPrice, { id: "p1", price: 0 })), "BAD_USER_INPUT");
  const requests = products.lines.filter(({ msg }) => msg === "request");
  assert.ok(requests.every(({ requestId }) => requestId === "test-1"));
});

test("a price that is set reaches those who subscribed to the product, and no other", async () => {
  await using products = await Example.start("products");
  const events = products.subscribe('subscription { priceChanged(id: "p7") { id price } }');
  const event = await nextEvent(events, async () => {
    await products.query('mutation { setPrice(id: "p8", price: 1) { id } }');
    await products.query('mutation { setPrice(id: "p7", price: 1234) { id } }');
  });
  assert.deepEqual(event, { data: { priceChanged: { id: "p7", price: 1_234 } } });
  await events.return(undefined);
  assert.deepEqual((await products.query('{ product(id: "p7") { price } }')).data, {
    product: { price: 1_234 },
  });
});

test("reviews join with products both ways, by the product's key alone", async () => {
  await using reviews = await Example.start("reviews");
  const { data } = await reviews.query(`{
    reviews(first: 1) { id rating text author createdAt product { id } }
    next: reviews(first: 1, after: "r600") { id }
    _entities(representations: [{ __typename: "Product", id: "p14" }, { __typename: "Product", id: "p999" }]) {
      ... on Product { averageRating reviews(first: 2) { id product { id } } }
    }
  }`);
  const review = {
    rating: 4,
    text: "Very good.",
    author: "Ada Archer",
    createdAt: "2026-01-01T00:00:00.000Z",
  };
  assert.deepEqual(data, {
    reviews: [{ id: "r1", ...review, product: { id: "p1" } }],
    next: [],
    _entities: [
      {
        averageRating: 1,
        reviews: [
          { id: "r2", product: { id: "p14" } },
          { id: "r242", product: { id: "p14" } },
        ],
      },
      { averageRating: null, reviews: [] },
    ],
  });
  assert.equal(codeOf(await reviews.query('{ reviews(after: "r0") { id } }')), "BAD_USER_INPUT");
});

test("a review that is added reaches its product and those who subscribed to it", async () => {
  await using reviews = await Example.start("reviews");
  const add = `mutation ($productId: ID!, $rating: Int!) {
    addReview(productId: $productId, rating: $rating, author: "Me", text: "Mine.") { id product { id } }
  }`;
  assert.equal(codeOf(await reviews.query(add, { productId: "p999", rating: 3 })), "BAD_USER_INPUT");
  assert.equal(codeOf(await reviews.query(add, { productId: "p1", rating: 6 })), "BAD_USER_INPUT");
  assert.deepEqual((await reviews.query(add, { productId: "p1", rating: 3 })).data, {
    addReview: { id: "r601", product: { id: "p1" } },
  });
  const events = reviews.subscribe('subscription { reviewAdded(productId: "p2") { author product { id } } }');
  const event = await nextEvent(events, async () => {
    await reviews.query(add, { productId: "p1", rating: 3 });
    await reviews.query(add, { productId: "p2", rating: 3 });
  });
  assert.deepEqual(event, { data: { reviewAdded: { author: "Me", product: { id: "p2" } } } });
  await events.return(undefined);
});

test("inventory is plain GraphQL: levels by product, adjusted within their limits", async () => {
  await using inventory = await Example.start("inventory");
  const { data } = await inventory.query(`{
    warehouses { id city }
    stock(productIds: ["p1", "p999"]) { productId quantity warehouse { city } }
  }`);
  assert.deepEqual(data, {
    warehouses: [
      { id: "w1", city: "Bergen" },
      { id: "w2", city: "Porto" },
      { id: "w3", city: "Turin" },
    ],
    stock: [
      { productId: "p1", quantity: 31, warehouse: { city: "Bergen" } },
      { productId: "p1", quantity: 48, warehouse: { city: "Porto" } },
      { productId: "p1", quantity: 65, warehouse: { city: "Turin" } },
    ],
  });
  const adjust = (by: number, warehouseId = "w1") =>
    inventory.query(
      `mutation ($by: Int!, $w: ID!) { adjustStock(productId: "p1", warehouseId: $w, by: $by) { quantity } }`,
      { by, w: warehouseId },
    );
  assert.deepEqual((await adjust(-31)).data, { adjustStock: { quantity: 0 } });
  assert.equal(codeOf(await adjust(-1)), "BAD_USER_INPUT");
  assert.equal(codeOf(await adjust(1, "w9")), "NOT_FOUND");
  const health = await inventory.fetch("/healthz");
  assert.deepEqual(await health.json(), { healthy: true, detail: "240 products in 3 warehouses" });
});

test("catalog-http answers JSON with an ETag, 304 to who has it, and 400 or 404 with the request id", async () => {
  await using catalog = await Example.start("catalog-http");
  const list = await catalog.fetch("/products.json?limit=1&offset=223");
  assert.deepEqual(await list.json(), {
    total: 224,
    offset: 223,
    products: [{ id: "c224", name: "Buying Bicycles, fourth edition", pages: 268 }],
  });
  const one = await catalog.fetch("/products/c1");
  assert.deepEqual(await one.json(), { id: "c1", name: "Introduction to Bread, first edition", pages: 117 });
  const etag = one.headers.get("etag") ?? "";
  assert.notEqual(etag, "");
  assert.equal((await catalog.fetch("/products/c1", { headers: { "if-none-match": etag } })).status, 304);
  for (const [path, status] of [
    ["/products/c999", 404],
    ["/products.json?limit=many", 400],
    ["/products.json?offset=-1", 400],
  ] as const) {
    const refused = await catalog.fetch(path, { headers: { "x-request-id": "test-2" } });
    assert.equal(refused.status, status);
    assert.partialDeepStrictEqual(await refused.json(), { requestId: "test-2" });
  }
});

test("catalog-http tells who listens to /views of each look at a product", async () => {
  await using catalog = await Example.start("catalog-http");
  const events = eventsOf(await catalog.fetch("/views"));
  const event = await nextEvent(events, () => catalog.fetch("/products/c5"));
  assert.deepEqual(event, { productId: "c5" });
  await events.return(undefined);
});

for (const name of ["products", "reviews", "inventory", "catalog-http"]) {
  test(`${name} says once that its node is away, and ends cleanly on SIGTERM`, async () => {
    await using example = await Example.start(name);
    await example.says("waiting for the node");
    await sleep(300); // for as long as it could say it again
    await example.stop();
    assert.deepEqual(
      example.lines.map(({ level, msg }) => `${level}: ${String(msg).split(":")[0]}`),
      ["info: listening", "warn: waiting for the node", "info: the registration has ended", "info: closed"],
    );
  });
}

for (const [name, subscription] of [
  ["products", "subscription { priceChanged { id } }"],
  ["reviews", "subscription { reviewAdded { id } }"],
] as const) {
  test(`a subscription that is open when ${name} ends is ended with it`, async () => {
    await using example = await Example.start(name);
    const ended = example.subscribe(subscription).next();
    await sleep(200);
    const since = performance.now();
    await example.stop();
    assert.ok(performance.now() - since < 2_000);
    assert.equal((await ended).done, true);
    assert.deepEqual(
      example.lines.filter(({ level }) => level === "error"),
      [],
    );
  });
}
