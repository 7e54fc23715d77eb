import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionError } from "@catalyst/session";
import fc from "fast-check";
import { nameOf, VirtualFederation, type VirtualNode } from "../test/virtual-node.ts";

const bytes = (text: string) => new Uint8Array(Buffer.from(text));

/** Two nodes with one session between them; `a` dialled. */
async function connected(
  from: ConstructorParameters<typeof VirtualFederation>[0] = {},
  ...[ofA, ofB]: Parameters<VirtualFederation["node"]>[1][]
) {
  const world = new VirtualFederation(from);
  const [a, b] = [await world.node("a", ofA), await world.node("b", ofB)];
  a.dial("b");
  await world.time.until(() => a.established().length === 1 && b.established().length === 1);
  return { world, a, b };
}

function oneEach(a: VirtualNode, b: VirtualNode): boolean {
  return a.established().length === 1 && b.established().length === 1;
}

test("two nodes, one of which dials, have one session after three times the way, and messages pass in order", async () => {
  const { world, a, b } = await connected({ latencyMs: 5 });
  // The way of the connection there and back, then OPEN, OPEN and ACCEPT, ACCEPT.
  assert.ok(world.time.now() <= 26, String(world.time.now()));
  const sending = Array.from({ length: 3_000 }, (_, at) => a.channel.send(bytes(`a${at}`)));
  await b.channel.send(bytes("b"));
  await world.time.advance(1_000);
  await Promise.all(sending);
  assert.deepEqual(
    b.received,
    Array.from({ length: 3_000 }, (_, at) => `a${at}`),
  );
  assert.deepEqual(a.received, ["b"]);
});

test("a session without messages lives on keepalives, three in each hold time", async () => {
  const { world, a, b } = await connected();
  let written = 0;
  for (const stream of world.network.streams) {
    const { write } = stream;
    stream.write = (piece) => {
      written += 1;
      return write.call(stream, piece);
    };
  }
  await world.time.advance(3_600_000);
  assert.ok(oneEach(a, b));
  assert.equal(written, (2 * 3_600_000) / 5_000);
});

test("both ends that dial at once come to one session, and none that was established is lost for it", async () => {
  const cases = fc.record({
    seed: fc.nat(1e6),
    latencyMs: fc.double({ min: 0.1, max: 50, noNaN: true }),
    jitterMs: fc.double({ min: 0, max: 100, noNaN: true }),
    laterMs: fc.double({ min: 0, max: 200, noNaN: true }),
    first: fc.constantFrom("a", "b"),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ seed, latencyMs, jitterMs, laterMs, first }) => {
      const world = new VirtualFederation({ seed, latencyMs, jitterMs });
      const [a, b] = [await world.node("a"), await world.node("b")];
      const dials = [() => a.dial("b"), () => b.dial("a")];
      for (const dial of first === "a" ? dials : dials.reverse()) {
        dial();
        await world.time.advance(laterMs);
      }
      await world.time.advance(5_000);
      assert.ok(oneEach(a, b));
      assert.notEqual(a.established()[0]?.role, b.established()[0]?.role);
      for (const { established } of [...a.ends, ...b.ends]) assert.ok(!established);
      assert.equal(world.network.streams.size, 2);
      const attempts = a.ends.length + b.ends.length;
      await a.channel.send(bytes("here"));
      await world.time.advance(120_000);
      assert.deepEqual(b.received, ["here"]);
      assert.equal(a.ends.length + b.ends.length, attempts);
    }),
    { numRuns: 200 },
  );
});

test("a peer that vanished and starts anew is back at once, long before the hold time is over", async () => {
  for (const dialling of ["a", "b"] as const) {
    const { world, a, b } = await connected(
      {},
      { options: { holdMs: 600_000 } },
      { options: { holdMs: 600_000 } },
    );
    b.dial("a");
    const other = dialling === "a" ? b : a;
    const before = other.established()[0]?.peer?.incarnation;
    world.network.vanish(dialling);
    const again = await world.node(dialling, { options: { holdMs: 600_000 } });
    again.dial(dialling === "a" ? "b" : "a");
    await world.time.until(() => oneEach(again, other), 1_000);
    const replaced = other.ends.find(({ established }) => established);
    assert.equal(replaced?.code, "collision");
    assert.notEqual(other.established()[0]?.peer?.incarnation, before);
  }
});

test("a session survives a partition that is shorter than the hold time, with all that was sent in it", async () => {
  const { world, a, b } = await connected();
  world.network.partition("a", "b");
  await a.channel.send(bytes("into the void"));
  await world.time.advance(9_000);
  assert.deepEqual(b.received, []);
  world.network.heal("a", "b");
  await world.time.advance(10);
  assert.deepEqual(b.received, ["into the void"]);
  assert.deepEqual([...a.ends, ...b.ends], []);
});

test("a partition longer than the hold time ends the session at both ends, and healing brings a new one", async () => {
  const { world, a, b } = await connected();
  world.network.partition("a", "b");
  await world.time.advance(20_001);
  assert.deepEqual(
    [a, b].map(({ ends }) => ends[0]?.code),
    ["hold_expired", "hold_expired"],
  );
  assert.deepEqual([a.established(), b.established()], [[], []]);
  await world.time.advance(600_000);
  world.network.heal("a", "b");
  await world.time.until(() => oneEach(a, b), 41_000);
  await a.channel.send(bytes("again"));
  await world.time.advance(10);
  assert.deepEqual(b.received, ["again"]);
});

test("100 reconnects in a row leave nothing behind", async () => {
  const { world, a, b } = await connected();
  b.dial("a");
  const before = world.time.pending;
  for (let round = 0; round < 100; round++) {
    const [from, to] = round % 2 === 0 ? [a, b] : [b, a];
    from.channel.close(7, `round ${round}`);
    await world.time.until(() => from.established().length === 0);
    await world.time.until(() => oneEach(a, b) && to.channels.length >= round + 2, 40_000);
  }
  await world.time.advance(2_000);
  assert.equal(world.network.streams.size, 2);
  assert.ok(world.time.pending <= before + 2, `${world.time.pending} timers, ${before} before`);
  for (const node of [a, b]) {
    const { sessions, halfOpen } = node.sessions.snapshot();
    assert.equal(halfOpen, 0);
    assert.ok(sessions.length <= 2);
    assert.equal(node.ends.filter(({ established }) => established).length, 100);
  }
});

test("nodes on a link that delays and loses find each other and hand everything over in order", async () => {
  const { world, a, b } = await connected({ seed: 7, latencyMs: 40, jitterMs: 80, loss: 0.2 });
  const sending = Array.from({ length: 500 }, (_, at) => a.channel.send(bytes(String(at))));
  await world.time.advance(300_000);
  await Promise.all(sending);
  assert.deepEqual(
    b.received,
    Array.from({ length: 500 }, (_, at) => String(at)),
  );
});

test("an address where nobody listens, or nobody answers, is dialled again and again, ever more seldom", async () => {
  const world = new VirtualFederation();
  const a = await world.node("a");
  a.dial("nowhere");
  await world.time.advance(600_000);
  assert.ok(a.ends.every(({ code }) => code === "dial_failed"));
  assert.ok(a.ends.length > 20 && a.ends.length < 90, String(a.ends.length));
  await world.network.host("nowhere").listen("nowhere", {
    accept: () => ({
      up: (stream) =>
        stream.use({ onData: () => undefined, onDrain: () => undefined, onEnd: () => undefined }),
      failed: () => undefined,
    }),
  });
  await world.time.until(() => a.ends.at(-1)?.code === "handshake_timeout", 60_000);
});

test("a peer that does not let the node in says why, and is not dialled again soon", async () => {
  const world = new VirtualFederation();
  const a = await world.node("a");
  const b = await world.node("b", {
    admit: () => ({ admitted: false, reason: "a is no peer of this node" }),
  });
  a.dial("b");
  await world.time.advance(10_000);
  assert.deepEqual(
    a.ends.map(({ code, by, text }) => ({ code, by, text })),
    [{ code: "not_admitted", by: "peer", text: "a is no peer of this node" }],
  );
  assert.deepEqual(
    b.ends.map(({ code, by }) => ({ code, by })),
    [{ code: "not_admitted", by: "us" }],
  );
  const [waiting] = a.sessions.snapshot().sessions;
  assert.ok((waiting?.retryInMs ?? 0) > 5_000);
  assert.equal(waiting?.lastEnd?.reason.code, "not_admitted");
});

for (const authenticated of [true, false]) {
  const how = authenticated ? "by its certificate" : "plainly, by its OPEN";
  test(`a node that dials itself, and one that finds another than it dialled, find out ${how}`, async () => {
    const world = new VirtualFederation();
    const [a, b] = [await world.node("a", { authenticated }), await world.node("b", { authenticated })];
    const c = await world.node("c", { authenticated });
    a.sessions.setPeers([{ node: nameOf("b"), address: "a" }]);
    b.sessions.setPeers([{ node: nameOf("a"), address: "c" }]);
    await world.time.advance(1_000);
    const dialled = ({ ends }: VirtualNode) => ends.find(({ peer }) => peer !== null);
    assert.equal(dialled(a)?.code, "self_connection");
    assert.equal(dialled(b)?.code, "identity_mismatch");
    const text = "a.acme.catalyst.internal was dialled, c.acme.catalyst.internal answered";
    assert.equal(dialled(b)?.text, text);
    assert.equal(c.ends[0]?.code, authenticated ? "connection_lost" : "identity_mismatch");
  });
}

test("no protocol in a common version is a refusal that says which there are", async () => {
  const world = new VirtualFederation();
  const a = await world.node("a", { protocols: [{ versions: [2, 3] }] });
  await world.node("b");
  a.dial("b");
  await world.time.advance(1_000);
  assert.deepEqual(
    a.ends.map(({ code, text }) => ({ code, text })),
    [{ code: "protocol_unsupported", text: "of cp, versions 2, 3 are offered, 1 are known here" }],
  );
});

test("each purpose has a session of its own, up to four of a peer", async () => {
  const world = new VirtualFederation();
  const [a, b] = [await world.node("a"), await world.node("b")];
  const purposes = ["control", "bulk", "three", "four", "five"];
  a.sessions.setPeers([{ node: nameOf("b"), address: "b", purposes }]);
  await world.time.advance(2_000);
  assert.equal(b.established().length, 4);
  assert.deepEqual(
    a.ends.map(({ code }) => code),
    ["too_many_sessions"],
  );
  a.sessions.setPeers([{ node: nameOf("b"), address: "b", purposes: purposes.slice(0, 2) }]);
  await world.time.advance(2_000);
  assert.deepEqual(
    b.established().map(({ purpose }) => purpose),
    ["control", "bulk"],
  );
  assert.deepEqual(
    b.ends.filter(({ by }) => by === "peer").map(({ code }) => code),
    ["stopped", "stopped"],
  );
});

test("what one purpose has waiting does not delay another", async () => {
  const world = new VirtualFederation();
  const [a, b] = [await world.node("a"), await world.node("b", { protocols: [{ open: () => undefined }] })];
  a.sessions.setPeers([{ node: nameOf("b"), address: "b", purposes: ["bulk", "control"] }]);
  await world.time.until(() => a.channels.length === 2);
  const [bulk, control] = ["bulk", "control"].map((name) =>
    a.channels.find(({ purpose }) => purpose === name),
  );
  assert.ok(bulk !== undefined && control !== undefined);
  const waiting = Array.from({ length: 200 }, () =>
    bulk.send(new Uint8Array(100_000)).catch(() => undefined),
  );
  await world.time.advance(1_000);
  await control.send(bytes("now"));
  await world.time.advance(10);
  const channel = b.established().find(({ purpose }) => purpose === "control")?.channels[0];
  assert.equal(channel?.toRead, 1);
  await a.sessions.close();
  await Promise.all(waiting);
});

test("a reader that takes nothing stops the sender, and neither end holds more than the window", async () => {
  const world = new VirtualFederation();
  const a = await world.node("a");
  const b = await world.node("b", {
    protocols: [{ open: () => undefined }],
    options: { windowMessages: 50, windowBytes: 2_097_152 },
  });
  a.dial("b");
  await world.time.until(() => oneEach(a, b));
  const results = Promise.allSettled(Array.from({ length: 200 }, (_, at) => a.channel.send(bytes(`m${at}`))));
  await world.time.advance(60_000);
  const [ofA, ofB] = [a, b].map((node) => node.established()[0]?.channels[0]);
  assert.deepEqual([ofA?.sent.messages, ofA?.toSend], [50, 150]);
  assert.deepEqual([ofB?.received.messages, ofB?.toRead], [50, 50]);
  assert.ok(oneEach(a, b));
  await b.sessions.close();
  await world.time.advance(100);
  const settled = await results;
  assert.equal(settled.filter(({ status }) => status === "fulfilled").length, 50);
  for (const result of settled) {
    if (result.status === "rejected") assert.equal((result.reason as SessionError).code, "stopped");
  }
});

test("a protocol that ends the session says so with its own code and text", async () => {
  const { world, a, b } = await connected();
  a.channel.close(42, "these routes make no sense");
  const here = await a.channels[0]?.ended;
  await world.time.advance(10);
  const there = await b.channels[0]?.ended;
  const said = {
    code: "protocol_error",
    text: "these routes make no sense",
    protocol: "cp",
    protocolCode: 42,
  };
  assert.deepEqual(here, { ...said, by: "us" });
  assert.deepEqual(there, { ...said, by: "peer" });
});

test("what came before the end can still be read, and then the channel is over", async () => {
  const { world, a, b } = await connected({}, {}, { protocols: [{ open: () => undefined }] });
  assert.equal(b.channels.length, 0);
  const opened = await connected({}, {}, {});
  opened.b.channels.length = 1;
  await a.channel.send(bytes("last words"));
  await a.sessions.close("restarting", "an upgrade");
  await world.time.advance(10);
  assert.deepEqual(
    b.ends.map(({ code, by, text }) => ({ code, by, text })),
    [{ code: "restarting", by: "peer", text: "an upgrade" }],
  );
  await opened.a.channel.send(bytes("last words"));
  await opened.a.sessions.close();
  await opened.world.time.advance(10);
  assert.deepEqual(opened.b.received, ["last words"]);
});

test("a message that the peer accepts in no frame is refused here, and so is an empty one", async () => {
  const { a } = await connected({}, {}, { options: { maxFrameBytes: 65_536 } });
  await assert.rejects(a.channel.send(new Uint8Array(65_536)), { code: "message_too_large" });
  await assert.rejects(a.channel.send(new Uint8Array(0)), { code: "misused" });
  await a.channel.send(new Uint8Array(a.channel.maxMessageBytes));
});

test("a clock that is off by an hour is told, and refuses nobody", async () => {
  const { a, b } = await connected({ latencyMs: 3 }, { skewMs: 3_600_000 });
  assert.deepEqual(b.skewed, ["a.acme.catalyst.internal 3599997"]);
  assert.deepEqual(a.skewed, ["b.acme.catalyst.internal -3600003"]);
  assert.equal(b.established()[0]?.peer?.clockSkewMs, 3_599_997);
});

test("a session ends with its peer's certificate, and the next one is dialled at once", async () => {
  const { world, a, b } = await connected({}, {}, { validMs: 3_600_000 });
  await world.time.advance(3_599_000);
  assert.equal(a.ends.length, 0);
  await world.time.advance(2_000);
  assert.equal(a.ends[0]?.code, "certificate_expired");
  assert.equal(b.ends[0]?.code, "certificate_expired");
});

test("a peer that is no longer let in is cut when the node is told to look again", async () => {
  let denied = "";
  const admit: NonNullable<Parameters<VirtualFederation["node"]>[1]>["admit"] = ({ node }) =>
    node === denied ? { admitted: false, reason: "revoked" } : { admitted: true };
  const world = new VirtualFederation();
  const b = await world.node("b", { admit });
  const [a, c] = [await world.node("a"), await world.node("c")];
  a.dial("b");
  c.dial("b");
  await world.time.until(() => b.established().length === 2);
  b.sessions.reconsider();
  assert.equal(b.established().length, 2);
  denied = nameOf("a");
  b.sessions.reconsider();
  await world.time.advance(10);
  assert.deepEqual([a.established().length, c.established().length], [0, 1]);
  assert.equal(a.ends[0]?.code, "not_admitted");
  await world.time.advance(120_000);
  assert.deepEqual([a.established().length, c.established().length], [0, 1]);
});

test("who was refused for what it showed dials at once when it is told that this is another one", async () => {
  let isKnown = false;
  const admit = () =>
    isKnown ? ({ admitted: true } as const) : ({ admitted: false, reason: "nobody knows it" } as const);
  const world = new VirtualFederation();
  const [a, b] = [await world.node("a"), await world.node("b", { admit })];
  a.dial("b");
  await world.time.advance(1_000);
  assert.equal(a.ends.length, 1);
  isKnown = true;
  await world.time.advance(1_000);
  assert.equal(a.established().length, 0);
  a.sessions.reconsider();
  await world.time.advance(100);
  assert.ok(oneEach(a, b));
});

test("while a session is established nobody dials, whoever dialled it", async () => {
  const { world, a, b } = await connected();
  b.dial("a");
  await world.time.advance(600_000);
  assert.ok(oneEach(a, b));
  assert.deepEqual([...a.ends, ...b.ends], []);
  assert.equal(world.network.streams.size, 2);
});

test("on a plain network the peer is whoever it says, and is shown as not authenticated", async () => {
  const plain = { authenticated: false } as const;
  const { a, b } = await connected({}, plain, plain);
  assert.equal(a.established()[0]?.peer?.authenticated, false);
  assert.equal(b.sessions.snapshot().authenticated, false);
  assert.equal(b.established()[0]?.certificateNotAfter, null);
});

test("options out of range, and names that no peer would accept, are refused when the sessions are made", async () => {
  const world = new VirtualFederation();
  const faults: readonly (readonly [string, Parameters<VirtualFederation["node"]>[1]])[] = [
    ["a", { options: { holdMs: 10 } }],
    ["a", { options: { windowBytes: 131_072, maxFrameBytes: 1_048_576 } }],
    ["a", { protocols: [{ name: "CP" }] }],
    ["a", { protocols: [{ versions: [] }] }],
    ["a", { protocols: [{}, {}] }],
    ["no.label", {}],
  ];
  for (const [label, from] of faults) await assert.rejects(world.node(label, from), { code: "misused" });
});
