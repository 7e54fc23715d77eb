import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { socketTransport } from "./socket-transport.ts";

const noProof = { certificate: null, ownKeyThumbprint: new Uint8Array(32) };

/** Two sockets that are connected. */
async function socketPair(): Promise<readonly [here: Socket, there: Socket]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const here = connect((server.address() as { port: number }).port, "127.0.0.1");
  const [[there]] = await Promise.all([once(server, "connection"), once(here, "connect")]);
  server.close();
  return [here, there];
}

test("a NOTIFICATION that came before the peer reset the connection is read before a write that fails", async () => {
  const [here, there] = await socketPair();
  const heard: string[] = [];
  const ended = Promise.withResolvers<Error | null>();
  const transport = socketTransport(here, noProof);
  transport.use({
    onData: (bytes) => heard.push(Buffer.from(bytes).toString()),
    onDrain: () => undefined,
    onEnd: ended.resolve,
  });
  await new Promise(setImmediate);
  there.write("the reason");
  there.resetAndDestroy();
  transport.write(Buffer.from("in vain"));
  assert.notEqual(await ended.promise, null);
  assert.deepEqual(heard, ["the reason"]);
});

test("what is written in one turn leaves together, before what is written in the next", async () => {
  const [here, there] = await socketPair();
  const transport = socketTransport(here, noProof);
  let heard = "";
  there.on("data", (bytes) => {
    heard += bytes.toString();
  });
  for (const piece of ["a", "b", "c"]) transport.write(Buffer.from(piece));
  transport.close();
  await once(there, "end");
  assert.equal(heard, "abc");
  there.destroy();
  here.destroy();
});
