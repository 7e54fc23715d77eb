import assert from "node:assert/strict";
import { test } from "node:test";
import { toPem } from "@catalyst/identity";
import { createTestOrganisation, type TestIdentity } from "@catalyst/identity/testing";
import { domain } from "../root/test-auth.ts";
import { openTestAuthority } from "../root/test-authority.ts";
import { newMachine, openImpostor } from "./test-machine.ts";

const stranger = await createTestOrganisation(domain);
const tls = ({ cert, key }: TestIdentity) => ({ cert, key });
const none = new Uint8Array();

test("with an expired token a joiner connects to nobody", async () => {
  await using root = await openTestAuthority();
  await using impostor = await openImpostor(tls(await stranger.issue("n1", "authority")), () => ({
    body: none,
  }));
  const token = { ...(await root.newToken("n2")), addresses: [impostor.address] };
  const later = () => token.expires * 1_000;
  await assert.rejects(newMachine().join(token, later), { code: "join_token_expired" });
  assert.equal(impostor.connections(), 0);
});

test("where another root answers a joiner stops before it sends anything of its token", async () => {
  await using root = await openTestAuthority();
  const body = stranger.root.certificate;
  await using impostor = await openImpostor(tls(await stranger.issue("n1", "authority")), () => ({ body }));
  const token = { ...(await root.newToken("n2")), addresses: [impostor.address] };
  await assert.rejects(newMachine().join(token), { code: "root_mismatch" });
  assert.deepEqual(impostor.asked, ["GET /root"]);
});

test("whoever shows the right root without its authority's key is sent nothing of the token", async () => {
  await using root = await openTestAuthority();
  const [body = none] = root.certificateAuthority.roots();
  await using impostor = await openImpostor(tls(await stranger.issue("n1", "authority")), () => ({ body }));
  const token = { ...(await root.newToken("n2")), addresses: [impostor.address] };
  await assert.rejects(newMachine().join(token), { code: "authority_unreachable" });
  assert.deepEqual(impostor.asked, ["GET /root"]);
});

test("a node of the same organisation is not taken for its root authority", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n3"));
  const { certificateChain: cert = "", privateKey: key = "" } = machine.folder.process("auth") ?? {};
  const [body = none] = root.certificateAuthority.roots();
  await using impostor = await openImpostor({ cert, key }, () => ({ body }));
  const token = { ...(await root.newToken("n2")), addresses: [impostor.address] };
  await assert.rejects(newMachine().join(token), {
    code: "root_mismatch",
    message: /does not speak authority/,
  });
  assert.deepEqual(impostor.asked, ["GET /root"]);
});

test("an answer that is huge, or leads elsewhere, is not followed", async () => {
  await using root = await openTestAuthority();
  const own = tls(await stranger.issue("n1", "authority"));
  await using huge = await openImpostor(own, () => ({ body: new Uint8Array(10_000_000) }));
  const token = await root.newToken("n2");
  await assert.rejects(newMachine().join({ ...token, addresses: [huge.address] }), {
    code: "message_malformed",
  });
  const location = `https://${root.server.address}/root`;
  await using elsewhere = await openImpostor(own, () => ({ status: 302, headers: { location }, body: none }));
  const redirected = newMachine().join({ ...token, addresses: [elsewhere.address] });
  await assert.rejects(redirected, { name: /RpcError|IdentityError/ });
  assert.deepEqual(elsewhere.asked, ["GET /root"]);
});

test("of several addresses one that does not answer is passed over", async () => {
  await using root = await openTestAuthority();
  const token = await root.newToken("n2");
  const machine = newMachine();
  await machine.join({ ...token, addresses: ["127.0.0.1:1", root.server.address] });
  assert.equal(machine.folder.membership()?.node, "n2");
  const nobody = newMachine().join({ ...token, addresses: ["127.0.0.1:1"] });
  await assert.rejects(nobody, { code: "authority_unreachable", message: /127\.0\.0\.1:1: ECONNREFUSED/ });
});

test("the root authority speaks TLS 1.3 alone, and its chain leads to the root of its tokens", async () => {
  await using root = await openTestAuthority();
  const { connect } = await import("node:tls");
  const [host = "", port = ""] = root.server.address.split(":");
  const ca = root.certificateAuthority.roots().map((der) => toPem("CERTIFICATE", der));
  const outcome = (maxVersion: "TLSv1.2" | "TLSv1.3") =>
    new Promise((resolve) => {
      const options = { host, port: Number(port), ca, maxVersion, checkServerIdentity: () => undefined };
      const socket = connect(options, () => resolve(socket.destroy() && socket.authorized));
      socket.once("error", () => resolve("refused"));
    });
  assert.equal(await outcome("TLSv1.2"), "refused");
  assert.equal(await outcome("TLSv1.3"), true);
});
