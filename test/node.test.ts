import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { createServer as createSecureServer, request as secureRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import {
  clock,
  freePorts,
  getByHost,
  httpService,
  Load,
  NodeUnderTest,
  plainService,
  shop,
  type TestService,
} from "@catalyst/harness";
import { generatedCertificate } from "../packages/node/src/identity/certificate.ts";

const both = "{ products { name reviews { rating product { name } } } }";
const joined = {
  products: [
    { name: "Lamp", reviews: [{ rating: 5, product: { name: "Lamp" } }] },
    { name: "Desk", reviews: [] },
  ],
};

/** A node with both services of the shop, and one that tells what it was sent. */
let services: Awaited<ReturnType<typeof shop>>;
let web: TestService;
let node: NodeUnderTest;
let tlsPort = 0;

before(async () => {
  services = await shop();
  web = await httpService("web", ({ url, headers }, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ url, headers }));
  });
  [tlsPort = 0] = await freePorts(1);
  node = await NodeUnderTest.start({
    services: [services.products, services.reviews, web].map(({ declaration }) => declaration),
    flags: ["--ingress-tls", `127.0.0.1:${tlsPort}`],
  });
  await node.until("all are served", 15_000, async () =>
    (await node.services()).every(({ state }) => state === "serving"),
  );
});
after(async () => {
  for (const each of [node, web, services]) await each?.[Symbol.asyncDispose]();
});

test("a client queries two services, joined both ways, through Envoy", async () => {
  const { status, body, headers } = await node.query(both);
  assert.equal(status, 200);
  assert.deepEqual(body, { data: joined });
  assert.match(headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
});

test("services join and leave while the node runs, and no request fails", async () => {
  await using extra = await clock();
  await using load = new Load({
    url: node.endpoint,
    body: () => JSON.stringify({ query: both }),
    concurrency: 4,
    pauseMs: 5,
    judge: (status, text) => (status === 200 && !text.includes("errors") ? null : `${status} ${text}`),
  });
  for (let round = 0; round < 3; round++) {
    const added = await node.addService(extra.declaration);
    assert.deepEqual(added.activation, { envoy: "acknowledged", gateway: "serving", reason: null });
    assert.deepEqual((await node.query("{ clock products { name } }")).body.data, {
      clock: "12:00",
      products: [{ name: "Lamp" }, { name: "Desk" }],
    });
    await node.removeService("clock");
    assert.match((await node.query("{ clock }")).text, /Cannot query field/);
  }
  const outcomes = await load.stop();
  assert.ok(outcomes.length > 20, `${outcomes.length} requests`);
  assert.deepEqual(load.failures, []);
});

test("every service is reached by its Host, on ingress and on egress", async () => {
  for (const port of [node.ports.ingress, node.ports.egress]) {
    const { status, body } = await getByHost(port, `web.${node.domain}`, "/a/b?c=d");
    assert.equal(status, 200);
    assert.equal(JSON.parse(body).url, "/a/b?c=d");
    assert.match(JSON.parse(body).headers["x-request-id"], /^[0-9a-f-]{36}$/);
    const unknown = await getByHost(port, `absent.${node.domain}`, "/");
    assert.equal(unknown.status, 404);
  }
});

test("a client cannot choose its request id or send headers that the node trusts", async () => {
  const { body } = await getByHost(node.ports.ingress, `web.${node.domain}`, "/", {
    "x-request-id": "11111111-1111-4111-8111-111111111111",
    "x-catalyst-scope": "node",
    "x-jwt-sub": "mallory",
    "x-forwarded-client-cert": "forged",
    "x-original-url": "/admin",
    "x-real-ip": "10.0.0.1",
    "x-http-method-override": "DELETE",
  });
  const seen = JSON.parse(body).headers;
  assert.notEqual(seen["x-request-id"], "11111111-1111-4111-8111-111111111111");
  const trusted = ["x-catalyst-scope", "x-jwt-sub", "x-forwarded-client-cert"];
  for (const name of [...trusted, "x-original-url", "x-real-ip", "x-http-method-override"]) {
    assert.equal(seen[name], undefined, name);
  }
});

test("the TLS listener serves with a certificate that the node made itself", async () => {
  const [response, socket] = await new Promise<[IncomingMessage, TLSSocket]>((resolve, reject) => {
    const call = secureRequest(
      {
        host: "127.0.0.1",
        port: tlsPort,
        path: "/",
        servername: `n1.${node.domain}`,
        rejectUnauthorized: false,
      },
      (received) => resolve([received, received.socket as TLSSocket]),
    );
    call.on("error", reject);
    call.end();
  });
  response.resume();
  assert.equal(response.statusCode, 404);
  assert.match(socket.getPeerCertificate().subjectaltname ?? "", new RegExp(`DNS:\\*\\.${node.domain}`));
});

test("a service with a certificate of one's own authority is served once that authority is given", async () => {
  const folder = mkdtempSync(join(tmpdir(), "catalyst-authority-"));
  const { certificate, privateKey } = await generatedCertificate(folder, "acme.example.org");
  const secure = createSecureServer({ cert: certificate, key: privateKey }, (_request, response) =>
    response.end("private"),
  );
  await once(secure.listen(0, "127.0.0.1"), "listening");
  const { port } = secure.address() as { port: number };
  const file = join(folder, "authorities.pem");
  writeFileSync(file, (await generatedCertificate(join(folder, "other"), "other.example.org")).certificate);
  {
    await using trusting = await NodeUnderTest.start({
      services: [{ name: "vault", protocol: "http", url: `https://127.0.0.1:${port}/` }],
      flags: ["--mesh-tls-authorities-file", file],
    });
    const ask = () => getByHost(trusting.ports.ingress, `vault.${trusting.domain}`);
    assert.equal((await ask()).status, 503, "nobody vouches for it yet");
    writeFileSync(file, certificate);
    await trusting.until("the file is taken up", 10_000, async () => (await ask()).body === "private");
  }
  secure.close();
  rmSync(folder, { recursive: true });
});

test("health, readiness and metrics are served on loopback, for the whole node, until it is asked to end: then there is no process and no open port", async () => {
  await using idle = await NodeUnderTest.start();
  const base = `http://127.0.0.1:${idle.ports.telemetry}`;
  assert.equal((await fetch(`${base}/healthz`)).status, 200);
  assert.equal((await fetch(`${base}/readyz`)).status, 200);
  const metrics = await (await fetch(`${base}/metrics`)).text();
  for (const process of ["supervisor", "orchestrator", "gateway"]) {
    assert.match(metrics, new RegExp(`process_resident_memory_bytes\\{process="${process}"`));
  }
  assert.match(metrics, /envoy_server_live\{process="envoy"/);
  assert.match(metrics, /^catalyst_xds_proxies\{process="orchestrator"[^}]*\} 1$/m);
  assert.match(metrics, /^catalyst_services\{[^}]*state="serving"[^}]*\} 0$/m);
  const families = metrics.match(/^# TYPE (\S+)/gm) ?? [];
  assert.equal(new Set(families).size, families.length, "every family stands once");
  const pids = (await idle.status()).details.children.map(({ pid }) => pid ?? 0);
  assert.equal(await idle.stop("SIGINT"), 0);
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  await assert.rejects(fetch(idle.endpoint));
});

test("a node that ends lets requests under way finish, and ends subscriptions", async () => {
  await using slow = await plainService(
    "slow",
    "type Query { slow: String! } type Subscription { ticks: Int! }",
    {
      Query: {
        slow: async () => {
          await sleep(1_500);
          return "done";
        },
      },
      Subscription: {
        ticks: {
          subscribe: async function* () {
            for (let ticks = 0; ; ticks++) {
              yield { ticks };
              await sleep(100);
            }
          },
        },
      },
    },
  );
  await using ending = await NodeUnderTest.start({ services: [slow.declaration] });
  await ending.until("it is served", 10_000, async () => (await ending.services())[0]?.state === "serving");
  const stream = await fetch(ending.endpoint, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ query: "subscription { ticks }" }),
  });
  const events = stream.text();
  const answer = ending.query("{ slow }");
  await sleep(300);
  const begun = performance.now();
  assert.equal(await ending.stop(), 0);
  assert.ok(performance.now() - begun < 6_000, `took ${performance.now() - begun} ms`);
  assert.deepEqual((await answer).body, { data: { slow: "done" } });
  assert.match(await events, /"ticks":1/);
});
