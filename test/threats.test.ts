import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type AuditedAction, verifyAudit } from "@catalyst/evidence";
import { freePorts, NodeUnderTest } from "@catalyst/harness";
import {
  decodeEnrolmentAnswer,
  encodeMessage,
  encodeRenewalRequest,
  formatJoinToken,
  type JoinToken,
  joinTokenId,
  type PeerTrust,
  parseJoinToken,
  peerTrustOf,
  readTrustDocument,
  toPem,
} from "@catalyst/identity";
import { createTestOrganisation } from "@catalyst/identity/testing";
import { authContract, type Client } from "@catalyst/rpc";
import { EavesdroppingRoot } from "./eavesdropping-root.ts";
import { foreignRequests, forgeries, greedyRequest, type Posing } from "./forgery.ts";
import {
  askAuthority,
  askOn,
  dialTls,
  enrolmentOn,
  enrolWith,
  Intruder,
  joinAs,
  newRequests,
  type Shown,
} from "./stranger.ts";

const domain = "test.catalyst.internal";
const otherDomain = "globex.catalyst.internal";
const folder = mkdtempSync(join(tmpdir(), "catalyst-threats-"));
const globex = await createTestOrganisation(otherDomain);

/** The root n1, which believes another organisation too, and n3, which has joined; everybody attacks these two. */
let n1: NodeUnderTest;
let n3: NodeUnderTest;
let authority = "";
let doors: readonly { readonly node: string; readonly address: string }[] = [];

before(async () => {
  const [one = 0, three = 0, root = 0] = await freePorts(3);
  authority = `127.0.0.1:${root}`;
  const file = join(folder, "globex.pem");
  writeFileSync(file, toPem("CERTIFICATE", globex.root.certificate));
  const believing = ["--domain-root", JSON.stringify({ domain: otherDomain, file })];
  n1 = await NodeUnderTest.start({
    flags: ["--listen-peers", `127.0.0.1:${one}`, "--auth-authority-listen", authority, ...believing],
  });
  const { token } = await withAuth((call) => call.createJoinToken({ node: "n3" }));
  const peer = JSON.stringify({ name: "n1", address: `127.0.0.1:${one}` });
  n3 = await NodeUnderTest.start({
    name: "n3",
    flags: ["--listen-peers", `127.0.0.1:${three}`, "--peer", peer, "--join", token, ...believing],
  });
  doors = [
    { node: `n1.${domain}`, address: `127.0.0.1:${one}` },
    { node: `n3.${domain}`, address: `127.0.0.1:${three}` },
  ];
});

after(async () => {
  await n3?.[Symbol.asyncDispose]();
  await n1?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function withAuth<T>(use: (call: Client<typeof authContract>) => Promise<T>, node = n1): Promise<T> {
  using auth = await node.connect("auth", authContract);
  return await use(auth.call);
}

const tokenFor = async (node: string) =>
  parseJoinToken((await withAuth((call) => call.createJoinToken({ node }))).token);

/** What the nodes of the organisation believe. */
async function trustOf(node: NodeUnderTest): Promise<PeerTrust> {
  const { document } = await withAuth((call) => call.trust(undefined), node);
  return peerTrustOf(readTrustDocument(document ?? ""));
}

const domainOf = (node: string) => node.slice(node.indexOf(".") + 1);

/** What stands in the audit log of a node's auth process, whose chain is verified. */
async function auditOf(folder: string): Promise<AuditedAction[]> {
  const actions: AuditedAction[] = [];
  await verifyAudit(folder, {
    onEntry: ({ event }) => void ("action" in event && actions.push(event.action)),
    settleMs: 0,
  });
  return actions;
}

const auditFolder = (node: NodeUnderTest) => join(node.dataDir, "audit", "auth");

test("Threat 1: of 16 joiners that race with one token exactly one wins, and nobody does with it again", async () => {
  const token = await tokenFor("raced");
  const racers = await Promise.all(
    Array.from({ length: 16 }, async () => {
      const [socket, { requests }] = await Promise.all([dialTls(authority), newRequests(token, ["auth"])]);
      return { socket, requests, body: enrolmentOn(socket, token, requests) };
    }),
  );
  const outcomes = await Promise.all(racers.map(({ socket, body }) => askOn(socket, "/enrol", body)));
  const codes = outcomes.map(({ status, code }) => `${status} ${code}`).sort();
  assert.deepEqual(codes, ["200 ", ...Array.from({ length: 15 }, () => "403 token_used")]);
  const again = await enrolWith(token, (await newRequests(token)).requests);
  assert.deepEqual([again.status, again.code], [403, "token_used"]);
  // What the winner sent is good on no other connection: it holds no secret, and whoever saw it has won nothing.
  const won = racers[outcomes.findIndex(({ status }) => status === 200)];
  const replayed = await askAuthority(authority, undefined, "/enrol", won?.body);
  assert.equal(replayed.code, "proof_wrong");
  const { issued } = await withAuth((call) => call.identity(undefined));
  assert.equal(issued.filter(({ node }) => node === "raced").length, 1);
  const id = joinTokenId(token.secret);
  const done = (await auditOf(auditFolder(n1))).filter(
    ({ action, reason }) => action === "node.enrol" && reason === id,
  );
  assert.equal(done.length, 1);
});

test("Threat 2: whatever a request asks for, its certificate has the token's names and is no authority", async () => {
  const token = await tokenFor("n7");
  const greedy = await greedyRequest(domain);
  for (const [what, request] of await foreignRequests()) {
    const { status, code } = await enrolWith(token, { auth: request });
    assert.deepEqual([status, code], [403, "request_malformed"], what);
  }
  const unknown = await enrolWith(token, { authority: greedy });
  assert.deepEqual([unknown.status, unknown.code], [400, "message_malformed"]);
  const unsigned = greedy.slice();
  unsigned[unsigned.length - 1] = (unsigned.at(-1) ?? 0) ^ 1;
  assert.equal((await enrolWith(token, { auth: unsigned })).code, "request_malformed");
  // None of these has consumed the token.
  const answer = decodeEnrolmentAnswer((await enrolWith(token, { orchestrator: greedy })).body);
  assert.deepEqual([answer.node, Object.keys(answer.chains)], ["n7", ["orchestrator"]]);
  const [der = new Uint8Array(), issuer = new Uint8Array()] = answer.chains.orchestrator ?? [];
  const leaf = new X509Certificate(der);
  assert.equal(leaf.subjectAltName, `URI:spiffe://${domain}/node/n7/orchestrator, DNS:n7.${domain}`);
  assert.equal(leaf.ca, false);
  assert.doesNotMatch(leaf.subject, /everything|globex/);
  assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  assert.ok(leaf.verify(new X509Certificate(issuer).publicKey));
  assert.ok(leaf.validToDate.getTime() - leaf.validFromDate.getTime() <= 86_400_000 + 60_000);
});

/** Runs the command line as a person does, in a folder of its own. */
function catalyst(args: readonly string[], input = ""): Promise<{ code: number; said: string }> {
  const entry = join(import.meta.dirname, "..", "packages", "cli", "src", "main.ts");
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [entry, ...args], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: stdout + stderr });
    });
    child.stdin?.end(input);
  });
}

/** Joins as a person does, with the token on standard input, into a folder that is new and by ports that nobody has. */
const joinWith = async (token: JoinToken) => {
  const flags = ["--ingress", "--egress", "--listen-mesh", "--telemetry-listen"];
  const ports = await freePorts(flags.length);
  const listen = flags.flatMap((flag, at) => [flag, `127.0.0.1:${ports[at]}`]);
  const data = mkdtempSync(join(folder, "joiner-"));
  return await catalyst(["up", "--join", "-", "--node-data-dir", data, ...listen], formatJoinToken(token));
};

test("Threat 3: with an expired token, or where another root answers, a joiner stops before its secret leaves it", async () => {
  const [real, stranger] = [await tokenFor("n8"), await createTestOrganisation(domain)];
  const foreign = await stranger.issue("n1", "authority");
  const member = (await joinAs(await tokenFor("n9"))).shown("auth");
  const rootOf = async () => (await askAuthority(authority, undefined, "/root")).body;
  const shows = async (shown: Shown, root: Uint8Array, token: JoinToken) => {
    await using listener = await EavesdroppingRoot.open(shown, root);
    const { code, said } = await joinWith({ ...token, addresses: [listener.address] });
    return { code, said, heard: listener.heard() };
  };
  const expired = { ...real, expires: Math.floor(Date.now() / 1_000) - 1 };
  const [late, pinned, unproven, posing] = await Promise.all([
    shows(foreign, await rootOf(), expired),
    shows(foreign, stranger.root.certificate, real),
    shows(foreign, await rootOf(), real),
    shows(member, await rootOf(), real),
  ]);
  assert.deepEqual([late.heard.connections, late.heard.text], [0, ""]);
  assert.match(late.said, /the join token expired at .*\(join_token_expired\)/);
  assert.match(pinned.said, /is not the root of .*: nothing was sent to it.*\(root_mismatch\)/);
  assert.match(
    unproven.said,
    /the root authority does not answer: .*: whoever answers cannot prove to be it/,
  );
  assert.match(posing.said, /does not speak authority.*\(root_mismatch\)/);
  for (const { code, heard } of [late, pinned, unproven, posing]) {
    assert.notEqual(code, 0);
    // All that was said on any connection, deciphered: a question for the root, and nothing else.
    const asked = heard.text.replace(
      /^GET \/root HTTP\/1\.1\r\nHost: localhost:80\r\nConnection: [\w-]+\r\n\r\n/,
      "",
    );
    assert.equal(asked, "");
    for (const secret of [real.secret, Buffer.from(joinTokenId(real.secret))]) {
      assert.ok(!heard.bytes.includes(Buffer.from(secret)));
    }
  }
  assert.equal((await enrolWith(real, (await newRequests(real)).requests)).status, 200);
});

/** What came of sessions that somebody tried to open, one at each of these doors. */
function tryDoors({ node, ...shown }: Posing, trust: PeerTrust) {
  return Promise.all(
    doors.map(async (door) => {
      await using intruder = new Intruder({ node, domain: domainOf(node), shown, trust }, door);
      const end = await Promise.race([intruder.ended, intruder.established]);
      return end === undefined ? "let in" : `${end.code}: ${end.words}`;
    }),
  );
}

test("Threat 4: whoever signs in our name is let in at no session's door, root's or not", async () => {
  const trust = await trustOf(n1);
  const member = await joinAs(await tokenFor("n4"));
  const shown = member.shown("orchestrator");
  for (const [what, forged] of Object.entries(await forgeries("orchestrator", domain, shown, globex))) {
    // The root of an organisation that is believed passes TLS, and is good for no names but its own.
    const isBelieved = what.includes("another organisation's root");
    const expected = isBelieved ? /^not_admitted: .* comes from no root of test\./ : /^connection_lost: /;
    for (const end of await tryDoors(forged, trust)) assert.match(end, expected, what);
  }
  // A good certificate is good for its own name alone, and for its own process.
  for (const end of await tryDoors({ ...shown, node: `n8.${domain}` }, trust)) {
    assert.match(end, /^identity_mismatch: the certificate is of n4/);
  }
  for (const end of await tryDoors({ ...member.shown("envoy"), node: `n4.${domain}` }, trust)) {
    assert.match(end, /^not_admitted: .* does not speak cp/);
  }
  assert.deepEqual(await tryDoors({ ...shown, node: `n4.${domain}` }, trust), ["let in", "let in"]);
  const partner = { ...(await globex.issue("n1", "orchestrator")), node: `n1.${otherDomain}` };
  assert.deepEqual(await tryDoors(partner, trust), ["let in", "let in"]);
});

test("Threat 4: whoever signs in our name gets nothing of the root authority", async () => {
  const member = await joinAs(await tokenFor("n5"));
  const { requests } = await newRequests({ node: "n5", domain }, ["auth"]);
  const asked: readonly [string, Uint8Array?][] = [
    ["/trust?after=0"],
    ["/renew", encodeRenewalRequest(requests)],
    ["/token", encodeMessage({ process: "gateway", services: ["*"], ttlMs: 60_000 })],
  ];
  const foreign: Readonly<Record<string, Shown>> = {
    ...(await forgeries("auth", domain, member.shown("auth"), globex)),
    "another process of a node": member.shown("envoy"),
    "a node of another organisation": await globex.issue("n1", "auth"),
  };
  for (const [what, forged] of Object.entries(foreign)) {
    for (const [path, body] of asked) {
      const { status, code } = await askAuthority(authority, forged, path, body);
      assert.deepEqual([status, code], [403, "peer_refused"], `${what} at ${path}`);
    }
  }
  for (const [path, body] of asked) {
    assert.equal((await askAuthority(authority, member.shown("auth"), path, body)).status, 200, path);
  }
});

/** What a third party says of a copy of an audit log that it was given, with the node's machine far away. */
const verifyCopy = (copy: string, ...more: string[]) =>
  catalyst(["audit", "verify", "--folder", copy, ...more]);

/** One bit of a file, turned. */
function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

test("Threat 16: what is denied to operators, joiners and nodes stands in a log that a third party verifies", async (context) => {
  const member = await joinAs(await tokenFor("n2"));
  const { requests } = await newRequests({ node: "n2", domain }, ["auth"]);
  const mine = async (call: Client<typeof authContract>) => {
    await assert.rejects(call.createJoinToken({ node: "n3" }), { code: "node_name_taken" });
    await assert.rejects(call.createJoinToken({ node: "n6", ttlMs: 86_400_001 }), { code: "ttl_too_long" });
    await assert.rejects(call.revokeNode({ node: "n1" }), { code: "node_unknown" });
    const subject = `spiffe://${otherDomain}/node/n1/gateway`;
    await assert.rejects(call.mint({ subject, services: ["*"] }), { code: "invalid_request" });
    await call.revokeNode({ node: "n2" });
  };
  await withAuth(mine);
  await withAuth(async (call) => {
    await assert.rejects(call.createJoinToken({ node: "n6" }), { code: "authority_elsewhere" });
    await assert.rejects(call.revokeNode({ node: "n1" }), { code: "authority_elsewhere" });
    await assert.rejects(call.createApiKey({ services: ["*"], ttlMs: 60_000 }), {
      code: "authority_elsewhere",
    });
  }, n3);
  const revoked = member.shown("auth");
  await askAuthority(authority, revoked, "/renew", encodeRenewalRequest(requests));
  for (let times = 3; times > 0; times--) await askAuthority(authority, revoked, "/trust?after=0");
  const denied = (actions: readonly AuditedAction[]) =>
    actions
      .filter(({ outcome }) => outcome === "denied")
      .map(({ action, target, reason }) => [action, target, reason]);
  const [atRoot, atMember] = [denied(await auditOf(auditFolder(n1))), denied(await auditOf(auditFolder(n3)))];
  assert.deepEqual(
    atMember.map(([action, target]) => [action, target]),
    [
      ["jointoken.create", "n6"],
      ["node.revoke", "n1"],
      ["apikey.create", "unnamed"],
    ],
  );
  const expected = [
    ["jointoken.create", "n3", /there is a node n3 already/],
    ["jointoken.create", "n6", /a day at most/],
    ["node.revoke", "n1", /it cannot revoke itself/],
    ["token.mint", `spiffe://${otherDomain}/node/n1/gateway`, /is not of/],
    ["node.renew", "n2", /^node_denied$/],
    ["trust.read", "n2", /^node_denied$/],
  ] as const;
  for (const [action, target, reason] of expected) {
    const found = atRoot.filter(
      (each) => each[0] === action && each[1] === target && reason.test(each[2] ?? ""),
    );
    assert.equal(found.length, 1, `${action} ${target} in ${JSON.stringify(atRoot)}`);
  }
  // Attempts of the tests before this one: joiners whose token was used, and whoever was no member.
  assert.ok(
    atRoot.some(
      ([action, target, reason]) => action === "node.enrol" && target === "raced" && reason === "token_used",
    ),
  );
  assert.ok(
    atRoot.some(
      ([action, target, reason]) =>
        action === "node.renew" && target === "unknown" && reason === "root_foreign",
    ),
  );

  const copy = join(folder, "audit-of-n1");
  cpSync(auditFolder(n1), copy, { recursive: true });
  const { code, said } = await verifyCopy(copy);
  assert.equal(code, 0, said);
  const [head = ""] = /\d+:\S+/.exec(said) ?? [];
  const segments = readdirSync(copy)
    .filter((name) => name.endsWith(".log"))
    .map((name) => join(copy, name));
  let turned = 0;
  for (const path of segments) {
    const { length } = readFileSync(path);
    for (let at = 0; at < length; at += Math.ceil(length / 64)) {
      flip(path, at);
      await assert.rejects(
        verifyAudit(copy, { settleMs: 0 }),
        { name: "EvidenceError" },
        `byte ${at} of ${path}`,
      );
      flip(path, at);
      turned += 1;
    }
  }
  const [segment = ""] = segments;
  flip(segment, 400);
  const changed = await verifyCopy(copy);
  assert.equal(changed.code, 1);
  assert.match(changed.said, /\(audit_(?:changed|damaged)\)/);
  flip(segment, 400);
  assert.equal((await verifyCopy(copy, "--head", head)).code, 0);
  context.diagnostic(`${atRoot.length} denials at the root; ${turned} turned bits were found`);
});

test("Threat 24: a revoked node is put out of its sessions within 5 s, root's or not, and let in nowhere within 1 s", async (context) => {
  const [open, later] = [await joinAs(await tokenFor("open")), await joinAs(await tokenFor("later"))];
  const trust = await trustOf(n1);
  const enter = (label: string, { shown }: typeof open, door: (typeof doors)[number]) => {
    const node = `${label}.${domain}`;
    return new Intruder({ node, domain, shown: shown("orchestrator"), trust }, door);
  };
  await using stack = new AsyncDisposableStack();
  const sessions = doors.map((door) => stack.use(enter("open", open, door)));
  await Promise.all(sessions.map(({ established }) => established));
  const { version } = await withAuth((call) => call.identity(undefined));
  const auth = open.shown("auth");
  const watching = askAuthority(authority, auth, `/trust?after=${version}`).catch(() => null);
  await sleep(200); // the question is there by then
  const begun = performance.now();
  const since = () => Math.round(performance.now() - begun);
  const cut = Promise.all(sessions.map(({ ended }) => ended.then((end) => ({ ...end, ms: since() }))));
  const watched = watching.then((told) => ({ told, ms: since() }));
  await withAuth((call) =>
    Promise.all([call.revokeNode({ node: "open" }), call.revokeNode({ node: "later" })]),
  );
  const answered = since();
  const refusedAt = doors.map(async (door) => {
    for (;;) {
      await using intruder = enter("later", later, door);
      const end = await Promise.race([intruder.ended, intruder.established]);
      if (end !== undefined) return { ...end, ms: since() - answered };
      await sleep(100);
    }
  });
  const news = await Promise.all(refusedAt);
  for (const { code, words, ms } of news) {
    assert.equal(code, "not_admitted", words);
    assert.match(words, /was revoked/);
    assert.ok(ms < 1_000, `a new connection was refused after ${ms} ms`);
  }
  for (const { code, ms } of await cut) {
    assert.equal(code, "not_admitted");
    assert.ok(ms <= 5_000, `an open session was cut after ${ms} ms`);
  }
  const { told, ms: watchMs } = await watched;
  assert.ok(told === null || told.status === 403);
  assert.ok(watchMs <= 5_000);
  const { requests } = await newRequests({ node: "later", domain }, ["auth"]);
  for (const [path, body] of [
    ["/renew", encodeRenewalRequest(requests)],
    ["/token", encodeMessage({ process: "gateway", services: ["*"], ttlMs: 60_000 })],
    ["/trust?after=0"],
  ] as const) {
    const { status, code } = await askAuthority(authority, later.shown("auth"), path, body);
    assert.deepEqual([status, code], [403, "peer_refused"], path);
  }
  const doorMs = since();
  assert.ok(doorMs < 5_000);
  const shownMs = (ends: readonly { readonly ms: number }[]) =>
    ends.map(({ ms }) => `${ms} ms`).join(" and ");
  context.diagnostic(
    `at the root and at the third node: the command answered after ${answered} ms, new ones refused ${shownMs(news)} later; open ones cut after ${shownMs(await cut)}; the root authority's open question after ${watchMs} ms`,
  );
});
