import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { clock, Load, NodeUnderTest, shop } from "@catalyst/harness";

const query = "{ products { name reviews { rating } } }";
const right = (status: number, text: string) =>
  status === 200 && text.includes("Lamp") && !text.includes("errors") ? null : `${status} ${text}`;

let services: Awaited<ReturnType<typeof shop>>;
let node: NodeUnderTest;

before(async () => {
  services = await shop();
  node = await NodeUnderTest.start({
    services: [services.products.declaration, services.reviews.declaration],
  });
  await served();
});
after(async () => {
  await node?.[Symbol.asyncDispose]();
  await services?.[Symbol.asyncDispose]();
});

function served(): Promise<void> {
  return node.until("both services are served", 20_000, async () => {
    const services = await node.services();
    return services.length >= 2 && services.every(({ state }) => state === "serving");
  });
}

const load = () =>
  new Load({
    url: node.endpoint,
    body: () => JSON.stringify({ query }),
    concurrency: 4,
    pauseMs: 5,
    judge: right,
  });

function responses(types: readonly { sent: number }[]): number {
  return types.reduce((sum, { sent }) => sum + sent, 0);
}

test("killing the orchestrator fails no request, and Envoy is resynced with differences only", async () => {
  await using traffic = load();
  for (let round = 0; round < 3; round++) {
    await node.killChild("orchestrator");
    await node.ready();
    await node.until("Envoy is back", 10_000, async () => (await node.mesh()).proxies.length === 1);
    await served();
  }
  await traffic.stop();
  assert.ok(traffic.outcomes.length > 100, `${traffic.outcomes.length} requests`);
  assert.deepEqual(traffic.failures, []);
  const [proxy] = (await node.mesh()).proxies;
  const resent = proxy?.types.filter(({ acknowledged }) => acknowledged > 0) ?? [];
  assert.ok(
    responses(resent) <= resent.length,
    `at most one (empty) response per type: ${JSON.stringify(proxy)}`,
  );
});

test("a killed Envoy serves its whole configuration again within 2 s", async () => {
  const pid = await node.pidOf("envoy");
  const killed = performance.now();
  process.kill(pid, "SIGKILL");
  await sleep(10);
  await node.until("Envoy serves again", 5_000, async () => {
    const answer = await node.query(query).catch(() => null);
    return answer !== null && right(answer.status, answer.text) === null;
  });
  const took = performance.now() - killed;
  assert.ok(took < 2_000, `took ${took} ms`);
});

test("with the orchestrator held, a killed Envoy serves within 2 s and follows changes once it is back", async () => {
  await using extra = await clock();
  const orchestrator = await node.pidOf("orchestrator");
  process.kill(orchestrator, "SIGSTOP");
  try {
    await sleep(4_000); // long enough for the supervisor to see that it is silent
    const pid = await node.pidOf("envoy");
    const killed = performance.now();
    process.kill(pid, "SIGKILL");
    await sleep(10);
    await node.until("Envoy serves again", 5_000, async () => {
      const answer = await node.query(query).catch(() => null);
      return answer !== null && right(answer.status, answer.text) === null;
    });
    const took = performance.now() - killed;
    assert.ok(took < 2_000, `took ${took} ms`);
    assert.equal((await node.status()).details.replaying, 1);
  } finally {
    process.kill(orchestrator, "SIGCONT");
  }
  await node.until("Envoy has returned to the orchestrator", 10_000, async () => {
    const { proxies } = await node.mesh();
    return proxies.length === 1 && (await node.status()).details.replaying === 0;
  });
  const added = await node.addService(extra.declaration);
  assert.equal(added.activation.gateway, "serving");
  assert.deepEqual((await node.query("{ clock }")).body.data, { clock: "12:00" });
  await node.removeService("clock");
});

test("while the gateway is killed a client is told so, and it comes back configured", async () => {
  await using traffic = new Load({
    url: node.endpoint,
    body: () => JSON.stringify({ query }),
    concurrency: 2,
    pauseMs: 5,
    judge: (status, text) => {
      if (right(status, text) === null) return null;
      const told = status === 503 && JSON.parse(text).errors[0].extensions.code === "GATEWAY_UNAVAILABLE";
      return told ? "told" : `${status} ${text}`;
    },
  });
  await sleep(300);
  await node.killChild("gateway");
  await node.ready();
  await node.until("it answers again", 10_000, async () => {
    const { status, text } = await node.query(query);
    return right(status, text) === null;
  });
  await sleep(300);
  await traffic.stop();
  assert.ok(traffic.failures.length > 0, "somebody met the gap");
  assert.deepEqual([...new Set(traffic.failures.map(({ what }) => what))], ["told"]);
  assert.equal(right((await node.query(query)).status, (await node.query(query)).text), null);
});

test("a killed supervisor leaves nothing running, and the next start takes over", async () => {
  await using extra = await clock();
  await node.addService(extra.declaration);
  const pids = (await node.status()).details.children.map(({ pid }) => pid ?? 0);
  process.kill(node.supervisorPid, "SIGKILL");
  await sleep(50);
  await node.until("its children have ended", 5_000, () => pids.every((pid) => !isAlive(pid)));
  await node.restart();
  await served();
  assert.deepEqual((await node.query("{ clock }")).body.data, { clock: "12:00" });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("a damaged record of the last good configuration is set aside, and the node starts", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "catalyst-damaged-"));
  writeFileSync(join(dataDir, "envoy.journal"), Buffer.alloc(4_096, 0xa7));
  {
    await using damaged = await NodeUnderTest.start({ dataDir, services: [services.products.declaration] });
    await damaged.until(
      "it serves",
      10_000,
      async () => (await damaged.query("{ products { name } }")).status === 200,
    );
    assert.ok(existsSync(join(dataDir, "envoy.journal.bad")));
  }
  rmSync(dataDir, { recursive: true });
});
