import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultProxy } from "./fault-proxy.ts";

/** A service that says back what it is told, and a client of it with a proxy between. */
async function world() {
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy = await FaultProxy.start((server.address() as { port: number }).port);
  const [host = "", port = ""] = proxy.address.split(":");
  const client = () => connect(Number(port), host).on("error", () => undefined);
  return {
    proxy,
    accepted,
    client,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      for (const socket of accepted) socket.destroy();
      server.close();
    },
  };
}

/** Whether it was by an error. */
function closed(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => socket.once("close", resolve));
}

test("bytes and ends pass both ways, later by the delay", async () => {
  await using all = await world();
  const client = all.client();
  client.write("one");
  assert.equal(String((await once(client, "data"))[0]), "one");
  all.proxy.delayMs = 30;
  const begun = performance.now();
  client.end("two");
  assert.equal(String((await once(client, "data"))[0]), "two");
  assert.ok(performance.now() - begun >= 55);
  await once(client, "close");
  assert.equal(all.proxy.begun, 1);
});

test("while it holds, nothing passes and nothing ends; afterwards everything comes that waited", async () => {
  await using all = await world();
  const [before, heard] = [all.client(), [] as string[]];
  await once(before, "connect");
  before.on("data", (bytes) => heard.push(String(bytes)));
  all.proxy.hold();
  before.write("held");
  const during = all.client();
  during.write("taken");
  during.on("data", (bytes) => heard.push(String(bytes)));
  await once(during, "connect");
  await sleep(50);
  assert.deepEqual(heard, []);
  assert.equal(before.closed || during.closed, false);
  all.proxy.forward();
  while (heard.length < 2) await sleep(1);
  assert.deepEqual(heard.sort(), ["held", "taken"]);
});

test("it can hold when so much has passed", async () => {
  await using all = await world();
  const [client, heard] = [all.client(), [] as string[]];
  client.on("data", (bytes) => heard.push(String(bytes)));
  all.proxy.holdAfter(7);
  client.write("one");
  while (heard.length < 1) await sleep(1);
  client.write("two");
  await sleep(30);
  assert.deepEqual(heard, ["one"]);
  all.proxy.forward();
  while (heard.length < 2) await sleep(1);
  assert.deepEqual(heard, ["one", "two"]);
});

test("a cut resets both ends at once, and who refuses resets each new connection", async () => {
  await using all = await world();
  const client = all.client();
  client.write("one");
  await once(client, "data");
  const ends = Promise.all([client, ...all.accepted].map(closed));
  all.proxy.refuse();
  all.proxy.cut();
  assert.deepEqual(await ends, [true, true]);
  assert.equal(await closed(all.client()), true);
  all.proxy.forward();
  const again = all.client();
  again.write("two");
  assert.equal(String((await once(again, "data"))[0]), "two");
});
