import assert from "node:assert/strict";
import { after, test } from "node:test";
import { parseInvitation } from "@catalyst/identity";
import { freeAddress, TestOrchestrator } from "./test-orchestrator.ts";

const domain = "acme.catalyst.internal";
const started: TestOrchestrator[] = [];
after(() => Promise.all(started.map((node) => node.stop())));

async function start(name: string, mesh: object = {}) {
  const node = await (await TestOrchestrator.of(name, domain, { mesh })).start();
  started.push(node);
  return node.connect();
}

test("an invitation says where this node is reached, and is not made where that is nowhere", async () => {
  const free = (await freeAddress()).replace("127.0.0.1", "0.0.0.0");
  using everywhere = await start("n1", { listen: { peers: free } });
  const { invitePeer } = everywhere.call;
  await assert.rejects(invitePeer({}), { code: "peers_not_served", message: /--address/ });
  await assert.rejects(invitePeer({ addresses: ["nowhere"] }), { code: "invalid_request" });
  await assert.rejects(invitePeer({ addresses: ["N1.example:1"] }), { code: "invalid_request" });
  const { token } = await invitePeer({ addresses: ["n1.example:7400", "[2001:db8::1]:7400"] });
  assert.deepEqual(parseInvitation(token).addresses, ["n1.example:7400", "[2001:db8::1]:7400"]);
  using nowhere = await start("n2", { listen: {} });
  await assert.rejects(nowhere.call.invitePeer({}), {
    code: "peers_not_served",
    message: /mesh.listen.peers/,
  });
});

test("without proof there are no invitations, and nobody is asked for one", async () => {
  using plain = await start("n1", { listen: {}, peering: { insecurePlain: true } });
  await assert.rejects(plain.call.invitePeer({}), { code: "peers_not_served", message: /plain/ });
  await assert.rejects(plain.call.joinPeer({ token: "peer1.x" }), {
    code: "peers_not_served",
    message: /plain/,
  });
});

test("invitations are good for a day at most and a hundred at once, and are listed and taken back by their ids", async () => {
  using node = await start("n1");
  const { invitePeer, listInvitations, revokeInvitation } = node.call;
  await assert.rejects(invitePeer({ ttlMs: 86_400_001 }), { code: "ttl_too_long" });
  const ids: string[] = [];
  for (let made = 0; made < 100; made++) ids.push((await invitePeer({ ttlMs: 86_400_000 })).id);
  await assert.rejects(invitePeer({}), { code: "busy" });
  const listed = await listInvitations(undefined);
  assert.deepEqual(listed.map(({ id }) => id).sort(), ids.sort());
  assert.ok(listed.every(({ state, peer, usedBy }) => state === "open" && peer === null && usedBy === null));
  await revokeInvitation({ id: ids[0] ?? "" });
  await assert.rejects(revokeInvitation({ id: ids[0] ?? "" }), { code: "invitation_unknown" });
  await invitePeer({});
});

test("what is no invitation is refused without repeating it, and a peer of the configuration is left to the configuration", async () => {
  using inviter = await start("n1");
  const { token } = await inviter.call.invitePeer({});
  const [address = ""] = parseInvitation(token).addresses;
  using node = await start("n2", { listen: {}, peers: [{ name: "n1", address }] });
  const broken = token.slice(0, -1);
  await assert.rejects(node.call.joinPeer({ token: broken }), (error: Error & { code?: string }) => {
    return error.code === "invalid_request" && !error.message.includes(broken.slice(10, 60));
  });
  await assert.rejects(node.call.joinPeer({ token }), { code: "peer_configured", message: /mesh.peers/ });
  await assert.rejects(node.call.removePeer({ peer: "n1" }), {
    code: "peer_configured",
    message: /mesh.peers/,
  });
  await assert.rejects(node.call.removePeer({ peer: "n9" }), { code: "peer_unknown" });
  const [peer] = await node.call.listPeers(undefined);
  assert.deepEqual([peer?.node, peer?.origin, peer?.fingerprint], [`n1.${domain}`, "configuration", null]);
  using other = await start("n3", { listen: {} });
  const unserved = other.call.joinPeer({ token, peer: "n2.acme.catalyst.internal" });
  await assert.rejects(unserved, { code: "invitation_refused", message: /\(invitation_other_node\)$/ });
});

test("an inviter that does not answer is not reached, at whichever of its addresses", async () => {
  using inviter = await start("n1");
  const { token } = await inviter.call.invitePeer({ addresses: ["127.0.0.1:1", "[::1]:1"] });
  using node = await start("n2", { listen: {} });
  await assert.rejects(node.call.joinPeer({ token }), {
    code: "peer_unreachable",
    message: /127\.0\.0\.1:1: .*; \[::1\]:1: /,
  });
});
