import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualFederation } from "../test/virtual-node.ts";

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

test("two nodes, one of which dials, have one session, and messages pass both ways in order", async () => {
  const world = new VirtualFederation({ latencyMs: 5 });
  const [a, b] = [await world.node("a"), await world.node("b")];
  a.dial("b");
  await world.time.until(() => a.established().length === 1 && b.established().length === 1);
  assert.ok(world.time.now() < 40);
  for (let at = 0; at < 3_000; at++) {
    const sent = a.channel.send(bytes(`a${at}`));
    if (at % 100 === 0) await world.time.advance(50);
    void sent;
  }
  await b.channel.send(bytes("b"));
  await world.time.advance(1_000);
  assert.deepEqual(
    b.received,
    Array.from({ length: 3_000 }, (_, at) => `a${at}`),
  );
  assert.deepEqual(a.received, ["b"]);
});
