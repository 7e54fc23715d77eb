import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { test } from "node:test";
import { type ConnectionOptions, connect, createServer } from "node:tls";
import { type AdmittedProtocol, admit, authoritiesOf, type PeerTrust } from "@catalyst/identity";
import { admissionContract, createTestOrganisation, type OpenDoor } from "@catalyst/identity/testing";
import {
  type Channel,
  createSessions,
  type EndReason,
  insecurePlainTransports,
  type Sessions,
  type TlsCredentials,
  type TransportProvider,
  tlsTransports,
} from "@catalyst/session";
import { openOf, ScriptedPeer } from "../test/scripted-peer.ts";
import { socketTransport } from "./socket-transport.ts";

const domain = "acme.catalyst.internal";
const acme = await createTestOrganisation(domain);
const trust: PeerTrust = { roots: [acme.root], pinned: [], denied: [] };

async function credentialsOf(node: string): Promise<TlsCredentials> {
  const { cert, key } = await acme.issue(node, "orchestrator");
  return { certificateChain: cert, privateKey: key, trust };
}

type TestNode = {
  readonly sessions: Sessions;
  readonly ends: (EndReason & { readonly peer: string | null })[];
  readonly channels: Channel[];
  /** The next channel. */
  readonly next: () => Promise<Channel>;
} & AsyncDisposable;

function nodeOf(
  label: string,
  transports: TransportProvider,
  {
    trusts = () => trust,
    protocol = "cp",
    node = `${label}.${domain}`,
    nodeDomain = domain,
  }: { trusts?: () => PeerTrust; protocol?: AdmittedProtocol; node?: string; nodeDomain?: string } = {},
): TestNode {
  const ends: TestNode["ends"] = [];
  const channels: Channel[] = [];
  let waiting: ((channel: Channel) => void)[] = [];
  const sessions = createSessions(
    {
      node,
      domain: nodeDomain,
      transports,
      protocols: [
        {
          name: "cp",
          versions: [1],
          open: (channel) => {
            channels.push(channel);
            for (const resolve of waiting) resolve(channel);
            waiting = [];
          },
        },
      ],
      admit: ({ certificate }) => {
        if (!transports.authenticated) return { admitted: true };
        const admission = admit({ certificate, protocol, now: Date.now() }, trusts());
        return admission.kind === "admitted"
          ? { admitted: true }
          : { admitted: false, reason: `${admission.code}: ${admission.text}` };
      },
      events: {
        established: () => undefined,
        ended: ({ peer, reason }) => ends.push({ ...reason, peer }),
        skewed: () => undefined,
        turnedAway: () => undefined,
      },
    },
    { holdMs: 5_000, handshakeMs: 5_000, minBackoffMs: 10, maxBackoffMs: 20, reopenBurst: 200 },
  );
  return {
    sessions,
    ends,
    channels,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    [Symbol.asyncDispose]: () => sessions.close(),
  };
}

const one = await credentialsOf("n1");
const two = await credentialsOf("n2");

async function connected(ofA: TransportProvider, ofB: TransportProvider) {
  const [a, b] = [nodeOf("n1", ofA), nodeOf("n2", ofB)];
  const both = Promise.all([a.next(), b.next()]);
  const address = await b.sessions.listen("127.0.0.1:0");
  a.sessions.setPeers([{ node: `n2.${domain}`, address }]);
  const [here, there] = await both;
  return { a, b, here, there, address };
}

const tls = (credentials: TlsCredentials) =>
  tlsTransports({ credentials: () => credentials, handshakeMs: 5_000 });

for (const [name, ofA, ofB] of [
  ["TLS 1.3", tls(one), tls(two)],
  ["plain TCP", insecurePlainTransports(), insecurePlainTransports()],
] as const) {
  test(`two nodes have a session over ${name}, and messages of any size pass both ways`, async () => {
    const { a, b, here, there } = await connected(ofA, ofB);
    await using _a = a;
    await using _b = b;
    assert.equal(there.peer.node, `n1.${domain}`);
    assert.equal(there.peer.authenticated, ofA.authenticated);
    assert.ok(Math.abs(there.peer.clockSkewMs) < 1_000);
    for (const [from, to] of [
      [here, there],
      [there, here],
    ] as const) {
      const sizes = [1, 100_000, from.maxMessageBytes, ...Array.from({ length: 2_000 }, (_, at) => at + 1)];
      const sending = (async () => {
        for (const size of sizes) await from.send(new Uint8Array(size).fill(size % 251));
      })();
      let received = 0;
      for await (const message of to) {
        assert.equal(message.length, sizes[received]);
        assert.ok(message.every((byte) => byte === message.length % 251));
        received += 1;
        if (received === sizes.length) break;
      }
      await sending;
    }
  });
}

test("a session ends with a NOTIFICATION over TLS too, and is dialled again", async () => {
  const { a, b, there } = await connected(tls(one), tls(two));
  await using _a = a;
  await using _b = b;
  const again = a.next();
  there.close(3, "once more");
  const end = await a.channels[0]?.ended;
  assert.deepEqual(end, {
    code: "protocol_error",
    text: "once more",
    by: "peer",
    protocol: "cp",
    protocolCode: 3,
  });
  await again;
});

test("new credentials are used for the next connection, without a new listener", async () => {
  let credentials = one;
  const { a, b, there } = await connected(tlsTransports({ credentials: () => credentials }), tls(two));
  await using _a = a;
  await using _b = b;
  credentials = await credentialsOf("n1");
  const again = b.next();
  there.close(0, "renewed");
  const { peer } = await again;
  assert.equal(peer.node, there.peer.node);
  assert.notEqual(peer.keyThumbprint, there.peer.keyThumbprint);
});

test("an address is listened on before there are credentials: nobody is let in until there are", async () => {
  let credentials: TlsCredentials | null = null;
  const given = () => credentials ?? assert.fail("there are none yet");
  await using a = nodeOf("n1", tls(one));
  await using b = nodeOf("n2", tlsTransports({ credentials: given }));
  const both = Promise.all([a.next(), b.next()]);
  const address = await b.sessions.listen("127.0.0.1:0");
  a.sessions.setPeers([{ node: `n2.${domain}`, address }]);
  while (a.ends.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(b.channels.length, 0);
  credentials = two;
  const [, there] = await both;
  assert.equal(there.peer.node, `n1.${domain}`);
});

test("100 reconnects over TLS leave no socket and no timer behind", async () => {
  const { a, b } = await connected(tls(one), tls(two));
  await using _a = a;
  await using _b = b;
  for (let round = 0; round < 100; round++) {
    const next = Promise.all([a.next(), b.next()]);
    a.channels.at(-1)?.close(0, `round ${round}`);
    await next;
  }
  await new Promise((resolve) => setTimeout(resolve, 1_300));
  const left = process.getActiveResourcesInfo();
  assert.ok(left.filter((kind) => kind === "TCPSocketWrap").length <= 2, left.join(" "));
  assert.ok(left.filter((kind) => kind === "Timeout").length <= 8, left.join(" "));
  assert.equal(b.sessions.snapshot().halfOpen, 0);
  assert.equal(b.sessions.snapshot().sessions.length, 1);
});

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

test("credentials that cannot be used, and addresses that are none, are attempts that failed, and say why", async () => {
  let credentials = one;
  const { a, b, there } = await connected(tlsTransports({ credentials: () => credentials }), tls(two));
  await using _a = a;
  await using _b = b;
  credentials = { ...one, privateKey: two.privateKey };
  there.close(0, "again");
  while (a.ends.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(a.ends[1]?.code, "dial_failed");
  assert.match(a.ends[1]?.text ?? "", /the node's certificate and key cannot be used/);
  credentials = one;
  await a.next();
  a.sessions.setPeers([{ node: `n3.${domain}`, address: "nowhere" }]);
  assert.match(a.ends.at(-1)?.text ?? "", /nowhere is not HOST:PORT/);
});

/** How a connection with these options ends: what was negotiated, and what the listener wrote before it closed. */
async function attempt(address: string, options: ConnectionOptions): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect({ host, port: Number(port), ...options });
  let read = 0;
  let error = "";
  socket.on("data", (bytes) => {
    read += bytes.length;
  });
  socket.on("error", (cause) => {
    error = (cause as NodeJS.ErrnoException).code ?? cause.message;
  });
  const timer = setTimeout(() => socket.destroy(), 1_500);
  await closed(socket);
  clearTimeout(timer);
  assert.equal(read, 0, "the listener said something");
  return error;
}

test("whoever has no certificate, another ALPN or none, or an older TLS, is not answered by a single byte", async () => {
  await using b = nodeOf("n2", tls(two));
  const address = await b.sessions.listen("127.0.0.1:0");
  const good: ConnectionOptions = {
    cert: one.certificateChain,
    key: one.privateKey,
    ca: [...authoritiesOf(trust)],
    checkServerIdentity: () => undefined,
    ALPNProtocols: ["catalyst-session/1"],
  };
  const { cert: _cert, key: _key, ...anonymous } = good;
  const { ALPNProtocols: _alpn, ...silent } = good;
  await attempt(address, anonymous);
  await attempt(address, silent);
  assert.match(await attempt(address, { ...good, ALPNProtocols: ["h2"] }), /ALERT_NO_APPLICATION_PROTOCOL/i);
  assert.match(await attempt(address, { ...good, maxVersion: "TLSv1.2" }), /PROTOCOL_VERSION/i);
  assert.equal(b.sessions.snapshot().sessions.length, 0);
  assert.equal(b.sessions.snapshot().halfOpen, 0);
});

test("a TCP connection that never begins TLS is closed after the handshake timeout, and its place is free again", async () => {
  await using b = nodeOf("n2", tlsTransports({ credentials: () => two, handshakeMs: 300 }));
  const [host = "", port = ""] = (await b.sessions.listen("127.0.0.1:0")).split(":");
  const socket = connectTcp(Number(port), host);
  socket.on("error", () => undefined).resume();
  await once(socket, "connect");
  while (b.sessions.snapshot().halfOpen === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await closed(socket);
  while (b.sessions.snapshot().halfOpen > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("a session of TLS cannot be resumed", async () => {
  await using b = nodeOf("n2", tls(two));
  const [host = "", port = ""] = (await b.sessions.listen("127.0.0.1:0")).split(":");
  const options: ConnectionOptions = {
    host,
    port: Number(port),
    cert: one.certificateChain,
    key: one.privateKey,
    ca: [...authoritiesOf(trust)],
    checkServerIdentity: () => undefined,
    ALPNProtocols: ["catalyst-session/1"],
  };
  const first = connect(options);
  first.on("error", () => undefined).resume();
  const tickets: Buffer[] = [];
  first.on("session", (ticket) => tickets.push(ticket));
  await once(first, "secureConnect");
  await new Promise((resolve) => setTimeout(resolve, 100));
  first.destroy();
  for (const ticket of tickets) {
    const second = connect({ ...options, session: ticket });
    second.on("error", () => undefined).resume();
    await once(second, "secureConnect");
    assert.equal(second.isSessionReused(), false);
    second.destroy();
  }
});

test("who finds another name in the certificate than it dialled ends the connection, and sends nothing", async () => {
  await using b = nodeOf("n2", tls(two));
  await using a = nodeOf("n1", tls(one));
  const address = await b.sessions.listen("127.0.0.1:0");
  a.sessions.setPeers([{ node: `n3.${domain}`, address }]);
  while (a.ends.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(a.ends[0]?.code, "identity_mismatch");
  while (b.ends.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual([b.ends[0]?.code, b.ends[0]?.peer], ["connection_lost", null]);
  assert.match(b.ends[0]?.text ?? "", /before there was a session: it may not admit this node/);
});

test("a listener with a certificate of nobody's is not spoken to", async () => {
  const globex = await createTestOrganisation("globex.catalyst.internal");
  const stranger = await globex.issue("n2", "orchestrator");
  const server = createServer({
    cert: stranger.cert,
    key: stranger.key,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["catalyst-session/1"],
  });
  let read = 0;
  server.on("secureConnection", (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      read += bytes.length;
    });
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  await using a = nodeOf("n1", tls(one));
  a.sessions.setPeers([{ node: `n2.${domain}`, address: `127.0.0.1:${address.port}` }]);
  while (a.ends.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await a.sessions.close();
  server.close();
  assert.equal(a.ends[0]?.code, "dial_failed");
  assert.equal(read, 0);
});

test("an address that is taken, or is none, cannot be listened on", async () => {
  await using b = nodeOf("n2", tls(two));
  const address = await b.sessions.listen("127.0.0.1:0");
  await assert.rejects(b.sessions.listen(address), { code: "listen_failed" });
  await assert.rejects(b.sessions.listen("nowhere"), { code: "misused" });
});

const own = await credentialsOf("door");

/** A door as the contract of identity knows it: a node that listens, and peers that knock with any certificate. */
const openDoor: OpenDoor = async (first) => {
  let trusted = first;
  let credentials: TlsCredentials = { ...own, trust: first };
  const door = nodeOf("door", tlsTransports({ credentials: () => credentials }), { trusts: () => trusted });
  const address = await door.sessions.listen("127.0.0.1:0");
  return {
    knock: async (peer) => {
      const [host = "", port = ""] = address.split(":");
      const socket = connect({
        host,
        port: Number(port),
        ...(peer === null ? {} : { cert: peer.cert, key: peer.key }),
        rejectUnauthorized: false,
        ALPNProtocols: ["catalyst-session/1"],
      });
      return knockWith(socket, peer?.chain[0] ?? null);
    },
    trust: async (next) => {
      trusted = next;
      credentials = { ...own, trust: next };
      door.sessions.reconsider();
    },
    [Symbol.asyncDispose]: () => door.sessions.close(),
  };
};

async function knockWith(socket: ReturnType<typeof connect>, leaf: Uint8Array | null) {
  const { readPeerCertificate, nodeNameOf } = await import("@catalyst/identity");
  const certificate = leaf === null ? null : readPeerCertificate([leaf], []);
  socket.on("error", () => undefined);
  const secured = new Promise<boolean>((resolve) => socket.once("secureConnect", () => resolve(true)));
  const up = await Promise.race([secured, closed(socket).then(() => false)]);
  if (!up || certificate?.id == null) {
    socket.destroy();
    return { kind: "refused", code: null } as const;
  }
  const peer = new ScriptedPeer(
    socketTransport(socket, { certificate: null, ownKeyThumbprint: new Uint8Array(32) }),
  );
  const thumbprint = new Uint8Array(Buffer.from(certificate.keyThumbprint ?? "", "base64url"));
  peer.say("open", openOf(nodeNameOf(certificate.id), certificate.id.domain, thumbprint));
  while (peer.heard.length === 0 && !peer.ended) await new Promise((resolve) => setTimeout(resolve, 2));
  socket.destroy();
  if (peer.heard[0]?.kind === "open") return { kind: "admitted", spiffeId: null } as const;
  const [, code = null] = /^(\w+):/.exec(peer.notification?.text ?? "") ?? [];
  return { kind: "refused", code: code as null } as const;
}

admissionContract("the session", { name: "cp", process: "orchestrator" }, openDoor);
