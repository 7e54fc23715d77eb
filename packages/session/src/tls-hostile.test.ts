import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { authoritiesOf, type PeerTrust } from "@catalyst/identity";
import { createTestOrganisation } from "@catalyst/identity/testing";
import { type Channel, createSessions, type EndReason, tlsTransports } from "@catalyst/session";
import { dialScripted, type ScriptedConnection } from "../test/scripted-dialler.ts";

// What virtual time cannot show: real sockets, real buffers and real memory.

const domain = "acme.catalyst.internal";
const acme = await createTestOrganisation(domain);
const trust: PeerTrust = { roots: [acme.root], pinned: [], denied: [] };

async function nodeOf(label: string) {
  const { cert, key } = await acme.issue(label, "orchestrator");
  const credentials = { certificateChain: cert, privateKey: key, trust };
  const channels: Channel[] = [];
  const ends: (EndReason & { peer: string | null })[] = [];
  const sessions = createSessions(
    {
      node: `${label}.${domain}`,
      domain,
      transports: tlsTransports({ credentials: () => credentials }),
      protocols: [{ name: "cp", versions: [1], open: (channel) => void channels.push(channel) }],
      admit: () => ({ admitted: true }),
      events: {
        established: () => undefined,
        ended: ({ reason, peer }) => void ends.push({ ...reason, peer }),
        skewed: () => undefined,
        turnedAway: () => undefined,
      },
    },
    { holdMs: 1_500, windowMessages: 64 },
  );
  return { sessions, channels, ends };
}

/** A session with a node over real TLS, as the test wants to keep it. */
async function evil(address: string): Promise<ScriptedConnection> {
  const proof = { ...(await acme.issue("evil", "orchestrator")), roots: authoritiesOf(trust) };
  const connection = await dialScripted(address, { node: `evil.${domain}`, domain, proof });
  await connection.establish();
  return connection;
}

async function besieged() {
  const [n, good] = [await nodeOf("n"), await nodeOf("good")];
  const address = await n.sessions.listen("127.0.0.1:0");
  good.sessions.setPeers([{ node: `n.${domain}`, address }]);
  const enemy = await evil(address);
  while (n.channels.length < 2) await sleep(2);
  const channelOf = (label: string) => {
    const channel = n.channels.find(({ peer }) => peer.node === `${label}.${domain}`);
    assert.ok(channel !== undefined);
    return channel;
  };
  return { n, good, ...enemy, channelOf };
}

/** How long a message from the good peer takes, in ms. */
async function served({ good, channelOf }: Awaited<ReturnType<typeof besieged>>): Promise<number> {
  const begun = performance.now();
  await good.channels[0]?.send(Uint8Array.of(1));
  for await (const _message of channelOf("good")) break;
  return performance.now() - begun;
}

test("a peer that never reads makes the node keep no more than the system's buffers do, and is told not_reading", async () => {
  const siege = await besieged();
  const { n, good, peer, socket, channelOf } = siege;
  socket.pause();
  const before = process.memoryUsage().arrayBuffers;
  let handedOver = 0;
  const message = new Uint8Array(60_000);
  const sending = (async () => {
    for (;;) {
      await channelOf("evil").send(message);
      handedOver += message.length;
    }
  })().catch(() => undefined);
  const alive = setInterval(() => peer.say("keepalive", {}), 500);
  while (n.ends.length === 0) {
    await sleep(20);
    assert.ok((await served(siege)) < 500);
  }
  clearInterval(alive);
  await sending;
  assert.equal(n.ends[0]?.code, "not_reading");
  assert.ok(handedOver < 30e6, `${handedOver} bytes were handed over`);
  assert.ok(process.memoryUsage().arrayBuffers - before < 30e6);
  socket.destroy();
  await Promise.all([n.sessions.close(), good.sessions.close()]);
});

test("a peer that floods makes the node keep no more than its window, and others are served meanwhile", async () => {
  const siege = await besieged();
  const { n, good, peer, socket } = siege;
  const before = process.memoryUsage().arrayBuffers;
  for (let round = 0; round < 200 && !peer.ended; round++) {
    for (let at = 0; at < 50; at++) peer.say("message", { protocol: "cp", payload: new Uint8Array(1_000) });
    await sleep(1);
  }
  while (n.ends.length === 0) await sleep(5);
  assert.equal(n.ends[0]?.code, "credit_exceeded");
  assert.ok((await served(siege)) < 500);
  assert.ok(process.memoryUsage().arrayBuffers - before < 30e6);
  socket.destroy();
  await Promise.all([n.sessions.close(), good.sessions.close()]);
});
