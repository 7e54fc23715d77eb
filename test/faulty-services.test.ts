import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import {
  clock,
  getByHost,
  httpService,
  NodeUnderTest,
  plainService,
  shop,
  type TestService,
} from "@catalyst/harness";

const hang: RequestListener = () => {};
const garbage: RequestListener = (_request, response) => {
  response.writeHead(200, { "content-type": "application/json" }).end("<html>certainly no GraphQL</html>");
};

async function withShop(faulty: TestService, then: (node: NodeUnderTest) => Promise<void>): Promise<void> {
  await using services = await shop();
  await using node = await NodeUnderTest.start({
    services: [services.products.declaration, services.reviews.declaration, faulty.declaration],
    flags: ["--mesh-graphql-schema-timeout-ms", "1000"],
  });
  await node.until("the good services are served", 20_000, async () => {
    const good = (await node.services()).filter(({ service }) => service.name !== faulty.name);
    return good.every(({ state }) => state === "serving");
  });
  const { body } = await node.query("{ products { name reviews { rating } } }");
  assert.equal(body.errors, undefined, "the rest serves");
  await then(node);
}

async function reasonOf(node: NodeUnderTest, name: string): Promise<string> {
  let reason = "";
  await node.until(`${name} is named with a reason`, 10_000, async () => {
    const status = (await node.services()).find(({ service }) => service.name === name);
    reason = status?.reasons.join("; ") ?? "";
    return status?.state === "failed" && reason !== "";
  });
  const { query } = node;
  const { body } = await query.call(node, `{ ${name} }`);
  const [error] = body.errors ?? [];
  assert.match(JSON.stringify(error?.extensions), new RegExp(`"service":"${name}"`), "the answer names it");
  return reason;
}

test("a service that is down is named with the reason, and joins when it is up", async () => {
  await using faulty = await clock();
  await faulty.pause();
  await withShop(faulty, async (node) => {
    assert.match(await reasonOf(node, "clock"), /unavailable|refused|connect|503/i);
    await faulty.resume();
    await node.until("it has joined", 15_000, async () => {
      const { body } = await node.query("{ clock }");
      return body.data?.["clock"] === "12:00";
    });
  });
});

test("a service that never answers is named with the reason", async () => {
  await using faulty = await httpService("clock", hang, "graphql");
  await withShop(faulty, async (node) => {
    assert.match(await reasonOf(node, "clock"), /within|time|slow/i);
  });
});

test("a service that answers garbage is named with the reason", async () => {
  await using faulty = await httpService("clock", garbage, "graphql");
  await withShop(faulty, async (node) => {
    assert.match(await reasonOf(node, "clock"), /JSON|GraphQL|schema/i);
  });
});

test("a service with an invalid schema is named with the reason", async () => {
  const sdl = "type Query { clock: Missing! }";
  await using faulty = await httpService(
    "clock",
    (_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ data: { _service: { sdl } } }));
    },
    "graphql",
  );
  await withShop(faulty, async (node) => {
    assert.match(await reasonOf(node, "clock"), /Missing/);
  });
});

test("a service that conflicts with another is left out, and both are named", async () => {
  await using faulty = await plainService("zebra", "type Query { products: Int! zebra: String! }", {
    Query: { products: () => 1, zebra: () => "z" },
  });
  await withShop(faulty, async (node) => {
    assert.match(await reasonOf(node, "zebra"), /products/);
  });
});

test("a service that fails later costs its own fields only, and the answer names it", async () => {
  await using services = await shop();
  await using node = await NodeUnderTest.start({
    services: [services.products.declaration, { ...services.reviews.declaration, timeoutMs: 500 }],
  });
  await node.until("both are served", 15_000, async () =>
    (await node.services()).every(({ state }) => state === "serving"),
  );
  const ask = () => node.query("{ products { name reviews { rating } } }");
  const expectNamed = async (code: RegExp) => {
    const { body } = await ask();
    const [error] = body.errors ?? [];
    assert.match(String(error?.extensions?.["code"]), code);
    assert.equal(error?.extensions?.["service"], "reviews");
  };
  await services.reviews.pause();
  await expectNamed(/SERVICE_UNAVAILABLE/);
  await services.reviews.resume();
  assert.equal((await ask()).body.errors, undefined, "it is back at once");
  services.reviews.become(hang);
  await expectNamed(/SERVICE_TIMEOUT/);
  services.reviews.become(garbage);
  for (let count = 0; count < 3; count++) await expectNamed(/SERVICE_BAD_RESPONSE/);
  await node.until("the status names it", 10_000, async () => {
    const reviews = (await node.services()).find(({ service }) => service.name === "reviews");
    return reviews?.state === "degraded" && /not GraphQL/.test(reviews.reasons.join());
  });
  const { body } = await node.query("{ products { name } }");
  assert.deepEqual(body, { data: { products: [{ name: "Lamp" }, { name: "Desk" }] } });
});

test("a service that goes down later is named in the status, whatever its protocol, until it is back", async () => {
  await using services = await shop();
  await using web = await httpService("web", (_request, response) => response.end("here"));
  const { products, reviews } = services;
  await using node = await NodeUnderTest.start({
    services: [products.declaration, reviews.declaration, web.declaration],
  });
  const ask = async (host: string) => (await getByHost(node.ports.ingress, host)).status;
  const allServe = async () => (await node.services()).every(({ state }) => state === "serving");
  await node.until("all are served", 15_000, allServe);
  for (const gone of [web, reviews]) {
    const host = `${gone.name}.${node.domain}`;
    await gone.pause();
    await node.until(`${gone.name} is named`, 15_000, async () => {
      assert.equal(await ask(host), 503);
      const status = (await node.services()).find(({ service }) => service.name === gone.name);
      return status?.state === "degraded" && status.reasons.some((why) => why.includes(String(gone.port)));
    });
    const others = (await node.services()).filter(({ service }) => service.name !== gone.name);
    assert.ok(
      others.every(({ state }) => state === "serving"),
      "nothing else is said to be wrong",
    );
    await gone.resume();
    assert.notEqual(await ask(host), 503, "requests reach it at once");
    await node.until("nothing is wrong any more", 20_000, allServe);
  }
});

test("an HTTP service that stops answering is named in the answer and in the status", async () => {
  await using web = await httpService("web", hang);
  await using node = await NodeUnderTest.start({ services: [{ ...web.declaration, timeoutMs: 200 }] });
  const host = `web.${node.domain}`;
  await node.until("it is named", 15_000, async () => {
    const { status, body } = await getByHost(node.ports.ingress, host);
    assert.equal(status, 504);
    assert.match(body, /web/);
    const [service] = await node.services();
    return service?.state === "degraded" && /no answer in time/.test(service.reasons.join());
  });
});
