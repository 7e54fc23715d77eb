import assert from "node:assert/strict";
import { generateKeyPairSync, webcrypto } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { armFailpoints } from "@catalyst/durable";
import {
  certifiedProcesses,
  createSigningRequest,
  type EnrolmentRequest,
  enrolmentProof,
  joinTokenId,
  peerTrustOf,
  readTrustBundle,
} from "@catalyst/identity";
import { newRequests } from "../certificates/identity-keeper.ts";
import { enrol, renew, signRemotely, watchTrust } from "../member/authority-client.ts";
import { auditOf, namesIn, newMachine } from "../member/test-machine.ts";
import { EnrolmentRefusal } from "./enrolment-refusal.ts";
import { domain, verifiedBy } from "./test-auth.ts";
import { openTestAuthority } from "./test-authority.ts";

const subject = { node: "n2", domain };
const refusedFor = (code: string) => (error: Error) =>
  error.name === "RpcError" &&
  (error as { code?: string }).code === "enrolment_refused" &&
  error.message.includes(code);

test("a joiner gets a certificate for each process under the token's names, and all that its organisation believes", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  const joined = await machine.join(await root.newToken("n2"));
  assert.deepEqual([joined.domain, joined.node], [domain, "n2"]);
  for (const process of certifiedProcesses) {
    const identity = machine.folder.process(process);
    assert.equal(
      namesIn(identity?.certificateChain ?? ""),
      `URI:spiffe://${domain}/node/n2/${process}, DNS:n2.${domain}`,
    );
  }
  const trust = machine.folder.trust();
  assert.ok(trust !== null);
  assert.deepEqual(trust.authority, [root.server.address]);
  assert.deepEqual(
    readTrustBundle(trust.bundle).roots.map((der) => Buffer.from(der)),
    root.certificateAuthority.roots().map((der) => Buffer.from(der)),
  );
  assert.deepEqual(trust.issuers, root.credentialsPublisher.current().issuers);
});

test("what a node keeps of its identity is open to its owner alone", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n2"));
  assert.equal(statSync(machine.path).mode & 0o777, 0o700);
  for (const file of readdirSync(machine.path)) {
    assert.equal(statSync(join(machine.path, file)).mode & 0o777, 0o600, file);
  }
});

test("a token is good once: whoever comes second with it is refused, and the audit log says so", async () => {
  await using root = await openTestAuthority();
  const token = await root.newToken("n2");
  await newMachine().join(token);
  await assert.rejects(newMachine().join(token), refusedFor("token_used"));
  const actions = (await auditOf(root.dataDir)).map(({ action, target, outcome, reason }) => [
    action,
    target,
    outcome,
    reason,
  ]);
  const id = joinTokenId(token.secret);
  assert.deepEqual(actions.slice(1), [
    ["node.enrol", "n2", "done", id],
    ["node.enrol", "n2", "denied", "token_used"],
  ]);
});

test("of joiners that race with one token exactly one wins", async () => {
  await using root = await openTestAuthority();
  const token = await root.newToken("n2");
  const machines = Array.from({ length: 8 }, newMachine);
  const outcomes = await Promise.allSettled(machines.map((machine) => machine.join(token)));
  assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected")
      assert.ok(refusedFor("token_used")(outcome.reason), String(outcome.reason));
  }
  assert.equal(root.certificates.ofNode("n2", root.clock.now).length, certifiedProcesses.length);
  const done = (await auditOf(root.dataDir)).filter(
    ({ action, outcome }) => action === "node.enrol" && outcome === "done",
  );
  assert.equal(done.length, 1);
});

test("a request that asks for other names and for an authority gets the token's names and no authority", async () => {
  await using root = await openTestAuthority();
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const greedy = await x509.Pkcs10CertificateRequestGenerator.create({
    name: "CN=root",
    signingAlgorithm: algorithm,
    keys: keys as never,
    extensions: [
      new x509.BasicConstraintsExtension(true, 5, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      new x509.SubjectAlternativeNameExtension([
        { type: "url", value: `spiffe://${domain}/node/n1/authority` },
        { type: "dns", value: `n1.${domain}` },
      ]),
    ],
  });
  const { chains } = await enrol(await root.newToken("n2"), { auth: new Uint8Array(greedy.rawData) });
  const { X509Certificate } = await import("node:crypto");
  const leaf = new X509Certificate(chains.auth?.[0] ?? new Uint8Array());
  assert.equal(leaf.subjectAltName, `URI:spiffe://${domain}/node/n2/auth, DNS:n2.${domain}`);
  assert.equal(leaf.ca, false);
});

test("a proof is refused on another connection, for other requests, and without the secret", async () => {
  await using root = await openTestAuthority();
  const { secret } = await root.newToken("n2");
  const token = joinTokenId(secret);
  const [binding, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const [{ requests }, { requests: swapped }] = [await newRequests(subject), await newRequests(subject)];
  const proof = enrolmentProof(secret, binding, requests);
  const refused = (request: EnrolmentRequest, on: Uint8Array) =>
    assert.rejects(root.registrar.enrol(request, on), { name: "EnrolmentRefusal", code: "proof_wrong" });
  await refused({ token, requests, proof }, other);
  await refused({ token, requests: swapped, proof }, binding);
  await refused({ token, requests, proof: enrolmentProof(new Uint8Array(16), binding, requests) }, binding);
  const answer = await root.registrar.enrol({ token, requests, proof }, binding);
  assert.equal(answer.node, "n2");
});

test("two processes of one key, and requests that are none, consume no token", async () => {
  await using root = await openTestAuthority();
  const token = await root.newToken("n2");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const request = await createSigningRequest(privateKey, subject);
  await assert.rejects(enrol(token, { auth: request, envoy: request }), refusedFor("request_malformed"));
  await assert.rejects(enrol(token, { auth: Uint8Array.of(1, 2, 3) }), refusedFor("request_malformed"));
  assert.equal((await enrol(token, { auth: request })).node, "n2");
});

test("a token that the root does not know, or that has expired there, is refused and says so", async () => {
  await using root = await openTestAuthority();
  const token = await root.newToken("n2");
  const unknown = { ...token, secret: new Uint8Array(16) };
  await assert.rejects(newMachine().join(unknown), refusedFor("token_unknown"));
  root.clock.now += 600_000;
  await assert.rejects(newMachine().join(token), refusedFor("token_expired"));
  assert.deepEqual(
    (await auditOf(root.dataDir))
      .filter(({ outcome }) => outcome === "denied")
      .map(({ target, reason }) => [target, reason]),
    [
      ["unknown", "token_unknown"],
      ["n2", "token_expired"],
    ],
  );
});

test("strangers do not fill the audit log", async () => {
  await using root = await openTestAuthority();
  const { requests } = await newRequests(subject);
  const request = { token: "00".repeat(8), requests, proof: new Uint8Array(32) };
  for (let left = 50; left > 0; left--) {
    await assert.rejects(root.registrar.enrol(request, new Uint8Array(32)), EnrolmentRefusal);
  }
  assert.equal((await auditOf(root.dataDir)).length, 10);
});

test("a joiner whose answer was lost is answered once more, and nobody else is", async () => {
  await using root = await openTestAuthority();
  const token = await root.newToken("n2");
  const machine = newMachine();
  {
    using _ = armFailpoints("auth.enrol.consumed=error");
    await assert.rejects(machine.join(token), { code: "authority_unreachable" });
  }
  await assert.rejects(newMachine().join(token), refusedFor("token_used"));
  await machine.join(token);
  assert.equal(root.certificates.ofNode("n2", root.clock.now).length, certifiedProcesses.length);
  const done = (await auditOf(root.dataDir))
    .filter(({ outcome }) => outcome === "done")
    .map(({ action }) => action);
  assert.deepEqual(done, ["jointoken.create", "node.enrol"]);
});

for (const step of [
  "auth.enrol.signed",
  "auth.enrol.consumed",
  "database.commit.before",
  "database.commit.after",
  "identity.pending",
  "identity.keep",
  "identity.keep=error@3",
  "identity.join",
  "replace.before_rename",
]) {
  test(`a join that failed at ${step} is ended by the next one with the same token`, async () => {
    await using root = await openTestAuthority();
    const token = await root.newToken("n2");
    const machine = newMachine();
    {
      using _ = armFailpoints(step.includes("=") ? step : `${step}=error`);
      await assert.rejects(machine.join(token));
    }
    assert.equal(machine.folder.membership(), null);
    await machine.join(token);
    assert.equal(machine.folder.membership()?.node, "n2");
    for (const process of certifiedProcesses) assert.ok(machine.folder.process(process) !== null);
  });
}

test("a machine that has joined stays the node that it is", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  const token = await root.newToken("n2");
  const joined = await machine.join(token);
  assert.deepEqual(await machine.join(token), joined);
  await assert.rejects(machine.join(await root.newToken("n3")), { code: "identity_taken" });
});

test("a node renews over mutual TLS with new keys, under its own names alone", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n2"));
  const { requests, keys } = await newRequests({ node: "n1", domain });
  const before = machine.folder.process("auth");
  const answer = await renew(machine.call(), requests);
  await machine.folder.keep(answer, keys);
  const after = machine.folder.process("auth");
  assert.notEqual(after?.serial, before?.serial);
  assert.notEqual(after?.privateKey, before?.privateKey);
  assert.equal(
    namesIn(after?.certificateChain ?? ""),
    `URI:spiffe://${domain}/node/n2/auth, DNS:n2.${domain}`,
  );
});

test("without a certificate of an auth process nobody renews, listens or has tokens signed", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n2"));
  const { identity: _, ...nobody } = machine.call();
  const envoy = { ...nobody, identity: machine.folder.process("envoy") ?? assert.fail() };
  for (const call of [nobody, envoy]) {
    await assert.rejects(renew(call, (await newRequests(subject)).requests), refusedFor("peer_refused"));
    await assert.rejects(watchTrust(call, 0), refusedFor("peer_refused"));
    await assert.rejects(
      signRemotely(call, { process: "gateway", services: ["*"], ttlMs: 60_000 }),
      refusedFor("peer_refused"),
    );
  }
});

test("the signing service signs for the processes of the node that asks, and for no other", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n2"));
  const { token } = await signRemotely(machine.call(), {
    process: "gateway",
    services: ["products"],
    ttlMs: 60_000,
  });
  const trust = machine.folder.trust() ?? assert.fail();
  const verified = verifiedBy(trust, token, root.clock.now);
  assert.ok(verified.kind === "tokens");
  assert.equal(verified.claims.sub, `spiffe://${domain}/node/n2/gateway`);
  const foreign = { process: "../n1/gateway", services: ["*"], ttlMs: 60_000 };
  await assert.rejects(signRemotely(machine.call(), foreign), refusedFor("message_malformed"));
});

test("the signing service signs for whom a node names, in no name of a node or a key, and records which node asked", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n2"));
  const asked = { subject: "alice", services: ["products"], ttlMs: 60_000 };
  const { token } = await signRemotely(machine.call(), asked);
  const verified = verifiedBy(machine.folder.trust() ?? assert.fail(), token, root.clock.now);
  assert.ok(verified.kind === "tokens");
  assert.equal(verified.claims.sub, "alice");
  for (const wrong of [
    { ...asked, subject: `spiffe://${domain}/node/n1/envoy` },
    { ...asked, subject: "apikey:ci" },
    { ...asked, process: "gateway" },
    { ...asked, certificate: "00" },
  ])
    await assert.rejects(signRemotely(machine.call(), wrong), refusedFor("message_malformed"));
  await assert.rejects(
    signRemotely(machine.call(), { ...asked, ttlMs: 86_400_000 }),
    refusedFor("ttl_too_long"),
  );
  const entries = (await auditOf(root.dataDir)).filter(({ action }) => action === "token.create");
  assert.deepEqual(
    entries.map(({ target, outcome, reason }) => [target, outcome, reason?.slice(0, 25)]),
    [
      ["alice", "done", "asked by n2: products"],
      ["alice", "denied", "an access token is good f"],
    ],
  );
});

test("with each answer the root authority says what time it is there", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n2"));
  const told: number[] = [];
  await watchTrust({ ...machine.call(), onDate: (at) => void told.push(at) }, 0);
  assert.equal(told.length, 1);
  assert.ok(Math.abs((told[0] ?? 0) - Date.now()) < 2_000);
});

test("news of what is believed reach a node that listens at once", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n2"));
  await newMachine().join(await root.newToken("n3"));
  const { version } = await watchTrust(machine.call(), 0);
  const news = watchTrust(machine.call(), version);
  const startedAt = performance.now();
  await root.registrar.revoke({ node: "n3" });
  const { denied } = await news;
  assert.ok(performance.now() - startedAt < 1_000);
  assert.deepEqual(denied, [{ node: "n3", serial: null, until: null }]);
  assert.deepEqual(peerTrustOf({ ...(machine.folder.trust() ?? assert.fail()), denied }).denied, [
    { domain, node: "n3", serial: null },
  ]);
});

test("a revoked node gets nothing on new connections within a second, and its open ones are cut", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n2"));
  const { version } = await watchTrust(machine.call(), 0);
  const open = watchTrust(machine.call(), version);
  open.catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 100)); // it waits by then
  const startedAt = performance.now();
  await root.registrar.revoke({ node: "n2" });
  await assert.rejects(open);
  await assert.rejects(
    renew(machine.call(), (await newRequests(subject)).requests),
    refusedFor("peer_refused"),
  );
  assert.ok(performance.now() - startedAt < 1_000);
});

test("a node that was revoked joins again with a new token, and what it had before stays revoked", async () => {
  await using root = await openTestAuthority();
  const [before, after] = [newMachine(), newMachine()];
  await before.join(await root.newToken("n2"));
  await assert.rejects(root.joinTokens.create({ node: "n2", ttlMs: 60_000 }), {
    code: "node_name_taken",
  });
  await root.registrar.revoke({ node: "n2" });
  await after.join(await root.newToken("n2"));
  assert.equal((await watchTrust(after.call(), 0)).domain, domain);
  await assert.rejects(watchTrust(before.call(), 0), refusedFor("peer_refused"));
});

test("a machine that was revoked joins again as the same node, in the same folder", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n2"));
  await root.registrar.revoke({ node: "n2" });
  await machine.join(await root.newToken("n2"));
  assert.equal((await watchTrust(machine.call(), 0)).domain, domain);
});

test("one certificate of a node is revoked alone, and is forgotten when it has expired", async () => {
  await using root = await openTestAuthority();
  const machine = newMachine();
  await machine.join(await root.newToken("n2"));
  const serial = machine.folder.process("envoy")?.serial ?? "";
  const { until } = await root.registrar.revoke({ node: "n2", serial });
  assert.deepEqual((await watchTrust(machine.call(), 0)).denied, [{ node: "n2", serial, until }]);
  root.clock.now = Date.parse(until ?? "");
  root.registrar.keepUp();
  assert.deepEqual(root.trustPublisher.current().denied, []);
});

test("revoking is told before the audit log is written, and is made up for there", async () => {
  await using root = await openTestAuthority();
  await newMachine().join(await root.newToken("n2"));
  {
    using _ = armFailpoints("auth.revoke.denied=error");
    await assert.rejects(root.registrar.revoke({ node: "n2" }));
  }
  assert.deepEqual(root.trustPublisher.current().denied, [{ node: "n2", serial: null, until: null }]);
  const revocations = async () =>
    (await auditOf(root.dataDir)).filter(({ action }) => action === "node.revoke").length;
  assert.equal(await revocations(), 0);
  const first = await root.registrar.revoke({ node: "n2" });
  assert.deepEqual(await root.registrar.revoke({ node: "n2" }), first);
  assert.equal(await revocations(), 1);
});

test("no token is made for a name that is taken, for longer than a day, or where nobody can reach the root", async () => {
  await using root = await openTestAuthority();
  const refused = (node: string, ttlMs: number, code: string) =>
    assert.rejects(root.joinTokens.create({ node, ttlMs }), { code });
  await refused("n1", 60_000, "node_name_taken");
  await refused("n2", 86_400_001, "ttl_too_long");
  await assert.rejects(root.registrar.revoke({ node: "n9" }), { code: "node_unknown" });
  await assert.rejects(root.registrar.revoke({ node: "n1" }), { code: "node_unknown" });
  root.addresses.current = [];
  await refused("n2", 60_000, "authority_not_served");
});
