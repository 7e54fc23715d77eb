import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { freePorts, NodeUnderTest } from "@catalyst/harness";
import { formatInvitation, parseInvitation } from "@catalyst/identity";
import { orchestratorContract } from "@catalyst/rpc";

const [acme, globex, initech] = ["acme.internal", "globex.internal", "initech.internal"];
const main = join(import.meta.dirname, "..", "packages", "cli", "src", "main.ts");

const folder = mkdtempSync(join(tmpdir(), "catalyst-invite-"));
after(() => rmSync(folder, { recursive: true }));

/** A service that nobody has to reach: routes are told of it all the same. */
const service = (name: string) => ({ name, protocol: "http" as const, url: "http://127.0.0.1:9" });

type NodeOptions = { readonly services?: readonly string[]; readonly flags?: readonly string[] };

/** A node that takes sessions. */
async function start(name: string, domain: string, { services = [], flags = [] }: NodeOptions = {}) {
  const [port = 0] = await freePorts(1);
  return NodeUnderTest.start({
    name,
    domain,
    services: services.map(service),
    flags: [
      ...["--listen-peers", `127.0.0.1:${port}`, "--mesh-peering-session-max-backoff-ms", "1000"],
      ...flags,
    ],
  });
}

/** Those that started, until they are disposed together; where one does not start, none stays. */
async function all(...starting: readonly Promise<NodeUnderTest>[]) {
  const nodes = new AsyncDisposableStack();
  const outcomes = await Promise.allSettled(starting);
  for (const outcome of outcomes) if (outcome.status === "fulfilled") nodes.use(outcome.value);
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure === undefined) return nodes;
  await nodes.disposeAsync();
  throw failure.reason;
}

/** Rules under which everything goes to an organisation and comes from it. */
function sharing(organisation: string): string[] {
  const rule = { name: "shared", action: "accept", match: { peerOrganisation: organisation } };
  return ["--mesh-peering-import", JSON.stringify(rule), "--mesh-peering-export", JSON.stringify(rule)];
}

async function invite(node: NodeUnderTest, asked: { peer?: string; ttlMs?: number } = {}) {
  using orchestrator = await node.connect("orchestrator", orchestratorContract);
  return await orchestrator.call.invitePeer(asked);
}

async function accept(node: NodeUnderTest, token: string) {
  using orchestrator = await node.connect("orchestrator", orchestratorContract);
  return await orchestrator.call.joinPeer({ token, waitMs: 15_000 }, { timeoutMs: 60_000 });
}

async function refused(node: NodeUnderTest, token: string, code: string): Promise<void> {
  await assert.rejects(accept(node, token), {
    code: "invitation_refused",
    message: new RegExp(`\\(${code}\\)$`),
  });
}

async function stateOf(node: NodeUnderTest, peer: string): Promise<string | undefined> {
  return (await node.peers()).find(({ node }) => node === peer)?.state;
}

async function knows(node: NodeUnderTest, ...wanted: string[]): Promise<void> {
  await node.until(`the routes ${wanted.join(", ")}`, 15_000, async () => {
    const found = (await node.routes()).map(({ service }) => service);
    return JSON.stringify(found) === JSON.stringify(wanted);
  });
}

test("Nodes of three organisations become peers by invitations that are good once, each under its own name", async () => {
  const starting = [
    start("n1", acme, { services: ["products"], flags: sharing(globex) }),
    start("m1", globex, { services: ["reviews"], flags: sharing(acme) }),
    start("x1", initech, { services: ["stock"], flags: sharing(acme) }),
  ] as const;
  await using _nodes = await all(...starting);
  const [n1, m1, x1] = await Promise.all(starting);
  const names = { n1: `n1.${acme}`, m1: `m1.${globex}`, x1: `x1.${initech}` };

  // What has expired, is for somebody else, or pins another root, ends before anything is proved.
  const short = await invite(n1, { ttlMs: 1_000 });
  const bound = await invite(n1, { peer: names.x1 });
  await refused(m1, bound.token, "invitation_other_node");
  const invitation = parseInvitation(bound.token);
  await refused(x1, formatInvitation({ ...invitation, anchor: new Uint8Array(32) }), "anchor_mismatch");
  const taken = formatInvitation({ ...invitation, peer: null });
  await refused(m1, taken, "invitation_other_node");
  await n1.until("the invitation has expired", 5_000, () => Date.now() >= Date.parse(short.expiresAt));
  await refused(m1, short.token, "invitation_expired");
  const stretched = { ...parseInvitation(short.token), expires: invitation.expires };
  await refused(m1, formatInvitation(stretched), "invitation_expired");
  await refused(m1, formatInvitation({ ...invitation, secret: new Uint8Array(16) }), "invitation_other_node");
  const unknown = formatInvitation({ ...invitation, peer: null, secret: new Uint8Array(16) });
  await refused(m1, unknown, "invitation_unknown");

  // Of two that race, one wins; who lost needs an invitation of its own.
  const { token, fingerprint } = await invite(n1);
  const race = await Promise.allSettled([accept(m1, token), accept(x1, token)]);
  assert.equal(race.filter(({ status }) => status === "fulfilled").length, 1, JSON.stringify(race));
  const [won, lost] = race[0].status === "fulfilled" ? [m1, x1] : [x1, m1];
  await refused(lost, token, "invitation_used");
  await accept(won, token); // its answer may have been lost
  const own = lost === x1 ? bound : await invite(n1);
  const joined = await accept(lost, own.token);
  assert.deepEqual([joined.node, joined.peer.state], [names.n1, "established"]);
  assert.equal(joined.peer.fingerprint, fingerprint);
  for (const name of [names.m1, names.x1]) {
    await n1.until(`a session with ${name}`, 15_000, async () => (await stateOf(n1, name)) === "established");
  }
  assert.deepEqual(
    (await n1.peers()).map(({ node, origin }) => [node, origin]),
    [
      [names.m1, "invitation"],
      [names.x1, "invitation"],
    ],
  );
  const shown = (await n1.peers()).map(({ fingerprint }) => fingerprint);
  assert.ok(shown.includes(joined.ownFingerprint));

  // Routes go between organisations where both have a rule, and nowhere else.
  await knows(n1, `products.${acme}`, `reviews.${globex}`);
  await knows(m1, `products.${acme}`, `reviews.${globex}`);
  await knows(x1, `stock.${initech}`);

  // Killed processes come back to the same peers.
  for (const [node, name] of [
    [n1, "orchestrator"],
    [m1, "orchestrator"],
    [n1, "auth"],
  ] as const) {
    await node.killChild(name);
    await node.ready();
  }
  await n1.until("the peer is back", 15_000, async () => (await stateOf(n1, names.m1)) === "established");
  await knows(n1, `products.${acme}`, `reviews.${globex}`);

  // A peer that is removed is gone with its routes, and stays out with whatever it has.
  using orchestrator = await n1.connect("orchestrator", orchestratorContract);
  await orchestrator.call.removePeer({ peer: names.m1 });
  await knows(n1, `products.${acme}`);
  await knows(m1, `reviews.${globex}`);
  await m1.until("it is refused", 15_000, async () => {
    return (await m1.peers()).some(({ attempts, state }) => attempts >= 2 && state !== "established");
  });
  assert.notEqual(await stateOf(n1, names.m1), "established");
  await assert.rejects(accept(m1, won === m1 ? token : own.token), { code: "invitation_refused" });
  assert.equal(await stateOf(n1, names.x1), "established");
  await assert.rejects(orchestrator.call.removePeer({ peer: names.m1 }), { code: "peer_unknown" });
  await accept(m1, (await invite(n1)).token);
  await knows(n1, `products.${acme}`, `reviews.${globex}`);
});

/** Runs `catalyst` with these arguments; gives what it wrote to each end. */
function catalyst(args: readonly string[], input?: string) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(process.execPath, [main, ...args], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
    child.stdin?.end(input ?? "");
  });
}

test("Nodes that sign for themselves are peers of one organisation where both sides name the other, typed on the command line", async () => {
  const selfSigned = async (name: string) => {
    const out = join(folder, name);
    const made = await catalyst([
      ...["identity", "self-sign", "--node-name", name, "--node-domain", acme, "--out", out],
    ]);
    assert.equal(made.code, 0, made.stderr);
    const certificate = {
      process: "orchestrator",
      certificateFile: `${out}.pem`,
      privateKeyFile: `${out}.key.pem`,
    };
    return { flags: ["--process-certificate", JSON.stringify(certificate)], fingerprint: made.stdout.trim() };
  };
  const [one, two] = await Promise.all([selfSigned("n1"), selfSigned("n2")]);
  const starting = [
    start("n1", acme, { services: ["products"], flags: one.flags }),
    start("n2", acme, { services: ["reviews"], flags: two.flags }),
  ] as const;
  await using _nodes = await all(...starting);
  const [n1, n2] = await Promise.all(starting);
  const at = (node: NodeUnderTest) => ["--node-data-dir", node.dataDir];
  const names = { n1: `n1.${acme}`, n2: `n2.${acme}` };

  const open = await catalyst(["peer", "invite", ...at(n1)]);
  assert.match(open.stdout, /^peer1\.[\w-]+\n$/);
  assert.ok(open.stderr.includes(one.fingerprint) && !open.stderr.includes(open.stdout.trim()));
  const unnamed = await catalyst(["peer", "join", "-", ...at(n2)], open.stdout);
  assert.equal(unnamed.code, 4);
  assert.match(unnamed.stderr, /anchor_conflict/);
  const half = await catalyst(["peer", "join", "-", "--node", names.n1, ...at(n2)], open.stdout);
  assert.match(half.stderr, /anchor_conflict/);
  assert.deepEqual(await n2.peers(), []);

  const { stdout: token } = await catalyst(["peer", "invite", "--node", names.n2, ...at(n1)]);
  const joined = await catalyst(["peer", "join", "-", "--node", names.n1, ...at(n2)], token);
  assert.equal(joined.code, 0, joined.stderr);
  assert.ok(
    joined.stdout.includes(one.fingerprint) && joined.stdout.includes(two.fingerprint),
    joined.stdout,
  );
  const both = [`products.${acme}`, `reviews.${acme}`];
  await knows(n1, ...both);
  await knows(n2, ...both);
  const shown = await catalyst(["peer", "show", "n2", ...at(n1)]);
  for (const word of [one.fingerprint, two.fingerprint, "an invitation"]) {
    assert.ok(shown.stdout.includes(word), shown.stdout);
  }
  const listed = await catalyst(["peer", "invitation", "list", "-o", "json", ...at(n1)]);
  const invitations: { id: string; state: string; usedBy: string | null }[] = JSON.parse(listed.stdout);
  assert.deepEqual(
    invitations.map(({ state, usedBy }) => [state, usedBy]),
    [
      ["open", null],
      ["used", names.n2],
    ],
  );
  const id = invitations[0]?.id ?? "";
  assert.equal((await catalyst(["peer", "invitation", "revoke", id, ...at(n1)])).code, 0);
  const late = await catalyst(["peer", "join", "-", "--node", names.n1, ...at(n2)], open.stdout);
  assert.match(late.stderr, /invitation_unknown/);

  const removed = await catalyst(["peer", "remove", "n1", ...at(n2)]);
  assert.equal(removed.code, 0, removed.stderr);
  await knows(n2, `reviews.${acme}`);
  await knows(n1, `products.${acme}`);
  for (const node of [n1, n2]) {
    const { code, stderr } = await catalyst([
      "audit",
      "verify",
      "--folder",
      join(node.dataDir, "audit", "orchestrator"),
    ]);
    assert.equal(code, 0, stderr);
    for (const child of ["orchestrator", "auth"])
      assert.ok(!node.log(child).includes(token.trim().slice(10, 60)));
  }
});
