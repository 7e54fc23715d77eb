import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { httpService, type Load, type NodeUnderTest, shop } from "@catalyst/harness";
import { byHost, countedBy, queries, summary } from "./loads.ts";
import { organisation } from "./organisation.ts";

/** What is killed: one process of a node, or all of them at once. */
export const victims = ["auth", "orchestrator", "gateway", "content", "envoy", "node"] as const;
export type Victim = (typeof victims)[number];

/** What is asked for: a service of the node itself, one of the other node, and a query that needs both. */
type Kind = "near" | "far" | "query";
type Asked = { readonly at: number; readonly kind: Kind; readonly load: Load };

/** What may fail while a process is away: at the node that it belongs to, and at the other one. */
const mayFail: Readonly<Record<Victim, readonly [own: readonly Kind[], other: readonly Kind[]]>> = {
  auth: [[], []],
  orchestrator: [[], []],
  content: [[], []],
  gateway: [["query"], []],
  envoy: [
    ["near", "far", "query"],
    ["far", "query"],
  ],
  node: [
    ["near", "far", "query"],
    ["far", "query"],
  ],
};

/** After this time nothing fails any more, on a machine that is busy besides. */
const healedMs = 60_000;
/** How long all is well before it counts. */
const quietMs = 400;

/** Two nodes with a service each, under load at both. */
export async function nodesUnderLoad() {
  await using started = new AsyncDisposableStack();
  const services = started.use(await shop());
  const plain = await Promise.all(
    ["hello1", "hello2"].map((name) => httpService(name, (_, response) => response.end("hello"))),
  );
  for (const service of plain) started.use(service);
  const graphql = [services.products, services.reviews];
  const members = graphql.map((service, at) => ({
    services: [service, plain[at] ?? assert.fail()].map(({ declaration }) => declaration),
  }));
  const { nodes } = started.use(await organisation(members));
  for (const node of nodes) await converged(node);
  const asked = nodes.flatMap((node, at): Asked[] => {
    const host = (of: number) => `hello${of + 1}.${node.domain}`;
    const load = (of: number) => byHost(node.ports.ingress, host(of));
    return [
      { at, kind: "near", load: load(at) },
      { at, kind: "far", load: load(1 - at) },
      { at, kind: "query", load: queries(node) },
    ];
  });
  for (const { load } of asked) started.use(load);
  const kept = started.move();
  return { nodes, asked, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

export type NodesUnderLoad = Awaited<ReturnType<typeof nodesUnderLoad>>;

/** Resolves when a node knows all four services, none of them stale, and answers a query over both nodes. */
function converged(node: NodeUnderTest): Promise<void> {
  return node.until("all is known and served", healedMs, async () => {
    const [best, received] = [await node.routes(), await node.routes("received")];
    if (best.length !== 4 || received.length !== 2 || received.some(({ stale }) => stale)) return false;
    const answer = await node.query("{ products { reviews { rating } } }").catch(() => null);
    return answer?.body.data !== undefined && answer.body.errors === undefined;
  });
}

/**
 * Kills one process of a node by SIGKILL, or all of them, and waits until nothing fails any more. Rejects when something
 * failed that must not, or does not end. Tells what failed and for how long.
 */
export async function killOne(
  { nodes, asked }: NodesUnderLoad,
  at: number,
  victim: Victim,
  say: (text: string) => void,
): Promise<void> {
  const node = nodes[at] ?? assert.fail();
  for (const { load } of asked) load.outcomes.length = 0;
  const since = performance.now();
  if (victim === "node") {
    await node.kill();
    await node.restart();
  } else {
    const pid = await node.pidOf(victim);
    process.kill(pid, "SIGKILL");
    await node.until(
      "it is started again",
      healedMs,
      async () => (await node.pidOf(victim).catch(() => pid)) !== pid,
    );
    await node.ready();
  }
  for (const each of nodes) await converged(each);
  await quiet(asked);
  say(`n${at + 1} ${victim}: converged after ${Math.round(performance.now() - since)} ms`);
  const failing = asked.filter(({ load }) => load.failures.length > 0);
  for (const { at: where, kind, load } of failing) {
    say(`  n${where + 1} ${kind}: ${summary(load.outcomes, undefined, since)}`);
  }
  for (const { at: where, kind, load } of asked) {
    const allowed = mayFail[victim][where === at ? 0 : 1].includes(kind);
    const { failed, ok } = countedBy(load.outcomes);
    assert.ok(ok > 0, `n${where + 1} ${kind}`);
    if (!allowed) assert.deepEqual(failed.slice(0, 3), [], `n${at + 1} ${victim}: n${where + 1} ${kind}`);
  }
}

/** Resolves when nothing has failed for a moment. */
async function quiet(asked: readonly Asked[]): Promise<void> {
  const end = performance.now() + healedMs;
  while (performance.now() < end) {
    const last = Math.max(...asked.flatMap(({ load }) => load.failures.map((failure) => failure.at)), 0);
    if (performance.now() - last > quietMs) return;
    await sleep(50);
  }
  assert.fail("something fails on and on");
}

/** `npm run soak -- nodes`: kills each process of each node in turn, round after round; a round takes about a minute. */
export async function soakNodes(minutes: number, say: (text: string) => void): Promise<boolean> {
  await using under = await nodesUnderLoad();
  const end = performance.now() + minutes * 60_000;
  for (let round = 1; round === 1 || performance.now() < end; round++) {
    say(`round ${round}`);
    for (const at of under.nodes.keys()) {
      for (const victim of victims) await killOne(under, at, victim, say);
    }
  }
  return true;
}
