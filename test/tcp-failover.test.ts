import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "@catalyst/harness";
import { orchestratorContract } from "@catalyst/rpc";
import { organisation } from "./organisation.ts";

/** A database that says its name to whoever connects. */
async function startDatabase(name: string, port = 0): Promise<Server & Disposable> {
  const server = createServer((socket) => socket.on("error", () => undefined).end(name));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(server, { [Symbol.dispose]: () => void server.close() });
}

const portOf = (server: Server) => (server.address() as { port: number }).port;
const declared = (server: Server) =>
  ({ name: "db", protocol: "tcp", url: `tcp://127.0.0.1:${portOf(server)}` }) as const;

/** Which database answers at a port; the empty text where none does. */
function answerAt(port: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host: "127.0.0.1", port }).setEncoding("utf8");
  let said = "";
  socket.on("data", (text: string) => {
    said += text;
  });
  socket.on("error", () => undefined).on("close", () => resolve(said));
  return promise;
}

test("A TCP service of two nodes is had from the other one while the database of the first is down", async (context) => {
  const first = await startDatabase("first");
  using second = await startDatabase("second");
  const port = portOf(first);
  const [local = 0] = await freePorts(1);
  const tcp = ["--tcp", `name=db,listen=127.0.0.1:${local}`];
  await using nodes = await organisation([
    { flags: tcp },
    { services: [declared(first)] },
    { services: [declared(second)] },
  ]);
  const [n1] = nodes.nodes;
  assert.ok(n1);
  const from = async (name: string, withinMs: number) => {
    const began = performance.now();
    await n1.until(`the ${name} database answers`, withinMs, async () => (await answerAt(local)) === name);
    return Math.round(performance.now() - began);
  };
  await from("first", 30_000);
  await n1.until("both ways", 20_000, async () => {
    return (await n1.routes("received")).filter(({ service }) => service.startsWith("db.")).length >= 2;
  });
  first.close();
  const away = await from("second", 15_000);
  await sleep(3_000); // Envoy tries again meanwhile what it has left out
  for (let times = 0; times < 20; times++) assert.equal(await answerAt(local), "second");
  using orchestrator = await n1.connect("orchestrator", orchestratorContract);
  const { steps } = await orchestrator.call.explain({ subject: "route", name: "db" });
  const held = steps.find(({ rule }) => rule === "Envoy holds endpoints for it");
  assert.match(String(held?.outcome), /127\.0\.0\.1:\d+/);
  using _again = await startDatabase("first", port);
  const back = await from("first", 20_000);
  context.diagnostic(`the other database answered after ${away} ms, the first one again after ${back} ms`);
});
