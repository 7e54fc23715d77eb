import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultProxy, freePorts, NodeUnderTest } from "@catalyst/harness";
import { HonestPeer } from "./enrolled-peer.ts";

// Two whole nodes, which dial each other, and what can come between them. Sessions are plain here: who proves what is for
// other tests.

const domain = "test.catalyst.internal";
const service = (name: string) => ({ name, protocol: "http" as const, url: "http://127.0.0.1:9" });
const plain = "--insecure-plain-peers";
const sessionFlags = (options: Readonly<Record<string, number>>) =>
  Object.entries(options).flatMap(([name, value]) => [`--mesh-peering-session-${name}`, String(value)]);

/** Peers that notice soon, dial soon, and may do so often. */
const brisk = sessionFlags({
  "hold-ms": 1_000,
  "handshake-ms": 500,
  "min-backoff-ms": 10,
  "max-backoff-ms": 200,
  "stable-ms": 0,
  "reopen-burst": 1_000,
});

const dialling = (name: string, { address }: { readonly address: string }) => [
  "--peer",
  JSON.stringify({ name, address }),
];

/** Services and the nodes that they come from, as a node knows them; `?` with those that are stale. */
async function known(node: NodeUnderTest): Promise<string[]> {
  const [best, received] = [await node.routes(), await node.routes("received")];
  const stale = new Set(received.filter((route) => route.stale).map((route) => route.service));
  return best.map((route) => `${route.service.split(".")[0]}${stale.has(route.service) ? "?" : ""}`).sort();
}

async function knows(node: NodeUnderTest, ...wanted: string[]): Promise<void> {
  let found: string[] = [];
  try {
    await node.until("routes", 15_000, async () => {
      found = await known(node);
      return JSON.stringify(found) === JSON.stringify(wanted);
    });
  } catch (cause) {
    throw new Error(`${found.join(", ")} and not ${wanted.join(", ")}`, { cause });
  }
}

async function sessionWith(node: NodeUnderTest, label: string) {
  return (await node.peers()).find((peer) => peer.node === `${label}.${domain}`);
}

/** Memory of the orchestrator, in MB, and how many files it has open. */
async function usage(node: NodeUnderTest): Promise<{ rss: number; fds: number }> {
  const pid = await node.pidOf("orchestrator");
  const [, kib = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return { rss: Number(kib) / 1_024, fds: readdirSync(`/proc/${pid}/fd`).length };
}

/** Between whom goes in the name's direction: what n2 dials is `toN1`. */
let toN1: FaultProxy;
let toN2: FaultProxy;
let n1: NodeUnderTest;
let n2: NodeUnderTest;
let address1 = "";

before(async () => {
  const [port1 = 0, port2 = 0] = await freePorts(2);
  address1 = `127.0.0.1:${port1}`;
  [toN1, toN2] = await Promise.all([FaultProxy.start(port1), FaultProxy.start(port2)]);
  const both = [plain, "--mesh-peering-restart-ms", "2500", ...brisk];
  [n1, n2] = await Promise.all([
    NodeUnderTest.start({
      services: [service("products")],
      flags: ["--listen-peers", address1, ...dialling("n2", toN2), ...both],
    }),
    NodeUnderTest.start({
      name: "n2",
      services: [service("reviews")],
      flags: ["--listen-peers", `127.0.0.1:${port2}`, ...dialling("n1", toN1), ...both],
    }),
  ]);
});

after(async () => {
  await Promise.all([n1, n2].map((node) => node?.[Symbol.asyncDispose]()));
  await Promise.all([toN1, toN2].map((proxy) => proxy?.[Symbol.asyncDispose]()));
});

const proxies = () => [toN1, toN2];
const nodes = () => [n1, n2];

test("A partition longer than the hold time: routes are stale, then swept; after it both nodes agree, and nothing is stale", async () => {
  for (const name of ["stock", "tools"]) await n1.addService(service(name));
  for (const node of nodes()) await knows(node, "products", "reviews", "stock", "tools");

  // A short one: the routes stay while the peer may be back, and what went meanwhile goes when it is.
  for (const proxy of proxies()) proxy.hold();
  await knows(n1, "products", "reviews?", "stock", "tools");
  await knows(n2, "products?", "reviews", "stock?", "tools?");
  assert.ok((await sessionWith(n1, "n2"))?.state !== "established");
  await n1.removeService("stock");
  for (const proxy of proxies()) proxy.forward();
  for (const node of nodes()) await knows(node, "products", "reviews", "tools");

  // A long one: the routes go when the restart timer says so.
  for (const proxy of proxies()) proxy.hold();
  await knows(n1, "products", "reviews?", "tools");
  await knows(n1, "products", "tools");
  await knows(n2, "reviews");
  await Promise.all([
    n1.addService(service("late")),
    n1.removeService("tools"),
    n2.addService(service("ours")),
  ]);
  for (const proxy of proxies()) proxy.forward();
  for (const node of nodes()) await knows(node, "late", "ours", "products", "reviews");
});

test("Both ends dial at once, again and again: one session stays, the same at both ends", async () => {
  for (let round = 0; round < 10; round++) {
    for (const proxy of proxies()) proxy.delayMs = round * 3;
    for (const proxy of proxies()) proxy.cut();
    for (const node of nodes()) await knows(node, "late", "ours", "products", "reviews");
    await n1.until("one connection", 5_000, () => toN1.open + toN2.open === 1);
    const begun = toN1.begun + toN2.begun;
    await sleep(300);
    assert.equal(toN1.begun + toN2.begun, begun, "nobody dials while there is a session");
    const [here, there] = [await sessionWith(n1, "n2"), await sessionWith(n2, "n1")];
    assert.deepEqual([here?.state, there?.state], ["established", "established"]);
    assert.ok((here?.establishedMs ?? 0) >= 250 && (there?.establishedMs ?? 0) >= 250);
  }
  for (const proxy of proxies()) proxy.delayMs = 0;
});

test("100 reconnects in a row: both nodes agree, no route is stale, and neither memory nor files are left behind", async (t) => {
  const reconnect = async () => {
    const begun = toN1.begun + toN2.begun;
    for (const proxy of proxies()) proxy.cut();
    await n2.until("a new session", 5_000, async () => {
      return toN1.begun + toN2.begun > begun && (await sessionWith(n2, "n1"))?.state === "established";
    });
  };
  for (let round = 0; round < 20; round++) await reconnect();
  const first = await Promise.all(nodes().map(usage));
  const begun = performance.now();
  for (let round = 0; round < 100; round++) await reconnect();
  t.diagnostic(`100 reconnects in ${Math.round(performance.now() - begun)} ms`);
  for (const node of nodes()) await knows(node, "late", "ours", "products", "reviews");
  const last = await Promise.all(nodes().map(usage));
  last.forEach(({ rss, fds }, at) => {
    const was = first[at] ?? assert.fail();
    const shown = `${was.rss.toFixed(0)} MB and ${was.fds} files, then ${rss.toFixed(0)} MB and ${fds}`;
    t.diagnostic(`n${at + 1}: ${shown}`);
    assert.ok(fds <= was.fds + 4 && rss < was.rss + 48, shown);
  });
});

test("An orchestrator that is killed while thousands of routes are under way comes back to those that there are, and to no other", async (t) => {
  const [count, withdrawn] = [5_000, 100];
  const services = Array.from({ length: count }, (_, at) => `${"s".repeat(50)}${at}.${domain}`);
  for (const proxy of proxies()) proxy.holdAfter(150_000);
  const options = { holdMs: 2_000, minBackoffMs: 10, maxBackoffMs: 200 };
  const self = { node: `n3.${domain}`, domain, proof: null };
  await using source = new HonestPeer(self, { node: `n1.${domain}`, address: address1 }, options);
  source.originate(services);
  /** Of n1 itself: products and late. */
  const own = 2;
  const received = async () => (await sessionWith(n2, "n1"))?.received ?? 0;
  const someOfThem = async () => {
    let arrived = 0;
    await n2.until("some routes, and not all", 20_000, async () => {
      arrived = await received();
      return arrived > own;
    });
    assert.ok(arrived < count - withdrawn, `${arrived} routes`);
    return arrived;
  };
  const converged = async (what: string, arrived: number, begun: number) => {
    await n2.until("all routes, none of them stale", 30_000, async () => {
      if ((await received()) !== own + count - withdrawn) return false;
      return (await n2.routes("received")).every(({ stale }) => !stale);
    });
    const tookMs = Math.round(performance.now() - begun);
    t.diagnostic(`${what} was killed after ${arrived} of ${count} routes; after ${tookMs} ms all were there`);
  };

  const first = await someOfThem();
  const killed = performance.now();
  await n1.killChild("orchestrator");
  source.withdraw(services.slice(0, withdrawn));
  for (const proxy of proxies()) proxy.forward();
  await n1.ready();
  await converged("who passes them on", first, killed);

  for (const proxy of proxies()) proxy.holdAfter(150_000);
  await n2.killChild("orchestrator");
  const second = await someOfThem();
  const again = performance.now();
  await n2.killChild("orchestrator");
  for (const proxy of proxies()) proxy.forward();
  await n2.ready();
  await converged("who is told", second, again);
});
