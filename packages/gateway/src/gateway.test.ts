import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { GatewayReport } from "@catalyst/rpc";
import { GatewayError } from "./errors.ts";
import { openGateway, type TestGateway } from "./testing/test-gateway.ts";
import {
  serveInventory,
  servePlain,
  serveProducts,
  serveRaw,
  serveReviews,
  serveSubgraph,
  type TestService,
} from "./testing/test-services.ts";
import { until } from "./testing/test-until.ts";

const fast = { schemaPollMs: 100 };

/** State and reason by name. */
function states(report: GatewayReport): Record<string, readonly [string, string | null]> {
  return Object.fromEntries(report.services.map(({ name, state, reason }) => [name, [state, reason]]));
}

async function untilState(shop: TestGateway, service: string, state: string): Promise<void> {
  await until(() => states(shop.gateway.report())[service]?.[0] === state);
}

function refusedAs(code: string) {
  return (error: unknown) => error instanceof GatewayError && error.code === code;
}

describe("an update", () => {
  it("is acknowledged with what is served then", async () => {
    await using products = await serveProducts();
    await using inventory = await serveInventory();
    await using shop = await openGateway({}, { now: () => Date.UTC(2030, 0, 1) });
    assert.deepEqual(shop.gateway.report(), { version: 0, generation: 0, schemaDigest: null, services: [] });
    const report = await shop.apply({ products, inventory });
    assert.equal(report.version, 1);
    assert.equal(report.generation, 1);
    assert.match(report.schemaDigest ?? "", /^[0-9a-f]{64}$/);
    assert.deepEqual(
      report.services.map(({ schemaDigest, ...rest }) => ({ ...rest, digest: schemaDigest?.length })),
      [
        {
          name: "inventory",
          kind: "plain",
          state: "serving",
          digest: 64,
          reason: null,
          since: "2030-01-01T00:00:00.000Z",
        },
        {
          name: "products",
          kind: "federation",
          state: "serving",
          digest: 64,
          reason: null,
          since: "2030-01-01T00:00:00.000Z",
        },
      ],
    );
    assert.match(shop.gateway.inspection.schema().sdl ?? "", /stock\(sku: ID!\): Stock/);
  });

  it("is refused when it is older, or another one of the same version, and repeated ones change nothing", async () => {
    await using products = await serveProducts();
    await using shop = await openGateway();
    await shop.apply({ products });
    const report = await shop.apply({ products });
    const update = shop.update(["products"]);
    assert.deepEqual(await shop.gateway.apply(update), report);
    await assert.rejects(shop.gateway.apply({ ...update, version: 1 }), refusedAs("update_stale"));
    await assert.rejects(shop.gateway.apply({ ...update, services: [] }), refusedAs("update_stale"));
    assert.deepEqual(shop.gateway.report(), report);
  });

  it("takes effect after the one before it, also when both are sent at once", async () => {
    await using products = await serveProducts();
    await using inventory = await serveInventory();
    await using shop = await openGateway();
    const reports = await Promise.all([shop.apply({ products }), shop.apply({ inventory }), shop.apply({})]);
    assert.deepEqual(
      reports.map(({ version, services }) => [version, ...services.map(({ name }) => name)]),
      [[1, "products"], [2, "inventory"], [3]],
    );
  });

  it("takes away the fields of a service that it no longer names", async () => {
    await using products = await serveProducts();
    await using inventory = await serveInventory();
    await using shop = await openGateway();
    await shop.apply({ products, inventory });
    await shop.apply({ inventory });
    assert.doesNotMatch(shop.gateway.inspection.schema().sdl ?? "", /Product/);
    await shop.apply({});
    assert.equal(shop.gateway.inspection.schema().sdl, null);
  });

  it("changes how long a service may take without fetching its schema again", async () => {
    await using inventory = await serveInventory();
    await using slow = await serveRaw(() => undefined);
    await using shop = await openGateway();
    await shop.apply({ inventory });
    const fetched = inventory.seen.length;
    await shop.apply({ inventory }, { inventory: { timeoutMs: 50 } });
    assert.equal(inventory.seen.length, fetched);
    shop.egress.routes.set("inventory", slow.port);
    const { errors } = await shop.query("{ stock(sku: 1) { count } }");
    assert.match(errors?.[0]?.message ?? "", /within 50 ms/);
  });
});

describe("services that cannot be served", () => {
  const invalid = () =>
    serveRaw((_, response) => void response.end(`{"data":{"_service":{"sdl":"type Query {"}}}`));
  const garbage = () => serveRaw((_, response) => void response.end("<h1>Welcome</h1>"));
  const conflicting = () => servePlain("type Query { products: Int }", { Query: { products: () => 1 } });

  it("are each named with the reason, and the rest serves", async () => {
    await using products = await serveProducts();
    await using reviews = await serveReviews();
    const services: Record<string, TestService | null> = {
      products,
      reviews,
      broken: await invalid(),
      clash: await conflicting(),
      down: null,
      html: await garbage(),
      slow: await serveRaw(() => undefined),
    };
    await using _stop = { [Symbol.asyncDispose]: async () => void (await stopAll(services)) };
    await using shop = await openGateway({ ...fast, schemaTimeoutMs: 1_000 });
    await shop.apply({ products, reviews });
    const report = await shop.apply(services);
    assert.deepEqual(states(report), {
      products: ["serving", null],
      reviews: ["serving", null],
      broken: ["excluded", "schema is invalid: Syntax Error: Expected Name, found <EOF>."],
      clash: ["excluded", "conflicts with products: Query.products is defined by products and clash"],
      down: ["excluded", "answered 404 to the schema request"],
      html: ["excluded", "answered the schema request with something that is not GraphQL"],
      slow: ["excluded", "did not answer the schema request within 1000 ms"],
    });
    const { data, errors } = await shop.query("{ products { name reviews { body } } }");
    assert.equal(errors, undefined);
    assert.deepEqual(data?.["products"], [
      { name: "Anvil", reviews: [{ body: "Heavy" }, { body: "Loud" }] },
      { name: "Rope", reviews: [{ body: "Long" }] },
    ]);
  });

  it("are named in the error of a query for a field that is missing, and why", async () => {
    await using products = await serveProducts();
    await using shop = await openGateway(fast);
    await shop.apply({ products, inventory: null });
    const { errors } = await shop.query(`{ products { name } stock(sku: "1") { count } }`);
    assert.match(errors?.[0]?.message ?? "", /Cannot query field "stock"/);
    assert.deepEqual(errors?.[0]?.extensions, {
      code: "GRAPHQL_VALIDATION_FAILED",
      unavailableServices: [{ service: "inventory", reason: "answered 404 to the schema request" }],
    });
    await using inventory = await serveInventory();
    await shop.apply({ products, inventory });
    await untilState(shop, "inventory", "serving");
    const again = await shop.query(`{ products { name } shelf }`);
    assert.deepEqual(again.errors?.[0]?.extensions, { code: "GRAPHQL_VALIDATION_FAILED" });
  });

  it("are served as soon as they can be, without an update", async () => {
    await using shop = await openGateway(fast);
    await shop.apply({ inventory: null });
    assert.equal(shop.gateway.inspection.schema().sdl, null);
    await using inventory = await serveInventory();
    shop.egress.routes.set("inventory", inventory.port);
    await untilState(shop, "inventory", "serving");
    assert.deepEqual((await shop.query("{ stock(sku: 1) { count } }")).data, { stock: { count: 5 } });
  });

  it("do not break the others by what their schemas make of the composer", async () => {
    await using products = await serveProducts();
    const deep = `type Query { a(x: ${"[".repeat(20_000)}Int${"]".repeat(20_000)}): Int }`;
    const answer = JSON.stringify({ data: { _service: { sdl: deep } } });
    await using nested = await serveRaw((_, response) => void response.end(answer));
    await using shop = await openGateway();
    const report = states(await shop.apply({ products, nested }));
    assert.deepEqual(report["products"], ["serving", null]);
    assert.deepEqual(report["nested"], ["excluded", "schema is invalid: Maximum call stack size exceeded"]);
  });

  it("hold an update up no longer than schemaSettleMs", async () => {
    await using products = await serveProducts();
    await using slow = await serveRaw(() => undefined);
    await using shop = await openGateway({ schemaTimeoutMs: 30_000, schemaSettleMs: 1_000 });
    const started = performance.now();
    const report = await shop.apply({ products, slow });
    assert.ok(performance.now() - started < 10_000);
    assert.deepEqual(states(report)["slow"], ["excluded", "has not answered the schema request yet"]);
    assert.deepEqual(states(report)["products"], ["serving", null]);
  });

  it("do not take the place of one that is served, but take it when that one goes", async () => {
    await using zebra = await servePlain("type Query { a: Int }", { Query: { a: () => 1 } });
    await using aardvark = await servePlain("type Query { a: Int }", { Query: { a: () => 2 } });
    await using shop = await openGateway();
    await shop.apply({ zebra });
    assert.deepEqual(states(await shop.apply({ zebra, aardvark })), {
      zebra: ["serving", null],
      aardvark: ["excluded", "conflicts with zebra: Query.a is defined by aardvark and zebra"],
    });
    assert.deepEqual((await shop.query("{ a }")).data, { a: 1 });
    assert.deepEqual(states(await shop.apply({ aardvark })), { aardvark: ["serving", null] });
    assert.deepEqual((await shop.query("{ a }")).data, { a: 2 });
  });
});

async function stopAll(services: Readonly<Record<string, TestService | null>>): Promise<void> {
  await Promise.all(Object.values(services).map((service) => service?.stop()));
}

describe("a schema", () => {
  const field = (name: string) => servePlain(`type Query { ${name}: Int }`, { Query: { [name]: () => 1 } });

  it("that changes is served after the next poll, and polls without a change make no generation", async () => {
    await using before = await field("before");
    await using after = await field("after");
    await using shop = await openGateway(fast);
    await shop.apply({ it: before });
    const polled = before.seen.length;
    await until(() => before.seen.length > polled + 4);
    assert.equal(shop.gateway.report().generation, 1);
    shop.egress.routes.set("it", after.port);
    await until(() => shop.gateway.inspection.schema().sdl?.includes("after") ?? false);
    assert.equal(shop.gateway.report().generation, 2);
  });

  it("is fetched again for a new revision and for a refresh", async () => {
    await using before = await field("before");
    await using after = await field("after");
    await using shop = await openGateway();
    await shop.apply({ it: before });
    await shop.apply({ it: after }, { it: { revision: "2" } });
    assert.match(shop.gateway.inspection.schema().sdl ?? "", /after/);
    shop.egress.routes.set("it", before.port);
    const report = await shop.gateway.refresh("it");
    assert.equal(report.generation, 3);
    assert.match(shop.gateway.inspection.schema().sdl ?? "", /before/);
    await assert.rejects(shop.gateway.refresh("other"), refusedAs("service_not_found"));
  });

  it("stays in force while its service is down, which is stale then", async () => {
    await using products = await serveProducts();
    await using inventory = await serveInventory();
    await using shop = await openGateway();
    await shop.apply({ products, inventory });
    await inventory.stop();
    const report = await shop.gateway.refresh("inventory");
    assert.deepEqual(states(report)["inventory"], ["stale", "answered 503 to the schema request"]);
    const { data, errors } = await shop.query("{ stock(sku: 1) { count } products { name } }");
    assert.deepEqual(data, { stock: null, products: [{ name: "Anvil" }, { name: "Rope" }] });
    assert.equal(errors?.[0]?.extensions?.["service"], "inventory");
  });

  it("that newly conflicts leaves the one before it in force", async () => {
    await using products = await serveProducts();
    await using good = await serveSubgraph("type Query { extra: Int }", { Query: { extra: () => 1 } });
    await using bad = await serveSubgraph("type Query { extra: Int products: Int }", {
      Query: { extra: () => 1 },
    });
    await using shop = await openGateway();
    await shop.apply({ products, extra: good });
    shop.egress.routes.set("extra", bad.port);
    const [state, reason] = states(await shop.gateway.refresh("extra"))["extra"] ?? [];
    assert.equal(state, "stale");
    assert.match(reason ?? "", /^conflicts with products: .*Query\.products/);
    assert.deepEqual((await shop.query("{ extra products { name } }")).data, {
      extra: 1,
      products: [{ name: "Anvil" }, { name: "Rope" }],
    });
    shop.egress.routes.set("extra", good.port);
    assert.deepEqual(states(await shop.gateway.refresh("extra"))["extra"], ["serving", null]);
    assert.equal(shop.gateway.report().generation, 1);
  });

  it("is not taken from a subgraph that fails to give its SDL as if it were a plain service", async () => {
    await using broken = await serveSubgraph("type Query { a: Int }", {
      Query: { a: () => 1, _service: () => assert.fail("no SDL today") } as object,
    });
    await using shop = await openGateway();
    const [state, reason] = states(await shop.apply({ broken }))["broken"] ?? [];
    assert.equal(state, "excluded");
    assert.match(
      reason ?? "",
      /is a federation subgraph but answered the schema request with "no SDL today"/,
    );
  });

  it("that cannot be read because introspection is off is named with the service's words", async () => {
    const answer = `{"errors":[{"message":"introspection is disabled"}]}`;
    await using closed = await serveRaw((_, response) => void response.writeHead(400).end(answer));
    await using shop = await openGateway();
    assert.deepEqual(states(await shop.apply({ closed }))["closed"], [
      "excluded",
      "refused the schema request, both by federation and by introspection: introspection is disabled",
    ]);
  });

  it("that Envoy answers for is told to operators in full, to clients without addresses", async () => {
    const details = "upstream_reset{remote_address:10.0.0.7:77}";
    await using away = await serveRaw((_, response) => {
      const message = "The service away is not available right now.";
      const errors = [{ message, extensions: { code: "SERVICE_UNAVAILABLE", details } }];
      response.writeHead(503).end(JSON.stringify({ errors }));
    });
    await using shop = await openGateway({ schemaPollMs: 60_000 });
    const [state, reason] = states(await shop.apply({ away }))["away"] ?? [];
    const short = "could not be reached for the schema request";
    assert.deepEqual([state, reason], ["excluded", `${short} (${details})`]);
    const { errors } = await shop.query("{ a }");
    assert.deepEqual(errors?.[0]?.extensions?.["unavailableServices"], [{ service: "away", reason: short }]);
  });

  it("longer than schemaMaxBytes is refused", async () => {
    const long = JSON.stringify({ data: { _service: { sdl: "#".repeat(2_000) } } });
    await using huge = await serveRaw((_, response) => void response.end(long));
    await using shop = await openGateway({ schemaMaxBytes: 1_024 });
    assert.deepEqual(states(await shop.apply({ huge }))["huge"], [
      "excluded",
      "answered the schema request with more than 1024 bytes",
    ]);
  });
});

describe("the schema cache", () => {
  it("lets a gateway that starts while a service is down serve its fields", async () => {
    const cacheDir = await mkdtemp(join(tmpdir(), "catalyst-gateway-"));
    try {
      await using inventory = await serveInventory();
      await using products = await serveProducts();
      {
        await using shop = await openGateway(fast, { cacheDir });
        await shop.apply({ inventory, products });
      }
      await inventory.stop();
      await using shop = await openGateway(fast, { cacheDir });
      const report = await shop.apply({ inventory, products });
      assert.deepEqual(states(report)["inventory"], ["stale", "answered 503 to the schema request"]);
      const { data, errors } = await shop.query("{ products { name } stock(sku: 1) { count } }");
      assert.deepEqual(data, { products: [{ name: "Anvil" }, { name: "Rope" }], stock: null });
      assert.equal(errors?.[0]?.extensions?.["service"], "inventory");
      await shop.apply({ products });
      assert.deepEqual(await readdir(cacheDir), ["products.json"]);
    } finally {
      await rm(cacheDir, { recursive: true });
    }
  });

  it("keeps what was served before a restart ahead of newcomers", async () => {
    const cacheDir = await mkdtemp(join(tmpdir(), "catalyst-gateway-"));
    try {
      await using zebra = await servePlain("type Query { a: Int }", { Query: { a: () => 1 } });
      await using aardvark = await servePlain("type Query { a: Int }", { Query: { a: () => 2 } });
      {
        await using shop = await openGateway(fast, { cacheDir });
        await shop.apply({ zebra });
      }
      await using shop = await openGateway(fast, { cacheDir });
      const report = states(await shop.apply({ aardvark, zebra }));
      assert.deepEqual([report["aardvark"]?.[0], report["zebra"]?.[0]], ["excluded", "serving"]);
    } finally {
      await rm(cacheDir, { recursive: true });
    }
  });

  it("keeps a service in force whose schema became invalid before a restart", async () => {
    const cacheDir = await mkdtemp(join(tmpdir(), "catalyst-gateway-"));
    try {
      await using inventory = await serveInventory();
      {
        await using shop = await openGateway(fast, { cacheDir });
        await shop.apply({ inventory });
      }
      const sdl = JSON.stringify({ data: { _service: { sdl: "type Query {" } } });
      await using broken = await serveRaw((_, response) => void response.end(sdl));
      await using shop = await openGateway(fast, { cacheDir });
      const [state, reason] = states(await shop.apply({ inventory: broken }))["inventory"] ?? [];
      assert.equal(state, "stale");
      assert.match(reason ?? "", /^schema is invalid/);
      assert.match(shop.gateway.inspection.schema().sdl ?? "", /stock/);
    } finally {
      await rm(cacheDir, { recursive: true });
    }
  });

  it("costs nothing but its content when a file is damaged", async () => {
    const cacheDir = await mkdtemp(join(tmpdir(), "catalyst-gateway-"));
    try {
      await writeFile(join(cacheDir, "inventory.json"), "{");
      await using inventory = await serveInventory();
      await using shop = await openGateway(fast, { cacheDir });
      assert.deepEqual(states(await shop.apply({ inventory }))["inventory"], ["serving", null]);
      assert.ok(shop.log.some(({ msg }) => msg === "the schema cache cannot be used"));
    } finally {
      await rm(cacheDir, { recursive: true });
    }
  });
});
