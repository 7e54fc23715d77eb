import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { after, before, describe, test } from "node:test";
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

/** A GraphQL service with a schema that cannot be. */
const invalid: RequestListener = (_request, response) => {
  const sdl = "type Query { broken: Missing! }";
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ data: { _service: { sdl } } }));
};

const wellOnes = async (node: NodeUnderTest) =>
  (await node.services()).filter(({ service }) => ["products", "reviews"].includes(service.name));

/** Waits for this reason: while the node starts another one may stand there, such as that nothing listens on egress yet. */
async function isNamed(node: NodeUnderTest, name: string, reason: RegExp): Promise<void> {
  await node.until(`${name} is named with ${reason}`, 20_000, async () => {
    const status = (await node.services()).find(({ service }) => service.name === name);
    return status?.state === "failed" && reason.test(status.reasons.join("; "));
  });
  const { body } = await node.query(`{ ${name} }`);
  const [error] = body.errors ?? [];
  assert.match(JSON.stringify(error?.extensions), new RegExp(`"service":"${name}"`), "the answer names it");
}

describe("While others of its services are at fault from the start a node serves the rest, and", () => {
  const started = new AsyncDisposableStack();
  let absent: TestService;
  let node: NodeUnderTest;

  before(async () => {
    const services = started.use(await shop());
    absent = started.use(await clock("absent"));
    await absent.pause();
    const faulty = [
      absent,
      started.use(await httpService("mute", hang, "graphql")),
      started.use(await httpService("garbled", garbage, "graphql")),
      started.use(await httpService("broken", invalid, "graphql")),
      started.use(
        await plainService("zebra", "type Query { products: Int! zebra: String! }", {
          Query: { products: () => 1, zebra: () => "z" },
        }),
      ),
    ];
    node = started.use(
      await NodeUnderTest.start({
        services: [services.products, services.reviews, ...faulty].map(({ declaration }) => declaration),
        flags: ["--mesh-graphql-schema-timeout-ms", "1000"],
      }),
    );
    await node.until("the good services are served", 20_000, async () =>
      (await wellOnes(node)).every(({ state }) => state === "serving"),
    );
    const { body } = await node.query("{ products { name reviews { rating } } }");
    assert.equal(body.errors, undefined, "the rest serves");
  });
  after(() => started.disposeAsync());

  for (const [what, name, reason] of [
    ["one that never answers is named with the reason", "mute", /within|time|slow/i],
    ["one that answers garbage is named with the reason", "garbled", /JSON|GraphQL|schema/i],
    ["one with an invalid schema is named with the reason", "broken", /Missing/],
    ["one that conflicts with another is left out, and both are named", "zebra", /products/],
  ] as const) {
    test(what, () => isNamed(node, name, reason));
  }

  test("one that is down is named with the reason, and joins when it is up", async () => {
    await isNamed(node, "absent", /unavailable|refused|connect|503/i);
    await absent.resume();
    await node.until("it has joined", 15_000, async () => {
      const { body } = await node.query("{ absent }");
      return body.data?.["absent"] === "12:00";
    });
  });
});

describe("Of a node whose services were well at first", () => {
  const started = new AsyncDisposableStack();
  let services: Awaited<ReturnType<typeof shop>>;
  let web: TestService;
  let node: NodeUnderTest;

  before(async () => {
    services = started.use(await shop());
    web = started.use(await httpService("web", (_request, response) => response.end("here")));
    const silent = started.use(await httpService("silent", hang));
    node = started.use(
      await NodeUnderTest.start({
        services: [
          services.products.declaration,
          { ...services.reviews.declaration, timeoutMs: 500 },
          web.declaration,
          { ...silent.declaration, timeoutMs: 200 },
        ],
      }),
    );
  });
  after(() => started.disposeAsync());

  test("a service that goes down later is named in the status, whatever its protocol, until it is back", async () => {
    const ask = async (host: string) => (await getByHost(node.ports.ingress, host)).status;
    const allServe = async () => (await node.services()).every(({ state }) => state === "serving");
    await node.until("all are served", 15_000, allServe);
    for (const gone of [web, services.reviews]) {
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
    const host = `silent.${node.domain}`;
    await node.until("it is named", 15_000, async () => {
      const { status, body } = await getByHost(node.ports.ingress, host);
      assert.equal(status, 504);
      assert.match(body, /silent/);
      const service = (await node.services()).find((each) => each.service.name === "silent");
      return service?.state === "degraded" && /no answer in time/.test(service.reasons.join());
    });
  });

  test("a service that fails later costs its own fields only, and the answer names it", async () => {
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
});
