import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { armFailpoints } from "@catalyst/durable";
import {
  type AuditEvent,
  EvidenceError,
  formatAuditHead,
  openAuditLog,
  signAuditHead,
  signDelegation,
  signReceipt,
  statementType,
  verifyAudit,
  verifyAuditHead,
} from "@catalyst/evidence";
import { alpha, now, optionsFor, rootOf, signerOf } from "../../test/parties.ts";
import { receipts } from "../../test/receipts.ts";
import { refusal } from "../../test/refusal.ts";

const root = mkdtempSync(join(tmpdir(), "catalyst-audit-"));
after(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = () => mkdtempSync(join(root, `${folders++}-`));

const event = (actor: string): AuditEvent => ({
  action: { actor, action: "service.add", target: "products", outcome: "done" },
});

/** A log of so many entries, closed again; small files, so that there are several. */
async function written(count: number, maxSegmentBytes = 600): Promise<string> {
  const folder = newFolder();
  await using log = await openAuditLog(folder, { maxSegmentBytes });
  for (let at = 0; at < count; at++) await log.append(event(`actor ${at}`));
  return folder;
}

const filesOf = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".log"));

test("what was appended is verified, in order, over several files and openings", async () => {
  const folder = await written(10);
  {
    await using log = await openAuditLog(folder, { maxSegmentBytes: 600 });
    assert.equal(log.head.seq, 10);
    await log.append(event("actor 10"));
  }
  const actors: string[] = [];
  const verified = await verifyAudit(folder, {
    onEntry: ({ event }) => actors.push("action" in event ? event.action.actor : ""),
  });
  assert.deepEqual(
    actors,
    Array.from({ length: 11 }, (_, at) => `actor ${at}`),
  );
  assert.ok(filesOf(folder).length > 2);
  assert.deepEqual(
    { ...verified, head: verified.head.seq },
    { head: 11, receipts: 0, actions: 11, setAside: [] },
  );
});

test("entries that are appended at the same time are kept in the order of the calls", async () => {
  const folder = newFolder();
  await using log = await openAuditLog(folder, { now: () => 5 });
  const heads = await Promise.all(Array.from({ length: 600 }, (_, at) => log.append(event(`actor ${at}`))));
  assert.deepEqual(
    heads.map(({ seq }) => seq),
    Array.from({ length: 600 }, (_, at) => at + 1),
  );
  assert.equal(formatAuditHead((await verifyAudit(folder)).head), formatAuditHead(log.head));
});

test("a log is verified while it is written, also from one file to the next", async () => {
  const folder = newFolder();
  await using log = await openAuditLog(folder, { maxSegmentBytes: 20_000 });
  let writing = true;
  const writer = (async () => {
    for (let at = 0; at < 150; at++) {
      await Promise.all(Array.from({ length: 20 }, (_, many) => log.append(event(`actor ${at}/${many}`))));
    }
    writing = false;
  })();
  let before = 0;
  let rounds = 0;
  for (; writing; rounds++) {
    const { head } = await verifyAudit(folder);
    assert.ok(head.seq >= before);
    before = head.seq;
  }
  await writer;
  assert.ok(rounds > 2 && filesOf(folder).length > 3);
  assert.equal((await verifyAudit(folder)).head.seq, 3_000);
});

test("there is one writer", async () => {
  const folder = newFolder();
  await using _ = await openAuditLog(folder);
  assert.equal(await refusal(() => openAuditLog(folder)), "audit_in_use");
});

test("an event that no reader would accept is refused alone", async () => {
  const folder = newFolder();
  await using log = await openAuditLog(folder);
  const results = await Promise.allSettled([
    log.append(event("a")),
    log.append(event("")),
    log.append({ receipt: new Uint8Array(5_000) }),
    log.append(event("b")),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "rejected", "fulfilled"],
  );
  assert.equal((await verifyAudit(folder)).head.seq, 2);
});

test("an entry that could not be written is not in the log, and the next one follows the one before", async () => {
  const folder = newFolder();
  await using log = await openAuditLog(folder);
  await log.append(event("a"));
  {
    using _ = armFailpoints("journal.append.before_fsync=error:ENOSPC");
    assert.equal(await refusal(() => log.append(event("b"))), "audit_failed");
  }
  await log.append(event("c"));
  const verified = await verifyAudit(folder);
  assert.equal(verified.head.seq, 2);
});

test("nothing is appended after the end", async () => {
  const folder = newFolder();
  const log = await openAuditLog(folder);
  await log[Symbol.asyncDispose]();
  assert.equal(await refusal(() => log.append(event("a"))), "audit_failed");
});

test("a flipped bit anywhere in the files is found", async () => {
  const folder = await written(6);
  for (const name of filesOf(folder)) {
    const path = join(folder, name);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 37) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(path, changed);
      assert.match(
        String(await refusal(() => verifyAudit(folder, { settleMs: 0 }))),
        /^audit_/,
        `${name}, byte ${at}`,
      );
    }
    writeFileSync(path, whole);
  }
  assert.equal((await verifyAudit(folder)).head.seq, 6);
});

test("each file that is taken away is missed: in the middle by its neighbours, at the end by the note", async () => {
  const folder = await written(8);
  const names = filesOf(folder);
  for (const [at, name] of names.entries()) {
    const whole = readFileSync(join(folder, name));
    rmSync(join(folder, name));
    const code = at === names.length - 1 ? "audit_truncated" : "audit_gap";
    assert.equal(await refusal(() => verifyAudit(folder)), code, name);
    writeFileSync(join(folder, name), whole);
  }
});

test("an end that was cut off with its note is missed by a head that was kept elsewhere", async () => {
  const folder = await written(2, 1_000_000);
  const [name = ""] = filesOf(folder);
  const { length } = readFileSync(join(folder, name));
  {
    await using log = await openAuditLog(folder);
    await log.append(event("actor 2"));
  }
  const { head } = await verifyAudit(folder);
  truncateSync(join(folder, name), length);
  rmSync(join(folder, "audit-head"));
  assert.equal((await verifyAudit(folder)).head.seq, 2);
  assert.equal(await refusal(() => verifyAudit(folder, { known: [head] })), "audit_truncated");
});

test("torn bytes at the end are damage until the log is opened, which sets them aside and says so", async () => {
  const folder = await written(2, 1_000_000);
  const path = join(folder, filesOf(folder)[0] ?? "");
  appendFileSync(path, Buffer.from("torn"));
  const before = readFileSync(path);
  assert.equal(await refusal(() => verifyAudit(folder)), "audit_damaged");
  await (await openAuditLog(folder, { now: () => 7 }))[Symbol.asyncDispose]();
  const verified = await verifyAudit(folder);
  assert.equal(verified.head.seq, 3);
  const [copy = ""] = verified.setAside;
  assert.match(copy, /\.damaged-7$/);
  assert.deepEqual(readFileSync(join(folder, copy)), before);
});

test("a file that is no journal is damage, not an empty log", async () => {
  const folder = await written(1);
  writeFileSync(join(folder, filesOf(folder)[0] ?? ""), "something else entirely");
  assert.equal(await refusal(() => verifyAudit(folder)), "audit_damaged");
  assert.equal(await refusal(() => openAuditLog(folder)), "audit_damaged");
});

test("a folder that is not there is refused with the system's reason", async () => {
  assert.equal(await refusal(() => verifyAudit(join(root, "nowhere"))), "audit_failed");
});

test("a signed head is verified like any statement, and known of the log from then on", async () => {
  const folder = await written(3);
  const { head } = await verifyAudit(folder);
  const bytes = signAuditHead(alpha.signer, head, { issuer: alpha.name, issuedAt: now });
  const signed = await verifyAuditHead(bytes, await optionsFor(rootOf(alpha.name, alpha.signer)));
  assert.deepEqual(signed, head);
  await verifyAudit(folder, { known: [signed] });
});

const lent = signerOf("lent");
const trust = { roots: [rootOf(alpha.name, alpha.signer)] };
const delegation = signDelegation(alpha.signer, {
  issuer: alpha.name,
  subject: alpha.name,
  key: lent.publicKey,
  types: [statementType.receipt],
  issuedAt: now,
  lifetimeSeconds: 3_600,
});

test("receipts in the log are verified as of their entry, with the delegations that stand before them", async () => {
  const folder = newFolder();
  const receipt = signReceipt(lent, receipts.pin, { issuer: alpha.name, issuedAt: now });
  {
    await using log = await openAuditLog(folder, { now: () => now * 1_000 });
    await log.append({ delegation });
    await log.append({ receipt });
    await log.append(event("alice"));
  }
  assert.equal((await verifyAudit(folder, { trust })).receipts, 1);
  assert.equal(await refusal(() => verifyAudit(folder, { trust: { roots: [] } })), "issuer_untrusted");
  assert.equal((await verifyAudit(folder)).receipts, 1);
});

test("a receipt before its delegation, one from after its entry, and a false delegation are named by their entry", async () => {
  const issuedAt = now + 600;
  const cases = {
    issuer_untrusted: [{ receipt: signReceipt(lent, receipts.pin, { issuer: alpha.name, issuedAt: now }) }],
    type_unexpected: [
      { delegation: signReceipt(alpha.signer, receipts.pin, { issuer: alpha.name, issuedAt: now }) },
    ],
    issued_in_future: [
      { delegation },
      { receipt: signReceipt(lent, receipts.pin, { issuer: alpha.name, issuedAt }) },
    ],
  };
  for (const [code, events] of Object.entries(cases)) {
    const folder = newFolder();
    {
      await using log = await openAuditLog(folder, { now: () => now * 1_000 });
      for (const one of events) await log.append(one);
    }
    await assert.rejects(
      verifyAudit(folder, { trust }),
      (error) =>
        error instanceof EvidenceError && error.code === code && error.evidence.index === events.length,
    );
  }
});
