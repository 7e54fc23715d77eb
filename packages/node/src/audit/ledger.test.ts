import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  type AuditEntry,
  encodeBundle,
  nodeCrypto,
  type Receipt,
  readDelegation,
  verifyAudit,
  verifyBundle,
} from "@catalyst/evidence";
import { openKeyStore } from "@catalyst/identity";
import { cidOfBlock } from "@catalyst/wire";
import { Ledger, type LedgerParts } from "./ledger.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-ledger-"));
after(() => rmSync(folder, { recursive: true }));

const issuer = "n1.acme.catalyst.internal";
const receipt: Receipt = {
  kind: "storage",
  scope: "local",
  cid: cidOfBlock(new Uint8Array()),
  size: 0,
  added: 0,
};

let made = 0;

function start(passphraseFile?: string): { parts: LedgerParts; clock: { now: number } } {
  const clock = { now: 1_800_000_000_000 };
  const own = join(folder, String(made++));
  const [keysFolder, auditFolder] = [join(own, "keys"), join(own, "audit")];
  return { parts: { issuer, keysFolder, auditFolder, passphraseFile, now: () => clock.now }, clock };
}

async function entriesOf({ auditFolder }: LedgerParts): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  await verifyAudit(auditFolder, { onEntry: (entry) => void entries.push(entry), settleMs: 0 });
  return entries;
}

async function rootOf({ keysFolder }: LedgerParts) {
  const { publicKey, kid } = await (await openKeyStore(keysFolder)).show("statements");
  assert.ok(publicKey.algorithm === "Ed25519");
  return { name: issuer, covers: "name", kid, key: publicKey } as const;
}

test("a receipt verifies under the node's key by the delegation that stands before it in the log", async () => {
  const { parts, clock } = start();
  await using ledger = await Ledger.open(parts);
  const [cid] = await Promise.all([ledger.record(receipt), ledger.record(receipt)]);
  const [lent, recorded] = (await entriesOf(parts)).map(({ event }) => event);
  assert.ok(lent !== undefined && "delegation" in lent && recorded !== undefined && "receipt" in recorded);
  assert.equal(cidOfBlock(recorded.receipt, "cbor"), cid);
  const bundle = encodeBundle({ receipts: [[recorded.receipt]], delegations: [lent.delegation] });
  const roots = [await rootOf(parts)];
  const asOf = Math.floor(clock.now / 1_000);
  const verified = await verifyBundle(bundle, { crypto: nodeCrypto, roots, asOf });
  assert.deepEqual(verified.receipts[0]?.receipt, receipt);
  assert.equal(readDelegation(lent.delegation).until - asOf, 86_280);
});

test("a key is lent anew after half of its time, and at once when the clock was set back before it", async () => {
  const { parts, clock } = start();
  await using ledger = await Ledger.open(parts);
  assert.equal(ledger.signer(), null);
  await ledger.keepLent();
  const first = ledger.signer()?.kid;
  clock.now += 11 * 3_600_000;
  await ledger.keepLent();
  assert.equal(ledger.signer()?.kid, first);
  clock.now += 3_600_000;
  await ledger.keepLent();
  const second = ledger.signer()?.kid;
  assert.notEqual(second, first);
  clock.now -= 48 * 3_600_000;
  await ledger.record(receipt);
  assert.notEqual(ledger.signer()?.kid, second);
  const delegations = (await entriesOf(parts)).filter(({ event }) => "delegation" in event);
  assert.equal(delegations.length, 3);
});

test("a key that is still lent signs on when the node's key cannot be read; afterwards nothing is acknowledged", async () => {
  const { parts, clock } = start();
  await using ledger = await Ledger.open(parts);
  await ledger.keepLent();
  rmSync(join(parts.keysFolder, "statements.pem"));
  writeFileSync(join(parts.keysFolder, "statements.pem"), "nonsense", { mode: 0o600 });
  clock.now += 13 * 3_600_000;
  await ledger.record(receipt);
  clock.now += 12 * 3_600_000;
  await assert.rejects(ledger.record(receipt), { name: "RpcError", code: "evidence_failed" });
});

test("the node's key is made once, open to its owner alone, and encrypted when a passphrase is given", async () => {
  const passphraseFile = join(folder, "passphrase");
  writeFileSync(passphraseFile, "correct horse\n");
  const { parts } = start(passphraseFile);
  for (let at = 0; at < 2; at++) {
    await using ledger = await Ledger.open(parts);
    await ledger.record(receipt);
  }
  assert.deepEqual(
    readdirSync(parts.keysFolder).filter((name) => name.endsWith(".pem")),
    ["statements.pem"],
  );
  assert.equal(statSync(join(parts.keysFolder, "statements.pem")).mode & 0o777, 0o600);
  assert.equal((await (await openKeyStore(parts.keysFolder)).show("statements")).encrypted, true);
  await using locked = await Ledger.open({ ...parts, passphraseFile: undefined });
  await assert.rejects(locked.record(receipt), { code: "evidence_failed", message: /passphrase_missing/ });
  await locked.act({ action: "content.quota", target: "acme", outcome: "done" });
});

test("what was done, and what was denied, stands in the log with who asked", async () => {
  const { parts } = start();
  await using ledger = await Ledger.open(parts);
  await ledger.act({ action: "content.quota", target: "acme", outcome: "denied", reason: "10 bytes" });
  const event = (await entriesOf(parts)).at(-1)?.event;
  assert.ok(event !== undefined && "action" in event);
  assert.equal(event.action.outcome, "denied");
  assert.match(event.action.actor, /.@./);
});

test("there is one writer of a log", async () => {
  const { parts } = start();
  await using _ = await Ledger.open(parts);
  await assert.rejects(Ledger.open(parts), { code: "audit_in_use" });
});
