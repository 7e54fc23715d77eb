import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { openAuditLog, type Receipt, signReceipt } from "@catalyst/evidence";
import { createSigner, formatStatementKey, generateKey } from "@catalyst/identity";
import { cidOfBlock } from "@catalyst/wire";
import { ContentProcess } from "../../test/content-process.ts";

const content = await ContentProcess.start();
after(() => content[Symbol.asyncDispose]());
const name = "n1.acme.catalyst.internal";
type Listed = { cid: string; kind: string; issuer: string; receipt: { cid?: string } };

async function holo(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await content.holo(args);
  assert.equal(code, 0, stderr);
  return stdout.toString();
}

async function nodeKey(): Promise<string> {
  return (JSON.parse(await holo("keys", "show", "statements", "-o", "json")) as { key: string }).key;
}

async function listed(...args: readonly string[]): Promise<readonly Listed[]> {
  return JSON.parse(await holo("receipts", "list", "-o", "json", ...args)) as Listed[];
}

test("the receipts of what was done are listed by kind, object and time, also while the process runs", async () => {
  content.file("one", "one");
  const cid = (await content.cam("put", "one", "--name", "one", "--pin", "hot", "-q")).trim();
  content.file("two", "two");
  await content.cam("put", "two");
  const all = await listed();
  assert.deepEqual(all.map(({ kind }) => kind).sort(), ["link", "pin", "storage", "storage"]);
  assert.ok(all.every(({ issuer }) => issuer === name));
  assert.equal((await listed("--kind", "storage")).length, 2);
  assert.deepEqual((await listed("--object", cid)).map(({ kind }) => kind).sort(), [
    "link",
    "pin",
    "storage",
  ]);
  assert.equal((await listed("--since", "1h")).length, 4);
  assert.equal((await listed("--since", "2100-01-01T00:00:00Z")).length, 0);
  assert.match(await holo("receipts", "list"), /^ENTERED +KIND +RECEIPT +SAYS\n20\d\d-\S+Z +\w+ +baf/);
  assert.match(await holo("receipts", "list", "--kind", "gc-report"), /^No receipts\.$/m);
});

test("what is exported verifies with the network off under the node's key, and not after any flipped byte", async () => {
  const printed = await holo("receipts", "export", "--out", "all.bundle");
  const root = `${name}=${await nodeKey()}`;
  assert.match(
    printed,
    /^4 receipts in all\.bundle\. Verify with:\n {2}holo receipts bundle-verify all\.bundle /,
  );
  assert.ok(printed.includes(`--root ${root}`));
  const verified = await holo("receipts", "bundle-verify", "all.bundle", "--root", root, "-o", "json");
  assert.equal((JSON.parse(verified) as { ok: boolean }[]).filter(({ ok }) => ok).length, 4);
  const { kid } = JSON.parse(await holo("keys", "show", "statements", "-o", "json")) as { kid: string };
  await holo("receipts", "bundle-verify", "all.bundle", "--root", `${name}=kid:${kid}`);
  const bytes = readFileSync(join(content.folder, "all.bundle"));
  for (const at of [0, Math.floor(bytes.length / 2), bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    content.file("changed.bundle", changed);
    const refused = await content.holo(["receipts", "bundle-verify", "changed.bundle", "--root", root]);
    assert.equal(refused.code, 1, `byte ${at}`);
  }
  assert.equal((await content.holo(["receipts", "export", "--out", "all.bundle"])).code, 2);
  await holo("receipts", "export", "--out", "all.bundle", "--force");
});

test("single receipts are exported by their CIDs, and one that is not there is missed", async () => {
  const [first, second] = await listed();
  assert.ok(first !== undefined && second !== undefined);
  const written = JSON.parse(
    await holo("receipts", "export", "-O", "one.bundle", "--receipt", first.cid, "-o", "json"),
  ) as { receipts: number; files: string[] };
  assert.deepEqual([written.receipts, written.files], [1, ["one.bundle"]]);
  const missing = cidOfBlock(Buffer.from("no receipt"), "cbor");
  const refused = await content.holo(["receipts", "export", "-O", "no.bundle", "--receipt", missing]);
  assert.equal(refused.code, 3);
  assert.ok(!existsSync(join(content.folder, "no.bundle")));
});

test("put writes the receipt of what it stored, under its own name alone", async () => {
  content.file("three", "three");
  const { code, stderr } = await content.holo(["cam", "put", "three", "--receipt", "three.bundle"]);
  assert.equal(code, 0, stderr);
  const command = /Verify the receipt with: holo (.*)/.exec(stderr)?.[1] ?? "";
  assert.match(await holo(...command.split(" ")), /three\.bundle +yes +storage/);
  const again = await content.holo(["cam", "put", "three", "--receipt", "three.bundle"]);
  assert.equal(again.code, 2);
});

test("after a restart the process signs with another key, and one bundle holds receipts of both", async () => {
  await content.stop();
  assert.equal((await listed("--kind", "storage")).length, 3);
  await content.start();
  content.file("four", "four");
  await content.cam("put", "four");
  await holo("receipts", "export", "-O", "both.bundle", "--kind", "storage");
  const root = `${name}=${await nodeKey()}`;
  const rows = await holo("receipts", "bundle-verify", "both.bundle", "--root", root, "-o", "json");
  assert.equal((JSON.parse(rows) as object[]).length, 4);
});

test("more receipts than a bundle holds go into several", async () => {
  const folder = join(content.folder, "long-log");
  mkdirSync(folder);
  const signer = createSigner(generateKey("Ed25519"));
  const issuedAt = Math.floor(Date.now() / 1_000);
  const receipt: Receipt = {
    kind: "pin",
    scope: "local",
    cid: cidOfBlock(new Uint8Array()),
    action: "pin",
    class: "hot",
  };
  {
    await using log = await openAuditLog(folder);
    const entries = Array.from({ length: 401 }, () =>
      signReceipt(signer, receipt, { issuer: name, issuedAt }),
    );
    await Promise.all(entries.map((envelope) => log.append({ receipt: envelope })));
  }
  const written = JSON.parse(
    await holo("receipts", "export", "--folder", folder, "-O", "many.bundle", "-o", "json"),
  ) as { files: string[]; roots: object[]; verifyWith: string[] };
  assert.deepEqual(written.files, ["many-1.bundle", "many-2.bundle", "many-3.bundle"]);
  assert.deepEqual(written.roots, [{ name, kid: signer.kid, key: null }]);
  const root = `${name}=${formatStatementKey(signer.publicKey)}`;
  const counts = [];
  for (const file of written.files) {
    const rows = await holo("receipts", "bundle-verify", file, "--root", root, "-o", "json");
    counts.push((JSON.parse(rows) as object[]).length);
  }
  assert.deepEqual(counts, [200, 200, 1]);
});

test("a log that was changed is not taken for receipts, and one that is not there is missed", async () => {
  const log = content
    .filesIn(join(content.dataDir, "audit", "content"))
    .find((file) => !file.endsWith("head"));
  assert.ok(log !== undefined);
  await content.stop();
  const bytes = readFileSync(log);
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  writeFileSync(log, bytes);
  const refused = await content.holo(["receipts", "list"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /audit_/);
  const nowhere = await content.holo(["receipts", "list", "--node-data-dir", "nowhere"]);
  assert.equal(nowhere.code, 3);
  assert.match(nowhere.stderr, /there is no audit log/);
});
