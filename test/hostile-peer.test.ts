import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts, NodeUnderTest } from "@catalyst/harness";
import { encodeAttributes, encodeEndOfRib, encodeRefresh, encodeUpdate } from "@catalyst/peering";
import { authContract, type PeerStatus } from "@catalyst/rpc";
import { encodeFrame, encodeFrameHead } from "@catalyst/wire";
import { encodeMessage } from "../packages/session/src/message/message.ts";
import { dialScripted, type ScriptedConnection } from "../packages/session/test/scripted-dialler.ts";
import { type Enrolled, enrol, HonestPeer } from "./enrolled-peer.ts";

// Peers that do what they like, with a certificate of the organisation and without one, against a whole node that two
// honest peers have sessions with.

const domain = "test.catalyst.internal";
const fullName = (label: string) => `${label}.${domain}`;
const service = (name: string) => ({ name, protocol: "http" as const, url: "http://127.0.0.1:9" });
const bytesOf = (length: number, value = 0x58) => new Uint8Array(length).fill(value);

/** What the witness tells: some 300 KB, as often as somebody asks for it. */
const told = Array.from({ length: 4_000 }, (_, at) => fullName(`${"w".repeat(50)}${at}`));

/** What comes from elsewhere than the honest peers. */
const elsewhere = { localAddress: "127.0.0.2" };

const limits = [
  ...["--mesh-peering-max-routes", "5000"],
  ...["--mesh-peering-session-handshake-ms", "1000"],
  ...["--mesh-peering-session-reopen-burst", "60"],
];

let address = "";
let hub: NodeUnderTest;
let origin: NodeUnderTest;
let witness: HonestPeer;
let evil: Enrolled;

before(async () => {
  const [port = 0, authority = 0] = await freePorts(2);
  address = `127.0.0.1:${port}`;
  hub = await NodeUnderTest.start({
    flags: ["--listen-peers", address, "--auth-authority-listen", `127.0.0.1:${authority}`, ...limits],
  });
  const peer = JSON.stringify({ name: "n1", address });
  using auth = await hub.connect("auth", authContract);
  const { token } = await auth.call.createJoinToken({ node: "n2" });
  origin = await NodeUnderTest.start({ name: "n2", flags: ["--peer", peer, "--join", token] });
  witness = new HonestPeer(await enrol(hub, "n3"), { node: fullName("n1"), address });
  evil = await enrol(hub, "evil");
  witness.originate(told);
  await origin.until("the routes of the witness", 20_000, async () => {
    const [peer] = await origin.peers();
    return (peer?.received ?? 0) >= told.length;
  });
});

after(async () => {
  await witness?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
  await hub?.[Symbol.asyncDispose]();
});

/** Memory of the hub's orchestrator, in MB, and how many files it has open. */
async function usage(): Promise<{ rss: number; fds: number }> {
  const pid = await hub.pidOf("orchestrator");
  const [, kib = "0"] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return { rss: Number(kib) / 1_024, fds: readdirSync(`/proc/${pid}/fd`).length };
}

/** How `peer list` shows somebody. */
async function shown(node: string): Promise<PeerStatus | undefined> {
  return (await hub.peers()).find((each) => each.node === node);
}

let samples = 0;

/** How long services of one honest peer take until the other one has seen them, each in ms. */
async function convergence(count: number): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at++) {
    const name = `c${samples++}`;
    const seen = witness.sees(fullName(name));
    const begun = performance.now();
    const [when] = await Promise.all([seen, origin.addService(service(name))]);
    times.push(when - begun);
  }
  return times;
}

const quantile = (times: readonly number[], share: number) =>
  times.toSorted((a, b) => a - b)[Math.ceil(share * times.length) - 1] ?? Number.NaN;

/** What a peer with a certificate does on a connection, and then, when it got so far, in a session. */
type Script = (connection: ScriptedConnection) => unknown;

/** A session with the hub, as evil as it comes after. */
async function session(changed: Parameters<ScriptedConnection["own"]>[0] = {}): Promise<ScriptedConnection> {
  const connection = await dialScripted(address, evil, elsewhere);
  await connection.establish(changed);
  await hub.until("the session", 5_000, async () => (await shown(evil.node))?.state === "established");
  return connection;
}

/** The hub has ended it for this reason, has told it, and shows it in its list of peers. */
async function assertEnded({ peer, socket }: ScriptedConnection, code: string, text: RegExp): Promise<void> {
  await peer.until(() => peer.notification !== null);
  assert.equal(peer.notification?.code, code);
  await hub.until(`${code} in the list of peers`, 5_000, async () => {
    const { state, lastEnd } = (await shown(evil.node)) ?? {};
    return state === "idle" && lastEnd?.code === code && lastEnd.by === "us" && text.test(lastEnd.text);
  });
  socket.destroy();
}

const say = (message: Uint8Array) =>
  encodeFrame(encodeMessage("message", { protocol: "cp", payload: message }));
const cp = ({ peer }: ScriptedConnection, message: Uint8Array) => peer.bytes(say(message));

/** An announcement as somebody tells it: of whom, by which way. */
function announcement(origin: string, nodePath: readonly string[], services: readonly string[]): Uint8Array {
  const [label] = origin.split(".");
  const nextHop = {
    host: "192.0.2.66",
    port: 10_443,
    sni: origin,
    spiffeId: `spiffe://${domain}/node/${label}/envoy`,
  };
  const attributes = encodeAttributes({
    organisation: domain,
    protocol: "http",
    nextHop,
    nodePath,
    orgPath: [],
    localPref: 100,
    metric: 0,
    noExport: false,
    expiry: null,
    labels: new Map(),
    schemaDigest: null,
    originFact: null,
  });
  return encodeUpdate({ withdrawn: [], announced: { origin, attributes, services, healthy: true } });
}

const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, at) => fullName(`${prefix}${at}`));

describe("a peer with a certificate of the organisation, before it has a session, that", () => {
  const scripts: Readonly<Record<string, readonly [code: string, text: RegExp, script: Script]>> = {
    "sends garbage": ["frame_invalid", /frame/, ({ peer }) => peer.bytes(bytesOf(4_096, 0xfe))],
    "announces a frame of 2 GiB": ["frame_invalid", /frame/, ({ peer }) => peer.bytes(bytesOf(4, 0x7f))],
    "sends half of an OPEN and waits": [
      "handshake_timeout",
      /within 1000 ms/,
      ({ peer, own }) => peer.bytes(encodeFrame(encodeMessage("open", own())).subarray(0, 100)),
    ],
    "begins with a MESSAGE": [
      "message_unexpected",
      /MESSAGE in the state connect/,
      (connection) => cp(connection, encodeEndOfRib({ refresh: 0 })),
    ],
    "says to be another node": [
      "identity_mismatch",
      /the certificate is of evil.*the OPEN of n2/,
      ({ peer, own }) => peer.say("open", own({ node: fullName("n2") })),
    ],
    "says to be the node itself": [
      "self_connection",
      /both ends are n1/,
      ({ peer, own }) => peer.say("open", own({ node: fullName("n1") })),
    ],
    "says to be of another organisation": [
      "identity_mismatch",
      /the OPEN of evil.umbrella/,
      ({ peer, own }) => peer.say("open", own({ node: "evil.umbrella.example", domain: "umbrella.example" })),
    ],
    "says to have another key": [
      "identity_mismatch",
      /another key/,
      ({ peer, own }) => peer.say("open", own({ keyThumbprint: bytesOf(32) })),
    ],
  };
  for (const [name, [code, text, script]] of Object.entries(scripts)) {
    test(`${name} is told ${code}, and so is whoever looks at the hub's peers`, async () => {
      const connection = await dialScripted(address, evil, elsewhere);
      script(connection);
      await assertEnded(connection, code, text);
    });
  }
});

describe("a peer with a certificate of the organisation, in a session, that", () => {
  const scripts: Readonly<Record<string, readonly [code: string, text: RegExp, script: Script]>> = {
    "sends garbage": ["frame_invalid", /frame/, ({ peer }) => peer.bytes(bytesOf(4_096, 0xfe))],
    "sends a frame beyond the limit": [
      "frame_invalid",
      /frame/,
      ({ peer }) => peer.bytes(encodeFrameHead(1_048_577, 2_000_000)),
    ],
    "begins a frame and says no more": [
      "hold_expired",
      /nothing came for 1000 ms/,
      ({ peer }) => peer.bytes(encodeFrameHead(1_000)),
    ],
    "says OPEN again": ["message_unexpected", /OPEN/, ({ peer, own }) => peer.say("open", own())],
    "floods with KEEPALIVE": [
      "rate_exceeded",
      /16 KEEPALIVEs/,
      ({ peer }) => {
        for (let at = 0; at < 10_000; at++) peer.say("keepalive", {});
      },
    ],
    "floods with CREDIT": [
      "credit_exceeded",
      /CREDIT|taken/,
      ({ peer }) => {
        for (let at = 0; at < 10_000; at++) peer.say("credit", { protocol: "cp", messages: 0, bytes: 0 });
      },
    ],
    "sends garbage as routes": ["protocol_error", /./, (connection) => cp(connection, bytesOf(1_000, 0xfe))],
    "sends a message of routes that is too long": [
      "protocol_error",
      /65025 bytes/,
      (connection) => cp(connection, bytesOf(65_025)),
    ],
    "announces more routes than it may": [
      "protocol_error",
      /more than 5000 routes/,
      (connection) => {
        for (let at = 0; at < 6; at++) {
          cp(connection, announcement(evil.node, [evil.node], names(`r${at}-`, 1_000)));
        }
      },
    ],
    "changes routes faster than it may": [
      "protocol_error",
      /more than 20000 changes a second/,
      async (connection) => {
        // A bucket of 4,000,000 names, emptied by withdrawals of what was never told.
        const services = Array.from({ length: 4_096 }, () => "a");
        const withdrawn = [{ origin: "b", services }];
        const message = say(encodeUpdate({ withdrawn, announced: null }));
        for (let at = 0; connection.peer.notification === null && !connection.peer.ended; at++) {
          connection.peer.bytes(message);
          // Slower than credit comes, or that is what ends the session.
          if (at % 10 === 0) await sleep(25);
        }
      },
    ],
  };
  for (const [name, [code, text, script]] of Object.entries(scripts)) {
    test(`${name} is told ${code}, and leaves no route`, async () => {
      const connection = await session({ holdMs: 1_000 });
      await script(connection);
      await assertEnded(connection, code, text);
      const received = await hub.routes("received");
      assert.equal(received.filter(({ peer }) => peer === evil.node).length, 0);
    });
  }

  test("never reads, and asks for everything again and again, is put out as not_reading", async () => {
    const connection = await session({ holdMs: 1_000 });
    const { peer, socket } = connection;
    socket.pause();
    const before = await usage();
    let asked = 0;
    await hub.until("the end of who does not read", 20_000, async () => {
      // No more at a time than the hub gives credit for, or that is what ends the session.
      for (let at = 0; at < 4; at++) cp(connection, encodeRefresh({ number: ++asked }));
      if (asked % 200 === 0) peer.say("keepalive", {});
      const { lastEnd, state } = (await shown(evil.node)) ?? {};
      return state === "idle" && lastEnd?.code === "not_reading";
    });
    const { rss } = await usage();
    assert.ok(rss - before.rss < 64, `${before.rss} MB, then ${rss} MB`);
    socket.destroy();
  });

  test("tells routes in the names of others has them kept out, and withdraws nothing but its own", async () => {
    const [n2, n3] = [fullName("n2"), fullName("n3")];
    await origin.addService(service("genuine"));
    const connection = await session();
    const tell = (message: Uint8Array) => cp(connection, message);
    tell(announcement(n2, [n2], [fullName("forged1")]));
    tell(announcement(evil.node, [n2, evil.node], [fullName("forged2")]));
    tell(announcement(evil.node, [evil.node, n2], [fullName("forged3")]));
    tell(announcement(fullName("n1"), [evil.node, fullName("n1")], [fullName("looped")]));
    tell(announcement(evil.node, [evil.node], ["mail.umbrella.example"]));
    tell(announcement(n2, [evil.node, n2], [fullName("genuine")]));
    const withdrawn = [n2, n3].map((node) => ({
      origin: node,
      services: [fullName("genuine"), told[0] ?? ""],
    }));
    tell(encodeUpdate({ withdrawn, announced: null }));
    tell(announcement(evil.node, [evil.node], [fullName("last")]));
    tell(encodeEndOfRib({ refresh: 0 }));
    await hub.until("the last route", 5_000, async () => {
      return (await hub.routes()).some(({ service: name }) => name === fullName("last"));
    });
    const rejected = (await hub.routes("rejected")).filter(({ peer }) => peer === evil.node);
    assert.deepEqual(
      rejected.map(({ service: name, rule }) => `${name.split(".")[0]}: ${rule}`),
      [
        "forged1: path_forged",
        "forged2: path_forged",
        "forged3: path_forged",
        "looped: node_loop",
        "mail: foreign_name",
      ],
    );
    const best = new Map(
      (await hub.routes()).map((route) => [`${route.service} of ${route.origin}`, route.peer]),
    );
    assert.equal(best.get(`${fullName("genuine")} of ${n2}`), n2);
    assert.equal(best.get(`${told[0]} of ${n3}`), n3);
    connection.socket.destroy();
    await hub.until("the end of the session", 5_000, async () => (await shown(evil.node))?.state === "idle");
  });

  test("has a clock that is an hour off is let in, and shown with it", async () => {
    for (const hours of [-1, 1]) {
      const { socket } = await session({ timeMs: Date.now() + hours * 3_600_000 });
      const { clockSkewMs } = (await shown(evil.node)) ?? {};
      assert.ok(Math.abs((clockSkewMs ?? 0) - hours * 3_600_000) < 5_000, `${clockSkewMs} ms`);
      socket.destroy();
      await hub.until(
        "the end of the session",
        5_000,
        async () => (await shown(evil.node))?.state === "idle",
      );
    }
  });
});

/** Somebody who attacks, and how often he did something: began a connection, or sent a message. */
type Attacker = { readonly self: Enrolled; readonly stopped: AbortSignal; done: number };

/** Goes on until it is stopped; what goes wrong on the way is what the hub does about it. */
function attacking(self: Enrolled, attack: (attacker: Attacker) => Promise<void>) {
  const stopping = new AbortController();
  const attacker: Attacker = { self, stopped: stopping.signal, done: 0 };
  const running = (async () => {
    while (!stopping.signal.aborted) await attack(attacker).catch(() => sleep(1));
  })();
  return {
    attacker,
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}

/** Message after message in one session, as fast as the hub takes them. */
async function flood(attacker: Attacker, message: (at: number) => Uint8Array): Promise<void> {
  const { peer, socket, establish } = await dialScripted(address, attacker.self, elsewhere);
  await establish();
  while (!attacker.stopped.aborted && !peer.ended) {
    if (socket.writableLength < 65_536) peer.bytes(say(message(attacker.done++)));
    await sleep(1);
  }
  socket.destroy();
}

const attacks: Readonly<Record<string, (attacker: Attacker) => Promise<void>>> = {
  "strangers that say nothing, and speak no TLS": async (attacker) => {
    const sockets: Socket[] = [];
    for (let at = 0; at < 50; at++) {
      const [host = "", port = ""] = address.split(":");
      const socket = connect({ host, port: Number(port), ...elsewhere }).on("error", () => undefined);
      if (at % 2 === 0) socket.write(bytesOf(1_000));
      sockets.push(socket);
      attacker.done += 1;
    }
    await sleep(100);
    for (const socket of sockets) socket.destroy();
  },
  "sessions that begin and end": async (attacker) => {
    const { socket, establish } = await dialScripted(address, attacker.self, elsewhere);
    attacker.done += 1;
    await establish().finally(() => socket.destroy());
  },
  "routes that come and go": (attacker) => {
    const [origin, services] = [attacker.self.node, names("flap", 500)];
    const [comes, goes] = [
      announcement(origin, [origin], services),
      encodeUpdate({ withdrawn: [{ origin, services }], announced: null }),
    ];
    return flood(attacker, (at) => (at % 2 === 0 ? comes : goes));
  },
  "everything asked for again and again": (attacker) =>
    flood(attacker, (at) => encodeRefresh({ number: at + 1 })),
};

test("two honest peers converge through the hub under attack too, their sessions stay, and its memory is bounded", async (t) => {
  const begun = performance.now();
  const before = await usage();
  const report = async (name: string, times: readonly number[], done = 0) => {
    const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
    const { rss, fds } = await usage();
    t.diagnostic(
      `${name}${done > 0 ? ` (${done} times)` : ""}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; ${rss.toFixed(0)} MB, ${fds} files`,
    );
    assert.ok(p50 < 250 && p99 < 2_000, name);
    assert.ok(rss < before.rss + 64, `${name}: ${before.rss} MB before`);
    assert.ok(fds < before.fds + 64, `${name}: ${before.fds} files before`);
  };
  await report("quiet", await convergence(50));
  for (const [at, [name, attack]] of Object.entries(attacks).entries()) {
    await using attacked = attacking(await enrol(hub, `evil${at}`), attack);
    await sleep(200);
    const times = await convergence(50);
    // A slow machine's attackers are slow too.
    for (let more = 0; attacked.attacker.done <= 50 && more < 10; more++)
      times.push(...(await convergence(50)));
    await report(name, times, attacked.attacker.done);
    assert.ok(attacked.attacker.done > 50, `${name}: only ${attacked.attacker.done} times`);
  }
  await report("afterwards", await convergence(50));
  const tookMs = performance.now() - begun;
  for (const label of ["n2", "n3"]) {
    const { establishedMs } = (await shown(fullName(label))) ?? {};
    assert.ok((establishedMs ?? 0) > tookMs, `${label}: ${establishedMs} of ${tookMs} ms`);
  }
});

test("a peer that comes back again and again is told when it may, and others have theirs meanwhile", async () => {
  const often = await enrol(hub, "often");
  let refused: ScriptedConnection["peer"]["notification"] = null;
  for (let at = 0; at < 100 && refused === null; at++) {
    const { peer, socket, own } = await dialScripted(address, often, elsewhere);
    peer.say("open", own());
    await peer.until(() => peer.heard.length > 0);
    refused = peer.notification;
    socket.destroy();
  }
  assert.equal(refused?.code, "too_soon");
  assert.ok((refused.retryAfterMs ?? 0) > 0 && (refused.retryAfterMs ?? 0) <= 5_000);
  const { lastEnd } = (await shown(often.node)) ?? {};
  assert.equal(lastEnd?.code, "too_soon");
  assert.match(lastEnd.text, /often.* opens sessions too often; the next one in [1-5] s/);
  assert.equal((await shown(fullName("n3")))?.state, "established");
});
