import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { httpService, type Load, type NodeUnderTest, shop, type TestService } from "@catalyst/harness";
import { byHost, countedBy, queries, summary } from "./loads.ts";
import { type Organisation, organisation } from "./organisation.ts";

// A ring of three: what is asked for at n1 stands at n2 and n3, and n2 is lost in one way after the other.

let services: Awaited<ReturnType<typeof shop>>;
let hello: TestService;
let ring: Organisation;

before(async () => {
  services = await shop();
  hello = await httpService("hello", (incoming, response) => {
    incoming.resume().on("end", () => setTimeout(() => response.end("hello"), 20));
  });
  const declared = [services.products, services.reviews, hello].map(({ declaration }) => declaration);
  const flags = ["--mesh-peering-session-hold-ms", "3000"];
  ring = await organisation([{ flags }, { services: declared, flags }, { services: declared, flags }]);
  await whole();
});

after(async () => {
  await ring?.[Symbol.asyncDispose]();
  await services?.[Symbol.asyncDispose]();
  await hello?.[Symbol.asyncDispose]();
});

function node(at: number): NodeUnderTest {
  return ring.nodes[at] ?? assert.fail();
}

/** Resolves when n1 knows both ways to each service, and a query is answered. */
async function whole(): Promise<void> {
  await node(0).until("n1 knows both ways", 40_000, async () => {
    const received = await node(0).routes("received");
    const fresh = received.filter(({ stale, peer, nodePath }) => !stale && nodePath.at(-1) === peer);
    return fresh.length === 6 && (await node(0).query("{ products { name } }")).body.data !== undefined;
  });
}

type Loads = ReadonlyMap<string, Load>;

function loads(): Loads {
  const { ports, domain } = node(0);
  const host = `hello.${domain}`;
  return new Map([
    ["GET", byHost(ports.ingress, host)],
    ["GET, new connections", byHost(ports.ingress, host, { anew: true })],
    ["POST", byHost(ports.ingress, host, { body: () => "{}" })],
    ["queries", queries(node(0))],
  ]);
}

/** What came of the loads since something was done; what must not fail at all is asserted. */
async function judge(
  t: TestContext,
  what: string,
  under: Loads,
  since: number,
  mayFail: number,
): Promise<void> {
  await Promise.all([...under.values()].map((load) => load.stop()));
  for (const [name, { outcomes }] of under) {
    t.diagnostic(`${what}: ${name}: ${summary(outcomes, undefined, since)}`);
  }
  for (const [name, { outcomes }] of under) {
    const { ok, failed } = countedBy(outcomes);
    assert.ok(ok > 20, `${name}: ${ok}`);
    const allowed = name.startsWith("GET") ? 0 : mayFail;
    assert.ok(failed.length <= allowed, `${name}: ${summary(outcomes, undefined, since)}`);
    assert.ok(
      failed.every(({ at }) => at - since < 5_000),
      `${name}: the last failed too late`,
    );
  }
}

/** Waits until n1 goes by n3 alone, or does not follow n2 any more, and says how long it took. */
async function until(
  t: TestContext,
  what: string,
  holds: () => Promise<boolean>,
  since: number,
): Promise<void> {
  await node(0).until(what, 40_000, holds);
  t.diagnostic(`${what} after ${Math.round(performance.now() - since)} ms`);
}

const isBack = async () => {
  await whole();
  return true;
};

test("A node that is restarted in good order is missed by nobody", async (t) => {
  const under = loads();
  await sleep(500);
  const since = performance.now();
  assert.equal(await node(1).stop(), 0);
  t.diagnostic(`it took ${Math.round(performance.now() - since)} ms to end`);
  await node(1).restart();
  await until(t, "n1 knows both ways again", isBack, since);
  await sleep(500);
  await judge(t, "restart", under, since, 0);
});

test("A node whose processes are all killed costs no GET; what was under way by another method may fail", async (t) => {
  const under = loads();
  await sleep(500);
  const since = performance.now();
  await node(1).kill();
  await sleep(4_000);
  await judge(t, "kill", under, since, 12);
  const back = performance.now();
  await node(1).restart();
  await until(t, "n1 knows both ways again", isBack, back);
});

test("A link that is cut without a word costs no GET; what was under way by another method may fail", async (t) => {
  const under = loads();
  await sleep(500);
  const between = [ring.links[1]?.mesh, ring.links[1]?.sessions[0]];
  const since = performance.now();
  for (const link of between) link?.hold();
  await sleep(6_000);
  await judge(t, "cut", under, since, 12);
  const peers = await node(0).peers();
  assert.notEqual(peers.find((peer) => peer.node?.startsWith("n2."))?.state, "established");
  const back = performance.now();
  for (const link of between) link?.forward();
  await until(t, "n1 knows both ways again", isBack, back);
  const healed = loads();
  await sleep(1_500);
  await judge(t, "healed", healed, back, 0);
});
