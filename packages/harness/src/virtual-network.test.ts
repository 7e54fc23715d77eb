import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualNetwork, type VirtualStream } from "./virtual-network.ts";
import { VirtualTime } from "./virtual-time.ts";

type Stream = VirtualStream<never>;

/** What came on a stream. */
function watch(stream: Stream) {
  const seen = { bytes: [] as number[], drains: 0, ends: [] as (string | null)[] };
  stream.use({
    onData: (bytes) => seen.bytes.push(...bytes),
    onDrain: () => {
      seen.drains += 1;
    },
    onEnd: (error) => seen.ends.push(error?.message ?? null),
  });
  return seen;
}

async function pair(conditions: ConstructorParameters<typeof VirtualNetwork>[1] = {}) {
  const time = new VirtualTime();
  const network = new VirtualNetwork<never>(time, conditions);
  const up: Stream[] = [];
  const dialled = { up: (stream: Stream) => void up.push(stream), failed: assert.ifError };
  await network.host("b").listen("b:1", { accept: () => dialled });
  network.host("a").dial("b:1", dialled);
  await time.until(() => up.length === 2);
  const [b, a] = up;
  assert.ok(a !== undefined && b !== undefined);
  return { time, network, a, b, atA: watch(a), atB: watch(b) };
}

test("bytes come whole and in order over links that delay and lose, and the same way for the same seed", async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const sent = Array.from({ length: seed }, (_, at) => (7 * at) % 256);
    const run = async () => {
      const { time, a, atB } = await pair({ seed, latencyMs: 5, jitterMs: 50, loss: 0.3 });
      for (const byte of sent) a.write(Uint8Array.of(byte));
      await time.until(() => atB.bytes.length === sent.length, 600_000);
      assert.deepEqual(atB.bytes, sent);
      return time.now();
    };
    assert.equal(await run(), await run());
  }
});

test("in a partition nothing passes, and when it is healed everything comes", async () => {
  const { time, network, a, atB } = await pair();
  network.partition("a", "b");
  a.write(Uint8Array.of(1));
  a.close();
  await time.advance(100_000);
  assert.deepEqual([atB.bytes, atB.ends], [[], []]);
  network.heal("b", "a");
  assert.deepEqual([atB.bytes, atB.ends], [[1], [null]]);
});

test("a writer is told to wait when much is on its way, and when it may go on", async () => {
  const { time, a, b, atA, atB } = await pair();
  b.pause();
  assert.equal(a.write(new Uint8Array(65_536)), true);
  assert.equal(a.write(new Uint8Array(1)), false);
  await time.advance(1_000);
  assert.deepEqual([atA.drains, atB.bytes.length], [0, 0]);
  b.resume();
  await time.advance(1);
  assert.deepEqual([atA.drains, atB.bytes.length], [1, 65_537]);
});

test("an end closes after what was written, and a destroyed one at once", async () => {
  const first = await pair();
  first.a.write(Uint8Array.of(1));
  first.a.close();
  await first.time.advance(10);
  assert.deepEqual([first.atB.bytes, first.atB.ends, first.atA.ends], [[1], [null], [null]]);
  const second = await pair();
  second.a.destroy();
  await second.time.advance(10);
  assert.deepEqual([second.atB.ends, second.atA.ends], [["connection reset"], [null]]);
  assert.equal(second.network.streams.size, 0);
});

test("a host that vanished says nothing, and whoever writes to it hears nothing", async () => {
  const { time, network, a, atA, atB } = await pair();
  network.vanish("b");
  a.write(Uint8Array.of(1));
  await time.advance(100_000);
  assert.deepEqual([atA.ends, atB.ends, atB.bytes], [[], [], []]);
});

test("an address where nobody listens refuses, and one behind a partition does not answer", async () => {
  const time = new VirtualTime();
  const network = new VirtualNetwork<never>(time);
  const said: string[] = [];
  const dialled = { up: () => said.push("up"), failed: (error: Error) => said.push(error.message) };
  network.host("a").dial("b:1", dialled);
  await time.advance(10);
  assert.deepEqual(said, ["connection refused"]);
  await network.host("b").listen("b:1", { accept: () => null });
  network.partition("a", "b");
  network.host("a").dial("b:1", dialled);
  await time.advance(10_000);
  assert.equal(said.length, 1);
  network.heal("a", "b");
  await time.advance(1_000);
  assert.deepEqual(said, ["connection refused", "connection reset"]);
});
