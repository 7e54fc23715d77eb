import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { httpService, type Load, type NodeUnderTest, shop, subscribeBySse } from "@catalyst/harness";
import { byHost, countedBy, queries, summary } from "./loads.ts";
import { organisation } from "./organisation.ts";

/**
 * That nobody listens while a node is down is no failed request: a client goes to the other node. What the kernel had taken
 * for a listener that closes, and Envoy not, is reset by it.
 */
const refused = /^new connection: .*(ECONNREFUSED|ECONNRESET)/;

/** Each kind of request that a node serves, over kept connections and over new ones. */
function loadsOn(node: NodeUnderTest): Map<string, Load> {
  const { ingress, egress } = node.ports;
  return new Map([
    ["queries", queries(node)],
    ["requests", byHost(ingress, `hello.${node.domain}`)],
    ["new connections", byHost(ingress, `hello.${node.domain}`, { anew: true })],
    ["requests from inside", byHost(egress, `hello.${node.domain}`)],
  ]);
}

/** A stream of events at a node's ingress, which goes on for as long as the node does. */
function streamAt(node: NodeUnderTest) {
  const headers = { host: `hello.${node.domain}` };
  return subscribeBySse(`http://127.0.0.1:${node.ports.ingress}/events`, "", headers);
}

const hello = (incoming: IncomingMessage, response: ServerResponse) => {
  if (incoming.url !== "/events") {
    setTimeout(() => response.end("hello"), 20);
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const timer = setInterval(() => response.write("data: {}\n\n"), 50);
  response.on("close", () => clearInterval(timer));
};

/** Resolves when a node serves everything, and has heard that the other one does. */
function served(node: NodeUnderTest): Promise<void> {
  return node.until("everything is served, by both nodes", 20_000, async () => {
    const [routes, all] = [await node.routes("received"), await node.services()];
    return routes.length === 3 && all.length === 3 && all.every(({ state }) => state === "serving");
  });
}

/** Restarts a node in good order; returns how long it took to end and to be back, in ms. */
async function restarted(node: NodeUnderTest): Promise<readonly [number, number]> {
  const stopped = performance.now();
  assert.equal(await node.stop(), 0);
  const down = performance.now();
  await node.restart();
  return [Math.round(down - stopped), Math.round(performance.now() - down)];
}

test("Two nodes that are restarted one after the other fail no request that they took", async (t) => {
  await using services = await shop();
  await using plain = await httpService("hello", hello);
  const declared = [services.products, services.reviews, plain].map(({ declaration }) => declaration);
  await using two = await organisation([{ services: declared }, { services: declared }]);
  const [n1, n2] = two.nodes;
  assert.ok(n1 && n2);
  for (const node of two.nodes) await served(node);
  const loads = two.nodes.map(loadsOn);
  for (const [node, other] of [[n1, n2] as const, [n2, n1] as const]) {
    using stream = await streamAt(other);
    await sleep(500);
    const [endMs, backMs] = await restarted(node);
    t.diagnostic(`${node === n1 ? "n1" : "n2"} took ${endMs} ms to end, ${backMs} ms to be back`);
    await sleep(500);
    const before = stream.results.length;
    await other.until("the stream of the other node goes on", 2_000, () => stream.results.length > before);
    assert.equal(stream.ended, null);
  }
  await Promise.all(loads.flatMap((each) => [...each.values()]).map((load) => load.stop()));
  const told = loads.flatMap((each, at) =>
    Array.from(each, ([name, { outcomes }]) => ({ name: `n${at + 1}, ${name}`, outcomes })),
  );
  for (const { name, outcomes } of told) t.diagnostic(`${name}: ${summary(outcomes, refused)}`);
  for (const { name, outcomes } of told) {
    const { ok, failed } = countedBy(outcomes, refused);
    assert.ok(ok > 20, `${name}: ${ok}`);
    assert.deepEqual(failed.slice(0, 3), [], name);
  }
});
