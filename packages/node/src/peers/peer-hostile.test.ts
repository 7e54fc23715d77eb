import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { type ConnectionOptions, connect, createServer, type TLSSocket } from "node:tls";
import { parseHostAddress } from "@catalyst/config";
import { verifyAudit } from "@catalyst/evidence";
import {
  decodeMessage,
  encodeInvitationMessage,
  exporterOf,
  type Invitation,
  type InvitationMessage,
  invitationId,
  invitationProof,
  invitationProtocol,
  type PeerTrust,
  parseInvitation,
} from "@catalyst/identity";
import { createTestOrganisation, selfSigned, type TestIdentity } from "@catalyst/identity/testing";
import { createFrameDecoder, encodeFrame } from "@catalyst/wire";
import { paths } from "../paths.ts";
import { useInvitation } from "./peer-joiner.ts";
import { TestOrchestrator } from "./test-orchestrator.ts";

const acme = await createTestOrganisation("acme.catalyst.internal");
const globex = await createTestOrganisation("globex.catalyst.internal");
const m1 = await globex.issue("m1", "orchestrator");
const node = await TestOrchestrator.of("n1", acme.domain, { organisation: acme });
before(() => node.start());
after(() => node.stop());

async function invite(asked: { peer?: string } = {}): Promise<Invitation> {
  using rpc = await node.connect();
  return parseInvitation((await rpc.call.invitePeer(asked)).token);
}

async function stateOf(id: string): Promise<string | undefined> {
  using rpc = await node.connect();
  return (await rpc.call.listInvitations(undefined)).find((each) => each.id === id)?.state;
}

/** What came before the other end closed: messages of the protocol, read whatever they say. */
type Heard = Record<string, unknown>[];

/** Connects as a stranger, does something when the hello came, and listens until the connection ends. */
async function stranger(
  invitation: Pick<Invitation, "addresses">,
  identity: TestIdentity | null,
  act: (socket: TLSSocket) => void,
  options: ConnectionOptions = {},
): Promise<Heard> {
  const socket = connect({
    ...parseHostAddress(invitation.addresses[0] ?? ""),
    ...(identity === null ? {} : { cert: identity.cert, key: identity.key }),
    rejectUnauthorized: false,
    ALPNProtocols: [invitationProtocol],
    ...options,
  });
  const heard: Heard = [];
  const decoder = createFrameDecoder({
    onFrame: (payload) => {
      heard.push(decodeMessage(payload, "message_malformed") as Record<string, unknown>);
      if (heard.length === 1) act(socket);
    },
  });
  socket.on("error", () => undefined).on("data", (bytes: Buffer) => decoder.push(bytes));
  await new Promise((resolve) => socket.once("close", resolve));
  return heard;
}

function joinOf(socket: TLSSocket, { secret }: Invitation, identity: TestIdentity, anchor: Uint8Array) {
  const certificate = identity.chain[0] ?? new Uint8Array();
  const proof = invitationProof(secret, { binding: exporterOf(socket), certificate, anchor });
  return { kind: "join", invitation: invitationId(secret), anchor, proof } as const;
}

const say = (socket: TLSSocket, message: InvitationMessage) =>
  socket.write(encodeFrame(encodeInvitationMessage(message)));

const root = globex.root.certificate;
const codes = (heard: Heard) => heard.map(({ kind, code = "" }) => [kind, code].join(" ").trim());

test("whoever says what is no message, too much, or more than is due, is told so once and gains nothing", async () => {
  const invitation = await invite();
  const cases: Record<string, (socket: TLSSocket) => void> = {
    garbage: (socket) => socket.write(Buffer.alloc(64, 0xff)),
    "no CBOR": (socket) => socket.write(encodeFrame(new Uint8Array([0xff]))),
    "a message of the inviter": (socket) => say(socket, { kind: "accepted", peer: "a.b" }),
    "a frame that is too long": (socket) => socket.write(encodeFrame(new Uint8Array(12_289))),
    "a frame behind the last one": (socket) => {
      socket.cork();
      socket.write(encodeFrame(new Uint8Array([0xa0])));
      say(socket, joinOf(socket, invitation, m1, root));
      socket.uncork();
    },
  };
  for (const [name, act] of Object.entries(cases)) {
    assert.deepEqual(
      codes(await stranger(invitation, m1, act)),
      ["hello", "refused message_malformed"],
      name,
    );
  }
  assert.equal(await stateOf(invitationId(invitation.secret)), "open");
});

test("a proof is good for the connection and the certificate that it was made for, and no number of wrong ones ends the invitation", async () => {
  const invitation = await invite();
  const other = await globex.issue("m2", "orchestrator");
  let stolen: InvitationMessage | null = null;
  await stranger(invitation, m1, (socket) => {
    stolen = joinOf(socket, invitation, m1, root);
    socket.destroy();
  });
  assert.ok(stolen !== null);
  const replay = stolen as InvitationMessage;
  const tries: ((socket: TLSSocket) => void)[] = [
    (socket) => say(socket, replay),
    (socket) => say(socket, { ...joinOf(socket, invitation, m1, root), anchor: acme.root.certificate }),
    (socket) => say(socket, joinOf(socket, invitation, other, root)),
    (socket) => say(socket, { ...joinOf(socket, invitation, m1, root), proof: new Uint8Array(32) }),
    (socket) => say(socket, replay),
    (socket) => say(socket, replay),
  ];
  for (const act of tries) {
    assert.deepEqual(codes(await stranger(invitation, m1, act)), ["hello", "refused proof_wrong"]);
  }
  const unknown = { ...invitation, secret: new Uint8Array(16) };
  const lost = (socket: TLSSocket) => say(socket, joinOf(socket, unknown, m1, root));
  assert.deepEqual(codes(await stranger(invitation, m1, lost)), ["hello", "refused invitation_unknown"]);
  assert.equal(await stateOf(invitationId(invitation.secret)), "open");
});

test("without a certificate, with one of another process, or with a root of our own domain that is not ours, nobody is let in", async () => {
  const invitation = await invite();
  const by = async (identity: TestIdentity | null, shown: TestIdentity, anchor: Uint8Array) => {
    const act = (socket: TLSSocket) => say(socket, joinOf(socket, invitation, shown, anchor));
    return codes(await stranger(invitation, identity, act)).at(-1);
  };
  const foreign = await createTestOrganisation(acme.domain);
  const forged = await foreign.issue("n2", "orchestrator");
  const gateway = await globex.issue("m1", "gateway");
  const insider = await selfSigned({ domain: acme.domain, node: "n2", process: "orchestrator" });
  assert.equal(await by(null, m1, root), "refused peer_refused");
  assert.equal(await by(gateway, gateway, root), "refused peer_refused");
  assert.equal(await by(forged, forged, foreign.root.certificate), "refused anchor_conflict");
  assert.equal(await by(insider, insider, insider.chain[0] ?? root), "refused anchor_conflict");
  assert.equal(await by(m1, m1, acme.root.certificate), "refused peer_refused");
  assert.equal(await stateOf(invitationId(invitation.secret)), "open");
});

test("a stranger opens no session, and many of them are bounded, each for ten seconds", async () => {
  const invitation = await invite();
  const session = await stranger(invitation, m1, () => undefined, { ALPNProtocols: ["catalyst-session/1"] });
  assert.deepEqual(session, []);
  const begun = performance.now();
  const idle = await Promise.all(Array.from({ length: 40 }, () => stranger(invitation, m1, () => undefined)));
  const tookMs = performance.now() - begun;
  const served = idle.filter((heard) => heard.length > 0);
  assert.ok(served.length <= 16, `${served.length} were served at once`);
  assert.ok(served.length > 0 && tookMs > 9_000 && tookMs < 20_000, `${tookMs} ms`);
  const act = (socket: TLSSocket) => say(socket, joinOf(socket, invitation, m1, root));
  assert.deepEqual(codes(await stranger(invitation, m1, act)), ["hello", "accepted"]);
});

/** A listener that says of itself what it likes, and counts what it is told. */
async function impostor(identity: TestIdentity, anchor: Uint8Array) {
  const told: Buffer[] = [];
  const server = createServer({
    cert: identity.cert,
    key: identity.key,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
    ALPNProtocols: [invitationProtocol],
  });
  server.on("secureConnection", (socket) => {
    socket.on("error", () => undefined).on("data", (bytes: Buffer) => told.push(bytes));
    say(socket, { kind: "hello", anchor });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { address, told, [Symbol.asyncDispose]: async () => void server.close() };
}

test("a joiner tells nothing to who shows another anchor, has no path to it, or is another node of it", async () => {
  const pin = Uint8Array.from(hash("sha256", acme.root.certificate, "buffer"));
  const secret = new Uint8Array(16).fill(5);
  const trust: PeerTrust = { roots: [globex.root], pinned: [], denied: [] };
  const credentials = { certificateChain: m1.cert, privateKey: m1.key, trust };
  const shown = { credentials, chain: m1.chain, anchor: root };
  const own = { domain: globex.domain, node: "m1" };
  const use = (address: string, change: Partial<Invitation> = {}) => {
    const given = { addresses: [address], domain: acme.domain, node: "n1", peer: null, anchor: pin, secret };
    const expires = Math.floor(Date.now() / 1_000) + 600;
    const parts = { own, shown, believed: trust, isNamed: false, now: Date.now() };
    return useInvitation({ ...given, expires, ...change }, parts);
  };
  const foreign = await createTestOrganisation(acme.domain);
  const [false1, n3] = [await foreign.issue("n1", "orchestrator"), await acme.issue("n3", "orchestrator")];
  const expired = await acme.issue("n1", "orchestrator", { now: Date.now() - 7_200_000 });
  for (const [identity, anchor, code] of [
    [false1, foreign.root.certificate, "anchor_mismatch"],
    [false1, acme.root.certificate, "anchor_mismatch"],
    [expired, acme.root.certificate, "anchor_mismatch"],
    [n3, acme.root.certificate, "invitation_other_node"],
  ] as const) {
    await using listener = await impostor(identity, anchor);
    const message = new RegExp(`\\(${code}\\)$`);
    await assert.rejects(use(listener.address), { code: "invitation_refused", message });
    assert.deepEqual(listener.told, [], code);
  }
  await using listener = await impostor(await acme.issue("n1", "orchestrator"), acme.root.certificate);
  await assert.rejects(use(listener.address, { expires: 1 }), /invitation_expired/);
  await assert.rejects(
    use(listener.address, { peer: "m2.globex.catalyst.internal" }),
    /invitation_other_node/,
  );
  assert.deepEqual(listener.told, []);
});

test("who was refused, and why, stands in the audit log, a few times a minute", async () => {
  await node.stop();
  const reasons: string[] = [];
  await verifyAudit(paths.audit(node.dataDir, "orchestrator"), {
    onEntry: ({ event }) => {
      if (!("action" in event) || event.action.action !== "peer.accept") return;
      reasons.push(`${event.action.outcome} ${event.action.reason?.split(" ")[0]}`);
    },
  });
  const denied = reasons.filter((reason) => reason.startsWith("denied"));
  assert.ok(
    denied.includes("denied proof_wrong") && denied.includes("denied invitation_unknown"),
    denied.join(),
  );
  assert.ok(denied.length <= 22, `${denied.length} entries`);
  assert.equal(reasons.length - denied.length, 1);
});
