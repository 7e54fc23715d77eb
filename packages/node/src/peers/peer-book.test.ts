import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openDatabase } from "@catalyst/durable";
import { type IntroducedPeer, readAnchor, userOf } from "@catalyst/identity";
import { createTestOrganisation, selfSigned } from "@catalyst/identity/testing";
import { RpcError } from "@catalyst/rpc";
import { orchestratorMigrations } from "../services/service-store.ts";
import type { PeerAudit } from "./peer-audit.ts";
import { PeerBook } from "./peer-book.ts";
import { PeerCredentials } from "./peer-credentials.ts";
import { InvitationTable } from "./peer-store.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-book-"));
after(() => rmSync(folder, { recursive: true }));

const acme = await createTestOrganisation("acme.catalyst.internal");
const globex = await createTestOrganisation("globex.catalyst.internal");

let made = 0;

function open(path = join(folder, `${made++}.db`)) {
  const database = openDatabase(path, { migrations: orchestratorMigrations });
  const invitations = new InvitationTable(database);
  const written: string[] = [];
  const log = { isFull: false };
  const audit: Pick<PeerAudit, "act"> = {
    act: async ({ action, target }) => {
      if (log.isFull) throw new RpcError("evidence_failed", "the disk is full");
      written.push(`${action} ${target}`);
    },
  };
  const changes = { count: 0 };
  const book = new PeerBook({
    database,
    invitations,
    audit: audit as PeerAudit,
    domain: acme.domain,
    now: () => 1_000,
    onChange: () => {
      changes.count += 1;
    },
  });
  const invite = (id: string) => {
    invitations.insert({ id, secret: new Uint8Array(16), peer: null, createdAt: 0, expiresAt: 2_000 });
    return id;
  };
  return { path, database, invitations, book, written, log, changes, invite };
}

function introduced(node: string, domain: string, certificate: Uint8Array): IntroducedPeer {
  const anchor = readAnchor(certificate, { domain, node });
  assert.ok(anchor !== null);
  return { node: `${node}.${domain}`, id: { domain, node, process: "orchestrator" }, anchor };
}

const m1 = introduced("m1", globex.domain, globex.root.certificate);
const m2 = introduced("m2", globex.domain, globex.root.certificate);

const namesOf = (book: PeerBook) => book.all().map(({ node }) => node);

test("of two that use one invitation at once, one becomes a peer, and it may come again", async () => {
  const { database, book, invite, invitations, written } = open();
  using _database = database;
  const invitation = invite("a");
  const both = [m1, m2].map((peer) => book.accept({ peer, invitation }, userOf(peer)));
  assert.deepEqual(await Promise.all(both), [true, false]);
  assert.equal(await book.accept({ peer: m1, invitation }, userOf(m1)), true);
  assert.equal(await book.accept({ peer: m2, invitation }, userOf(m2)), false);
  assert.deepEqual([namesOf(book), written], [[m1.node], [`peer.accept ${m1.node}`]]);
  assert.equal(invitations.get(invitation)?.usedBy, userOf(m1));
});

test("an invitation that has expired since it was looked at makes nobody a peer", async () => {
  const { database, book, invitations } = open();
  using _database = database;
  invitations.insert({ id: "a", secret: new Uint8Array(16), peer: null, createdAt: 0, expiresAt: 1_000 });
  assert.equal(await book.accept({ peer: m1, invitation: "a" }, userOf(m1)), false);
  assert.deepEqual(namesOf(book), []);
});

test("who is not in the audit log is no peer, and is one after the next start with a log that can be written", async () => {
  const first = open();
  first.log.isFull = true;
  const arrival = { peer: m1, invitation: first.invite("a") };
  await assert.rejects(first.book.accept(arrival, userOf(m1)), { code: "evidence_failed" });
  await assert.rejects(first.book.join({ peer: m2, invitation: "b", address: "192.0.2.1:1" }), {
    code: "evidence_failed",
  });
  assert.deepEqual([namesOf(first.book), first.book.anchors()], [[], []]);
  first.database[Symbol.dispose]();
  const { database, book, written } = open(first.path);
  using _database = database;
  assert.deepEqual(namesOf(book), []);
  await book.settle();
  assert.deepEqual(namesOf(book), [m1.node, m2.node]);
  assert.deepEqual(written, [`peer.accept ${m1.node}`, `peer.join ${m2.node}`]);
  assert.equal(book.get(m2.node)?.address, "192.0.2.1:1");
  await book.settle();
  assert.equal(written.length, 2);
});

test("a removal is in force although it cannot be written to the audit log, is made up for there, and ends with an invitation", async () => {
  const { database, book, invite, invitations, log, written } = open();
  using _database = database;
  await book.accept({ peer: m1, invitation: invite("a") }, userOf(m1));
  const stored = book.get(m1.node);
  assert.ok(stored !== undefined);
  log.isFull = true;
  await assert.rejects(book.remove(stored), { code: "evidence_failed" });
  assert.deepEqual([namesOf(book), book.anchors(), book.isRemoved(m1.node)], [[], [], true]);
  assert.deepEqual(book.removed(), [{ node: "m1", domain: globex.domain, serial: null }]);
  assert.equal(invitations.get("a"), undefined);
  log.isFull = false;
  await book.settle();
  assert.deepEqual(written.at(-1), `peer.remove ${m1.node}`);
  assert.equal(book.isRemoved(m1.node), true);
  await book.accept({ peer: m1, invitation: invite("b") }, userOf(m1));
  assert.deepEqual([namesOf(book), book.isRemoved(m1.node), book.removed()], [[m1.node], false, []]);
});

test("an anchor is believed for as long as one of its peers is there, and a root of our own domain is not a peer's", async () => {
  const { database, book } = open();
  using _database = database;
  const n2 = introduced("n2", acme.domain, acme.root.certificate);
  for (const [at, peer] of [m1, m2, n2].entries()) {
    await book.join({ peer, invitation: String(at), address: null });
  }
  assert.deepEqual(
    book.anchors().map(({ domain, thumbprint }) => [domain, thumbprint]),
    [
      [globex.domain, globex.root.thumbprint],
      [globex.domain, globex.root.thumbprint],
    ],
  );
  assert.equal(book.get(n2.node)?.fingerprint, acme.root.thumbprint);
  for (const left of [1, 0]) {
    const peer = book.get(left === 1 ? m1.node : m2.node);
    assert.ok(peer !== undefined);
    await book.remove(peer);
    assert.equal(book.anchors().length, left);
  }
});

test("who was removed is believed no more, also when nothing else can be read anew", async () => {
  const { cert, key } = await selfSigned({ domain: acme.domain, node: "n1", process: "orchestrator" });
  let isBroken = false;
  const whole = <Value>(value: Value) => {
    if (isBroken) throw new Error("the disk is broken");
    return value;
  };
  const id = { domain: acme.domain, node: "n1", process: "orchestrator" };
  const identity = { id, certificateChain: cert, privateKey: key, serial: "1", notBefore: 0, notAfter: 1 };
  let anchors = [m1.anchor];
  const credentials = new PeerCredentials({
    own: {
      process: () => whole({ ...identity, isConfigured: true }),
      trust: () => whole({ roots: [acme.root], pinned: [], denied: [] }),
    },
    anchors: () => anchors,
  });
  const domains = () => credentials.trust().roots.map(({ domain }) => domain);
  credentials.refresh();
  assert.deepEqual(domains(), [acme.domain, globex.domain]);
  isBroken = true;
  anchors = [];
  credentials.refresh();
  assert.deepEqual(domains(), [acme.domain]);
  assert.equal(credentials.problem, "the disk is broken");
  assert.equal(credentials.current?.certificateChain, cert);
});
