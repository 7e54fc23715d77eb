import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeFrame, encodeFrameHead } from "@catalyst/wire";
import fc from "fast-check";
import { fromHex } from "../../wire/test/hex.ts";
import { hostileBytes } from "../../wire/test/mutation.ts";
import { readCases } from "../../wire/test/vectors.ts";
import { openOf, ScriptedPeer } from "../test/scripted-peer.ts";
import { domain, nameOf, proofOf, VirtualFederation, type VirtualNode } from "../test/virtual-node.ts";
import { encodeMessage } from "./message/message.ts";
import type { Open } from "./message/open.ts";
import type { Transport } from "./transport.ts";

/** A node, `n`, with a good peer, `good`, and a hostile one, `evil`, whose certificate is as good as anybody's. */
async function besieged(options: Parameters<VirtualFederation["node"]>[1] = {}) {
  const world = new VirtualFederation({ latencyMs: 1 });
  const [n, good] = [await world.node("n", options), await world.node("good")];
  good.dial("n");
  await world.time.until(() => n.established("good").length === 1);
  const proof = proofOf(world, "evil");
  const host = world.network.host("evil", proof);
  const own = (changed: Partial<Open> = {}) => openOf(nameOf("evil"), domain, proof.keyThumbprint, changed);
  return { world, n, good, own, connect: () => connectTo(world, host) };
}

type Siege = Awaited<ReturnType<typeof besieged>>;

async function connectTo(world: VirtualFederation, host: ReturnType<VirtualFederation["network"]["host"]>) {
  const found = Promise.withResolvers<Transport>();
  host.dial("n", { up: found.resolve, failed: found.reject });
  await world.time.advance(10);
  return new ScriptedPeer(await found.promise);
}

/** A session with the hostile peer, which answered as it should so far. */
async function established(siege: Siege, changed: Partial<Open> = {}): Promise<ScriptedPeer> {
  const peer = await siege.connect();
  const own = siege.own(changed);
  peer.say("open", own);
  await siege.world.time.advance(10);
  peer.accept(own);
  await siege.world.time.advance(10);
  assert.equal(siege.n.established("evil").length, 1);
  return peer;
}

/** The node has ended it for this reason, the other peer has not noticed, and nothing is left behind. */
async function assertEnded({ world, n, good }: Siege, peer: ScriptedPeer, code: string): Promise<void> {
  await world.time.advance(5_000);
  assert.equal(peer.notification?.code, code);
  assert.ok(peer.notification.text.length > 5);
  assert.ok(peer.ended);
  assert.equal(n.established("evil").length, 0);
  assert.equal(n.sessions.snapshot().halfOpen, 0);
  await assertServed(good, n);
}

async function assertServed(good: VirtualNode, n: VirtualNode): Promise<void> {
  const before = n.received.length;
  await good.channel.send(Uint8Array.of(1));
  await good.federation.time.advance(5);
  assert.equal(n.received.length, before + 1);
  assert.ok(good.ends.every(({ established: was }) => !was));
}

const bytesOf = (length: number, value = 0x58) => new Uint8Array(length).fill(value);

type Script = (peer: ScriptedPeer, siege: Siege) => unknown;

describe("before it has said who it is, a peer that", () => {
  const scripts: Readonly<Record<string, readonly [code: string, script: Script]>> = {
    "speaks HTTP": [
      "frame_invalid",
      (peer) => peer.bytes(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")),
    ],
    "sends zeros": ["frame_invalid", (peer) => peer.bytes(bytesOf(64, 0))],
    "announces a long frame": ["frame_invalid", (peer) => peer.bytes(encodeFrameHead(16_385))],
    "announces 4 GiB": ["frame_invalid", (peer) => peer.bytes(bytesOf(4, 0xff))],
    "sends garbage in a frame": ["message_malformed", (peer) => peer.frame(bytesOf(100))],
    "begins a frame and waits": ["handshake_timeout", (peer) => peer.bytes(encodeFrameHead(100))],
    "sends byte by byte, slowly": [
      "handshake_timeout",
      async (peer, { world, own }) => {
        for (const byte of encodeFrame(encodeMessage("open", own()))) {
          peer.bytes(Uint8Array.of(byte));
          await world.time.advance(300);
        }
      },
    ],
    "says nothing": ["handshake_timeout", () => undefined],
    "begins with ACCEPT": ["message_unexpected", (peer) => peer.say("accept", { transcript: bytesOf(32) })],
    "begins with KEEPALIVE": ["message_unexpected", (peer) => peer.say("keepalive", {})],
    "begins with MESSAGE": [
      "message_unexpected",
      (peer) => peer.say("message", { protocol: "cp", payload: bytesOf(1) }),
    ],
    "begins with CREDIT": [
      "message_unexpected",
      (peer) => peer.say("credit", { protocol: "cp", messages: 0, bytes: 0 }),
    ],
    "has the name of another node": [
      "identity_mismatch",
      (peer, { own }) => peer.say("open", own({ node: nameOf("good") })),
    ],
    "has the name of the node itself": [
      "self_connection",
      (peer, { own }) => peer.say("open", own({ node: nameOf("n") })),
    ],
    "says to be of another domain": [
      "identity_mismatch",
      (peer, { own }) => peer.say("open", own({ node: "evil.umbrella.example", domain: "umbrella.example" })),
    ],
    "names the key of another node": [
      "identity_mismatch",
      (peer, { own, world }) =>
        peer.say("open", own({ keyThumbprint: proofOf(world, "good").keyThumbprint })),
    ],
    "says OPEN twice": ["message_unexpected", (peer, { own }) => peer.say("open", own()).say("open", own())],
    "answers another OPEN": [
      "open_mismatch",
      (peer, { own }) => peer.say("open", own()).say("accept", { transcript: bytesOf(32) }),
    ],
    "says MESSAGE before ACCEPT": [
      "message_unexpected",
      (peer, { own }) => peer.say("open", own()).say("message", { protocol: "cp", payload: bytesOf(1) }),
    ],
    "says OPEN and waits": ["handshake_timeout", (peer, { own }) => peer.say("open", own())],
  };
  for (const [name, [code, script]] of Object.entries(scripts)) {
    test(`${name} is told ${code}`, async () => {
      const siege = await besieged();
      const peer = await siege.connect();
      await script(peer, siege);
      await siege.world.time.advance(10_000);
      await assertEnded(siege, peer, code);
    });
  }
});

describe("a peer with a session that", () => {
  const message = { protocol: "cp", payload: bytesOf(10) };
  const scripts: Readonly<Record<string, readonly [code: string, script: Script]>> = {
    "sends garbage": ["frame_invalid", (peer) => peer.bytes(bytesOf(1_000, 0xfe))],
    "sends a frame beyond the limit": [
      "frame_invalid",
      (peer) => peer.bytes(encodeFrameHead(1_048_577, 2_000_000)),
    ],
    "sends an empty frame": ["frame_invalid", (peer) => peer.bytes(bytesOf(4, 0))],
    "sends a message of no known kind": ["message_malformed", (peer) => peer.members([[0, 9]])],
    "says OPEN again": ["message_unexpected", (peer, { own }) => peer.say("open", own())],
    "says ACCEPT again": ["message_unexpected", (peer, { own }) => peer.accept(own())],
    "speaks a protocol that was not agreed": [
      "message_unexpected",
      (peer) => peer.say("message", { ...message, protocol: "tp" }),
    ],
    "gives credit for a protocol that was not agreed": [
      "message_unexpected",
      (peer) => peer.say("credit", { protocol: "tp", messages: 1, bytes: 1 }),
    ],
    "gives credit for what was never sent": [
      "credit_exceeded",
      (peer) => peer.say("credit", { protocol: "cp", messages: 4, bytes: 4 }),
    ],
    "floods with CREDIT": [
      "credit_exceeded",
      (peer) => {
        for (let at = 0; at < 1_000; at++) peer.say("credit", { protocol: "cp", messages: 0, bytes: 0 });
      },
    ],
    "floods with KEEPALIVE": [
      "rate_exceeded",
      (peer) => {
        for (let at = 0; at < 1_000; at++) peer.say("keepalive", {});
      },
    ],
    "says nothing any more": ["hold_expired", (_peer, { world }) => world.time.advance(15_000)],
  };
  for (const [name, [code, script]] of Object.entries(scripts)) {
    test(`${name} is told ${code}`, async () => {
      const siege = await besieged();
      const peer = await established(siege);
      await script(peer, siege);
      await assertEnded(siege, peer, code);
    });
  }

  test("floods with messages that nobody takes is told credit_exceeded, and no more is kept than its window", async () => {
    const siege = await besieged({
      protocols: [{ open: () => undefined, windowMessages: 20, windowBytes: 2_097_152 }],
    });
    const peer = await established({ ...siege });
    for (let at = 0; at < 20; at++) peer.say("message", message);
    await siege.world.time.advance(10);
    const [channel] = siege.n.established("evil")[0]?.channels ?? [];
    assert.equal(channel?.toRead, 20);
    for (let at = 0; at < 10_000; at++) peer.say("message", message);
    await siege.world.time.advance(5_000);
    assert.equal(peer.notification?.code, "credit_exceeded");
    assert.equal(siege.n.established("evil").length, 0);
    assert.equal(siege.n.established("good").length, 1);
  });

  test("never reads is told not_reading after the hold time, and no more waits for it than the transport holds", async () => {
    const siege = await besieged();
    const wide = { name: "cp", versions: [1], windowMessages: 1_048_576, windowBytes: 268_435_456 };
    const peer = await established(siege, { protocols: [wide] });
    peer.transport.pause?.();
    const channel = siege.n.channels.find((each) => each.peer.node === nameOf("evil"));
    assert.ok(channel !== undefined);
    let handedOver = 0;
    const sending = Array.from({ length: 2_000 }, () =>
      channel.send(bytesOf(10_000)).then(
        () => {
          handedOver += 1;
        },
        () => undefined,
      ),
    );
    for (let at = 0; at < 8; at++) {
      await siege.world.time.advance(4_000);
      peer.say("keepalive", {});
    }
    assert.ok(handedOver > 0 && handedOver < 20, `${handedOver} messages were handed over`);
    await Promise.all(sending);
    const end = siege.n.ends.find((each) => each.peer === nameOf("evil"));
    assert.equal(end?.code, "not_reading");
    await assertServed(siege.good, siege.n);
  });

  test("takes a part of what waits, and then nothing for the hold time, is told not_reading; one that takes all is not", async () => {
    for (const [takes, code] of [
      [false, "not_reading"],
      [true, undefined],
    ] as const) {
      const siege = await besieged();
      const peer = await established(siege);
      peer.transport.pause?.();
      const channel = siege.n.channels.find((each) => each.peer.node === nameOf("evil"));
      assert.ok(channel !== undefined);
      const sending = Array.from({ length: 8 }, () => channel.send(bytesOf(16_000)).catch(() => undefined));
      for (let at = 0; at < 7; at++) {
        await siege.world.time.advance(3_000);
        peer.readUntil = takes ? Number.POSITIVE_INFINITY : peer.heard.length + 1;
        if (at === 3) peer.transport.resume?.();
        peer.say("keepalive", {});
      }
      const end = siege.n.ends.find((each) => each.peer === nameOf("evil"));
      assert.equal(end?.code, code);
      peer.transport.destroy();
      await siege.world.time.advance(10);
      await Promise.all(sending);
    }
  });

  test("makes sessions for ever more purposes has four of them", async () => {
    const siege = await besieged();
    for (const purpose of ["one", "two", "three", "four"])
      await established(siege, { purpose }).catch(() => undefined);
    assert.equal(siege.n.established("evil").length, 4);
    const fifth = await siege.connect();
    fifth.say("open", siege.own({ purpose: "five" }));
    await siege.world.time.advance(100);
    assert.equal(fifth.notification?.code, "too_many_sessions");
    await assertServed(siege.good, siege.n);
  });
});

describe("a peer that opens sessions and ends them again", () => {
  /** How the node answered each of so many. */
  const knock = async (siege: Siege, times: number): Promise<ScriptedPeer[]> => {
    const peers: ScriptedPeer[] = [];
    for (let at = 0; at < times; at++) {
      const peer = await siege.connect();
      const own = siege.own();
      peer.say("open", own);
      await siege.world.time.advance(10);
      if (peer.notification === null) peer.accept(own);
      await siege.world.time.advance(10);
      peer.transport.destroy();
      await siege.world.time.advance(10);
      peers.push(peer);
    }
    return peers;
  };
  const options = { reopenBurst: 5, reopenIntervalMs: 2_000 };

  test("is refused as too_soon after its bucket is empty, is told when again, and is let in then", async () => {
    const siege = await besieged({ options });
    const refusals = (await knock(siege, 20)).map(({ notification }) => notification);
    assert.deepEqual(refusals.slice(0, 5), [null, null, null, null, null]);
    for (const each of refusals.slice(5)) assert.equal(each?.code, "too_soon");
    const [waitMs = 0] = refusals.slice(-1).map((each) => each?.retryAfterMs);
    assert.ok(waitMs > 0 && waitMs <= 2_000, `${waitMs} ms`);
    assert.match(
      refusals.at(-1)?.text ?? "",
      /^evil\.acme\.catalyst\.internal opens sessions too often; .* in [12] s$/,
    );
    await siege.world.time.advance(waitMs);
    const [next, after] = await knock(siege, 2);
    assert.deepEqual([next?.notification, after?.notification?.code], [null, "too_soon"]);
    await assertServed(siege.good, siege.n);
  });

  test("in a loop for an hour gets no more sessions than its bucket holds and fills", async () => {
    const siege = await besieged({ options: { reopenBurst: 5, reopenIntervalMs: 60_000 } });
    let sessions = 0;
    for (let minute = 0; minute < 60; minute++) {
      const answers = await knock(siege, 10);
      sessions += answers.filter(({ notification }) => notification === null).length;
      await siege.world.time.advance(60_000 - 10 * 40);
    }
    assert.equal(sessions, 5 + 59);
    await assertServed(siege.good, siege.n);
  });

  test("is remembered with the reason of its last end, and so is one that never got so far as a session", async () => {
    const siege = await besieged();
    const lastEnd = () => {
      const found = siege.n.sessions.snapshot().sessions.filter(({ node }) => node === nameOf("evil"));
      return found.map(({ state, lastEnd: end }) => [state, end?.reason.code]);
    };
    const peer = await siege.connect();
    peer.bytes(bytesOf(64, 0));
    await siege.world.time.advance(5_000);
    assert.deepEqual(lastEnd(), [["idle", "frame_invalid"]]);
    const session = await established(siege);
    assert.deepEqual(lastEnd(), [["established", "frame_invalid"]]);
    session.frame(bytesOf(10));
    await siege.world.time.advance(5_000);
    assert.deepEqual(lastEnd(), [["idle", "message_malformed"]]);
  });
});

test("a node that is refused as too_soon dials again when it was told to, and not before", async () => {
  const world = new VirtualFederation({ latencyMs: 1 });
  const b = await world.node("b", { options: { reopenBurst: 1, reopenIntervalMs: 20_000 } });
  const a = await world.node("a", { options: { minBackoffMs: 10, maxBackoffMs: 30_000 } });
  a.dial("b");
  await world.time.until(() => b.established("a").length === 1);
  b.channel.close(1, "for the test");
  await world.time.advance(500);
  const refused = a.ends.find(({ code }) => code === "too_soon");
  assert.ok(refused?.retryAfterMs !== undefined && refused.retryAfterMs > 19_000);
  const attempts = a.ends.length;
  await world.time.advance(19_000);
  assert.equal(a.ends.length, attempts);
  await world.time.until(() => b.established("a").length === 1, 1_000);
});

test("whatever bytes come, before and in a session, it ends with a reason or waits, and others are served", async () => {
  const frames = [
    ...readCases<{ hex: string }>("session/message/good.json"),
    ...readCases<{ hex: string }>("session/message/bad.json"),
  ]
    .map(({ hex }) => encodeFrame(fromHex(hex)))
    .filter(({ length }) => length < 600);
  const stream = fc.array(hostileBytes(frames), { minLength: 1, maxLength: 8 });
  const siege = await besieged({ options: { reopenBurst: 2_000, connectBurst: 2_000 } });
  let rounds = 0;
  await fc.assert(
    fc.asyncProperty(stream, fc.boolean(), async (pieces, inSession) => {
      rounds += 1;
      const purpose = `p${rounds}`;
      const peer = inSession ? await established(siege, { purpose }) : await siege.connect();
      for (const piece of pieces) peer.bytes(piece);
      await siege.world.time.advance(20);
      peer.transport.destroy();
      await siege.world.time.advance(20);
      assert.equal(siege.n.established("evil").length, 0);
      await assertServed(siege.good, siege.n);
    }),
    { numRuns: 1_000 },
  );
});

test("a stranger that opens connections and says nothing takes 16 places, and others still get in", async () => {
  const siege = await besieged();
  const { world, n } = siege;
  const host = world.network.host("crowd");
  let refused = 0;
  for (let at = 0; at < 100; at++) {
    host.dial("n", {
      up: (transport) =>
        transport.use({ onData: () => undefined, onDrain: () => undefined, onEnd: () => undefined }),
      failed: () => {
        refused += 1;
      },
    });
  }
  await world.time.advance(100);
  assert.equal(n.sessions.snapshot().halfOpen, 16);
  assert.equal(refused, 84);
  assert.equal(n.turnedAway, 84);
  const late = await world.node("late");
  late.dial("n");
  await world.time.until(() => n.established("late").length === 1, 1_000);
  await world.time.advance(11_000);
  assert.equal(n.sessions.snapshot().halfOpen, 0);
});

test("the convergence of others is the same with a flood as without one", async () => {
  const measure = async (flood: boolean): Promise<number> => {
    const siege = await besieged();
    const { world, n, good } = siege;
    if (flood) {
      for (let at = 0; at < 50; at++) {
        const peer = await siege.connect();
        for (let round = 0; round < 100; round++) peer.frame(bytesOf(1_000));
      }
    }
    const begun = world.time.now();
    const sending = Array.from({ length: 2_000 }, () => good.channel.send(bytesOf(100)));
    await world.time.until(() => n.received.length === 2_000);
    await Promise.all(sending);
    return world.time.now() - begun;
  };
  const [quiet, flooded] = [await measure(false), await measure(true)];
  assert.ok(Math.abs(flooded - quiet) < 2, `${quiet} ms without, ${flooded} ms with`);
});
