import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { getByHost, httpService, NodeUnderTest, shop, type TestService } from "@catalyst/harness";
import { authContract, type Client, orchestratorContract } from "@catalyst/rpc";

const hourMs = 3_600_000;
const required = ["--auth-required"];

/** A service that says who called it, streams events for as long as somebody listens, and echoes on a WebSocket. */
function whoami(name: string): Promise<TestService> {
  return httpService(name, ({ url, headers }, response) => {
    if (url !== "/events") return void response.end(String(headers["x-catalyst-caller"] ?? "nobody"));
    response.writeHead(200, { "content-type": "text/event-stream" });
    const timer = setInterval(() => response.write("data: tick\n\n"), 20);
    response.on("close", () => clearInterval(timer));
  });
}

async function withAuth<T>(
  node: NodeUnderTest,
  use: (call: Client<typeof authContract>) => Promise<T>,
): Promise<T> {
  using connection = await node.connect("auth", authContract);
  return await use(connection.call);
}

/** A new API key of a node for these services, with what it is revoked by. */
function createKey(node: NodeUnderTest, ...services: string[]) {
  return withAuth(node, (call) => call.createApiKey({ services, ttlMs: hourMs }));
}

/** What a service answers at its Host: the status, and the body or Envoy's code. */
async function reach(node: NodeUnderTest, name: string, key?: string, port = node.ports.ingress) {
  const headers = key === undefined ? {} : { "x-api-key": key };
  const { status, body } = await getByHost(port, `${name}.${node.domain}`, "/", headers);
  return { status, told: status === 200 ? body : JSON.parse(body).errors[0].extensions.code };
}

async function credentialsOf(node: NodeUnderTest) {
  using orchestrator = await node.connect("orchestrator", orchestratorContract);
  const { details, reasons } = await orchestrator.call.status(undefined);
  return { state: details.credentials, reasons };
}

test("a key for one service reaches it and no other, also not through the GraphQL endpoint", async () => {
  await using services = await shop();
  await using node = await NodeUnderTest.start({
    services: [services.products.declaration, services.reviews.declaration],
    flags: required,
  });
  await node.until("both are served", 15_000, async () =>
    (await node.services()).every(({ state }) => state === "serving"),
  );
  const ask = async (query: string, key: string) => {
    const answer = await fetch(node.endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": key },
      body: JSON.stringify({ query }),
    });
    return { status: answer.status, body: (await answer.json()) as { data?: unknown; errors?: Fault[] } };
  };
  type Fault = { readonly message: string; readonly extensions: Readonly<Record<string, unknown>> };
  const one = await createKey(node, "products");
  assert.deepEqual(await reach(node, "reviews", one.key), { status: 403, told: "FORBIDDEN" });
  assert.deepEqual(await reach(node, "reviews", one.key, node.ports.egress), {
    status: 403,
    told: "FORBIDDEN",
  });
  const outside = await ask("{ reviews { id } }", one.key);
  assert.deepEqual([outside.status, outside.body.errors?.[0]?.extensions["service"]], [403, "graphql"]);
  assert.match(outside.body.errors?.[0]?.message ?? "", /does not cover the service graphql: /);
  const damaged = await ask("{ reviews { id } }", `${one.key}x`);
  assert.equal(damaged.status, 401);
  assert.match(damaged.body.errors?.[0]?.message ?? "", /has in `x-api-key` is no credential of this node's/);

  const two = await createKey(node, "graphql", "products");
  assert.deepEqual((await ask("{ products { name } }", two.key)).body, {
    data: { products: [{ name: "Lamp" }, { name: "Desk" }] },
  });
  const partly = await ask("{ products { name } reviews { id } }", two.key);
  const faults = partly.body.errors?.map(({ extensions: { code, service } }) => [code, service]);
  assert.deepEqual(faults, [["SERVICE_FORBIDDEN", "reviews"]]);
  assert.doesNotMatch(JSON.stringify(partly.body), /r1/);
});

test("a key is revoked at once, and no stream of another is cut by that", async (context) => {
  await using web = await whoami("web");
  await using node = await NodeUnderTest.start({ services: [web.declaration], flags: required });
  const kept = await createKey(node, "web");
  assert.deepEqual(await reach(node, "web", kept.key), { status: 200, told: `apikey:${kept.name}` });
  const streams = await openStreams(node, kept.key);
  const took: number[] = [];
  for (let round = 0; round < 40; round++) {
    const { key, id } = await createKey(node, "web");
    assert.equal((await reach(node, "web", key)).status, 200);
    const began = performance.now();
    await withAuth(node, (call) => call.revokeApiKey({ key: id }));
    while ((await reach(node, "web", key)).status === 200) await sleep(1);
    took.push(performance.now() - began);
    assert.deepEqual(await reach(node, "web", key), { status: 401, told: "UNAUTHENTICATED" });
  }
  took.sort((a, b) => a - b);
  context.diagnostic(
    `revoked to refused: p50 ${took[20]?.toFixed(1)} ms, worst ${took.at(-1)?.toFixed(1)} ms`,
  );
  assert(Number(took.at(-1)) < 1_000);
  await streams.expectAlive();
});

test("without the auth process a node that knows no keys refuses all, then recovers by itself", async () => {
  await using web = await whoami("web");
  await using free = await whoami("free");
  await using node = await NodeUnderTest.start({
    services: [web.declaration, free.declaration],
    flags: [...required, "--auth-open", "free"],
  });
  const { key } = await createKey(node, "web");
  const auth = await node.pidOf("auth");
  process.kill(auth, "SIGSTOP");
  try {
    rmSync(join(node.dataDir, "credentials.json"));
    process.kill(await node.pidOf("orchestrator"), "SIGKILL");
    await node.until("nothing is verified", 10_000, async () => {
      return (await reach(node, "web", key)).told === "AUTH_UNAVAILABLE";
    });
    assert.deepEqual(await reach(node, "free"), { status: 200, told: "nobody" });
    const { state, reasons } = await credentialsOf(node);
    assert.deepEqual(state, {
      connected: false,
      version: null,
      revoked: 0,
      problem: "no keys are known yet",
    });
    assert(reasons.includes("credentials cannot be verified: no keys are known yet"), reasons.join());
  } finally {
    process.kill(auth, "SIGCONT");
  }
  await node.until(
    "the key is taken again",
    10_000,
    async () => (await reach(node, "web", key)).status === 200,
  );
});

test("without the auth process the keys last known go on, also in an orchestrator and an Envoy that start", async () => {
  await using web = await whoami("web");
  await using node = await NodeUnderTest.start({ services: [web.declaration], flags: required });
  const [good, revoked] = [await createKey(node, "web"), await createKey(node, "web")];
  await withAuth(node, (call) => call.revokeApiKey({ key: revoked.id }));
  await node.until(
    "it is revoked",
    2_000,
    async () => (await reach(node, "web", revoked.key)).status === 401,
  );
  const auth = await node.pidOf("auth");
  process.kill(auth, "SIGSTOP");
  try {
    for (const child of ["orchestrator", "envoy"]) {
      const before = await node.pidOf(child);
      process.kill(before, "SIGKILL");
      await node.until(
        `${child} is back`,
        10_000,
        async () => (await node.pidOf(child).catch(() => before)) !== before,
      );
      await node.until("the key is taken", 10_000, async () => {
        const { status } = await reach(node, "web", good.key).catch(() => ({ status: 0 }));
        return status === 200;
      });
      assert.deepEqual(await reach(node, "web", revoked.key), { status: 401, told: "UNAUTHENTICATED" });
      assert.deepEqual(await reach(node, "web"), { status: 401, told: "UNAUTHENTICATED" });
    }
  } finally {
    process.kill(auth, "SIGCONT");
  }
});

/** An event stream and a WebSocket through Envoy, opened with a key. */
async function openStreams(node: NodeUnderTest, key: string) {
  const { ingress } = node.ports;
  const host = `web.${node.domain}`;
  const call = request({
    port: ingress,
    host: "127.0.0.1",
    path: "/events",
    headers: { host, "x-api-key": key },
  });
  const [events] = await once(call.end(), "response");
  assert.equal(events.statusCode, 200);
  let ended = false;
  events.on("close", () => {
    ended = true;
  });
  const quiet = connect(ingress, "127.0.0.1");
  quiet.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nx-api-key: ${key}\r\n\r\n`);
  await once(quiet, "data");
  return {
    expectAlive: async () => {
      events.resume();
      await once(events, "data");
      assert(!ended, "the event stream goes on");
      quiet.write(`GET / HTTP/1.1\r\nhost: ${host}\r\nx-api-key: ${key}\r\n\r\n`);
      const [answer] = await once(quiet, "data");
      assert.match(String(answer), /^HTTP\/1\.1 200 /);
      assert.doesNotMatch(String(answer), /connection: close/i, "the connection is not drained");
      quiet.destroy();
      events.destroy();
    },
  };
}
