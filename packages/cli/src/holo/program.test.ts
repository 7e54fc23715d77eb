import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { encodeBundle, encodeReceiptFile, openAuditLog, type Receipt, signReceipt } from "@catalyst/evidence";
import { createSigner, formatStatementKey, generateKey, openKeyStore } from "@catalyst/identity";
import { cidOfBlock } from "@catalyst/wire";

const folder = mkdtempSync(join(tmpdir(), "catalyst-holo-"));
after(() => rmSync(folder, { recursive: true }));

type Result = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command line as a person would, without a terminal, in an empty folder. */
function run(bin: string, args: readonly string[]): Promise<Result> {
  const program = join(import.meta.dirname, "../../bin", `${bin}.js`);
  const options = { cwd: folder, env: { PATH: process.env["PATH"], HOME: folder } };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

const holo = (...args: readonly string[]) => run("holo", args);
const issuedAt = Math.floor(Date.now() / 1_000);
const receipt: Receipt = {
  kind: "storage",
  scope: "local",
  cid: cidOfBlock(new Uint8Array()),
  size: 0,
  added: 0,
};
const parties = ["n1.acme.internal", "n1.umbrella.internal"].map((issuer) => ({
  issuer,
  signer: createSigner(generateKey("Ed25519")),
}));
const envelopes = parties.map(({ issuer, signer }) => signReceipt(signer, receipt, { issuer, issuedAt }));
const roots = parties.flatMap(({ issuer, signer }) => [
  "--root",
  `${issuer}=${formatStatementKey(signer.publicKey)}`,
]);

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

test("a key that is made is listed and shown, and no secret of it", async () => {
  const made = await holo("keys", "create", "statements", "--folder", "keys", "-o", "json");
  assert.equal(made.code, 0, made.stderr);
  const view = JSON.parse(made.stdout) as Record<string, unknown>;
  const shown = await holo("keys", "show", "statements", "--folder", "keys", "-o", "json");
  assert.deepEqual(JSON.parse(shown.stdout), view);
  const listed = await holo("keys", "list", "--folder", "keys");
  assert.match(listed.stdout, new RegExp(`^statements +Ed25519 +no +${String(view["kid"])}$`, "m"));
  const again = await holo("keys", "create", "statements", "--folder", "keys");
  assert.equal(again.code, 1);
  assert.match(again.stderr, /key_exists/);
  assert.equal((await holo("keys", "show", "nothing", "--folder", "keys")).code, 3);
  assert.equal((await holo("keys", "create", "Statements", "--folder", "keys")).code, 2);
  const opened = await (await openKeyStore(join(folder, "keys"))).open("statements");
  const secret = opened.secret.export({ format: "jwk" }).d ?? "?";
  for (const { stdout } of [made, shown, listed]) assert.ok(!stdout.includes(secret));
});

test("looking for keys where there are none makes no folder", async () => {
  const listed = await holo("keys", "list", "--folder", "no-keys", "-o", "json");
  assert.deepEqual([listed.code, listed.stdout], [0, "[]\n"]);
  assert.equal((await holo("keys", "show", "statements", "--folder", "no-keys")).code, 3);
  assert.ok(!existsSync(join(folder, "no-keys")));
});

test("a key is encrypted with the first line of a file", async () => {
  const passphrase = file("passphrase", Buffer.from("correct horse\nsecond line\n"));
  const made = await holo("keys", "create", "secret", "--folder", "keys", "--passphrase-file", passphrase);
  assert.equal(made.code, 0, made.stderr);
  const store = await openKeyStore(join(folder, "keys"));
  assert.equal((await store.open("secret", { passphrase: "correct horse" })).publicKey.algorithm, "Ed25519");
});

test("of a file that does not end no more is read than a receipt or a bundle may have", async (t) => {
  if (!existsSync("/dev/zero")) return t.skip("there is no /dev/zero");
  for (const command of ["verify", "bundle-verify"]) {
    const { code, stdout } = await holo("receipts", command, "/dev/zero", ...roots);
    assert.equal(code, 1);
    assert.match(stdout, /too_large/);
  }
});

test("receipts verify under the roots that are given, signed by one and by two", async () => {
  mkdirSync(join(folder, "receipts"));
  file("receipts/one.receipt", encodeReceiptFile(envelopes.slice(0, 1)));
  file("receipts/two.receipt", encodeReceiptFile(envelopes));
  const { code, stdout } = await holo("receipts", "verify", "receipts", ...roots, "-o", "json");
  assert.equal(code, 0);
  assert.deepEqual(
    (JSON.parse(stdout) as { kind: string; signers: string[] }[]).map(({ kind, signers }) => [
      kind,
      signers.length,
    ]),
    [
      ["storage", 1],
      ["storage", 2],
    ],
  );
});

test("a receipt of somebody who is not trusted, a changed one, and one from tomorrow fail with their codes", async () => {
  const path = file("one.receipt", encodeReceiptFile(envelopes.slice(0, 1)));
  const [name = "", key = ""] = roots.slice(2);
  const other = await holo("receipts", "verify", path, name, key);
  assert.equal(other.code, 1);
  assert.match(other.stdout, /no .*issuer_untrusted/);
  const changed = Uint8Array.from(envelopes[0] ?? new Uint8Array());
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  const spoiled = await holo("receipts", "verify", file("changed.receipt", changed), ...roots);
  assert.equal(spoiled.code, 1);
  assert.match(spoiled.stdout, /signature_invalid/);
  const early = await holo("receipts", "verify", ...roots, "--as-of", "2020-01-01T00:00:00Z", path);
  assert.match(early.stdout, /issued_in_future/);
});

test("a bundle verifies with the key that it carries, under a root of its kid alone", async () => {
  const [first] = parties;
  assert.ok(first !== undefined);
  const keys = [first.signer.publicKey];
  const path = file("all.bundle", encodeBundle({ receipts: [envelopes.slice(0, 1)], keys }));
  const root = `*.acme.internal=kid:${first.signer.kid}`;
  const { code, stdout } = await holo("receipts", "bundle-verify", path, "--root", root);
  assert.equal(code, 0);
  assert.match(stdout, /all\.bundle +yes +storage +20\d\d-\S+Z +n1\.acme\.internal/);
});

test("the roots of a configuration are believed like those given as flags, beside them, and not in secret", async () => {
  const [first, second] = parties;
  assert.ok(first !== undefined && second !== undefined);
  const root = {
    name: first.issuer,
    kid: first.signer.kid,
    key: formatStatementKey(first.signer.publicKey),
  };
  const config = file("trust.json", Buffer.from(JSON.stringify({ auth: { trust: { roots: [root] } } })));
  const one = file("one.receipt", encodeReceiptFile(envelopes.slice(0, 1)));
  const two = file("two.receipt", encodeReceiptFile(envelopes));
  assert.equal((await holo("receipts", "verify", one, "--config", config)).code, 0);
  assert.match((await holo("receipts", "verify", two, "--config", config)).stdout, /issuer_untrusted/);
  const flags = roots.slice(2);
  assert.equal((await holo("receipts", "verify", two, "--config", config, ...flags)).code, 0);
  const inFolder = file("catalyst.json", readFileSync(config));
  assert.equal((await holo("receipts", "verify", one)).code, 0);
  assert.match((await holo("receipts", "verify", one, ...flags)).stdout, /issuer_untrusted/);
  rmSync(inFolder);
});

test("what a receipt says, and when, is printed as JSON", async () => {
  const path = file("one.receipt", encodeReceiptFile(envelopes.slice(0, 1)));
  const { stdout } = await holo("receipts", "verify", path, ...roots, "-o", "json");
  const [row] = JSON.parse(stdout) as { receipt: object; issuedAt: string }[];
  assert.deepEqual(row?.receipt, receipt);
  assert.equal(Date.parse(row?.issuedAt ?? ""), issuedAt * 1_000);
});

test("a root that is none, a time that is none and a file that is not there are told apart by exit codes", async () => {
  const path = file("one.receipt", encodeReceiptFile(envelopes.slice(0, 1)));
  const nobody = await holo("receipts", "verify", path);
  assert.equal(nobody.code, 2);
  assert.match(nobody.stderr, /nobody is believed: say who is with --root/);
  for (const root of ["acme", "acme=key", "Acme=kid:x", "acme=", `acme=${"A".repeat(43)}`]) {
    const { code, stderr } = await holo("receipts", "verify", path, "--root", root);
    assert.equal(code, 2, root);
    assert.match(stderr, /--root/);
  }
  assert.equal((await holo("receipts", "verify", path, ...roots, "--key", "?")).code, 2);
  assert.equal((await holo("receipts", "verify", path, ...roots, "--as-of", "soon")).code, 2);
  assert.equal((await holo("receipts", "verify", join(folder, "nothing.receipt"), ...roots)).code, 3);
});

test("catalyst audit verify prints the head, and misses what is gone since", async () => {
  const audit = join(folder, "audit");
  mkdirSync(audit);
  {
    await using log = await openAuditLog(audit);
    await log.append({ action: { actor: "alice", action: "up", target: "n1", outcome: "done" } });
    await log.append({ receipt: envelopes[0] ?? new Uint8Array() });
  }
  const verified = await run("catalyst", ["audit", "verify", "--folder", audit]);
  assert.equal(verified.code, 0, verified.stderr);
  const head = /^audit +2 +1 +1 +(2:[0-9a-f]{64})$/m.exec(verified.stdout)?.[1] ?? "";
  assert.equal((await run("catalyst", ["audit", "verify", "--folder", audit, "--head", head])).code, 0);
  const later = await run("catalyst", [
    "audit",
    "verify",
    "--folder",
    audit,
    "--head",
    head.replace("2:", "3:"),
  ]);
  assert.equal(later.code, 1);
  assert.match(later.stderr, /audit_truncated/);
  assert.equal((await run("catalyst", ["audit", "verify", "--folder", audit, "--head", "2"])).code, 2);
});

test("catalyst audit verify verifies the log of each process of a node", async () => {
  const dataDir = join(folder, "data");
  const config = file("node.json", Buffer.from(JSON.stringify({ node: { dataDir } })));
  const verify = (...args: string[]) => run("catalyst", ["audit", "verify", "--config", config, ...args]);
  assert.equal((await verify()).code, 3);
  for (const name of ["content", "orchestrator"]) {
    mkdirSync(join(dataDir, "audit", name), { recursive: true });
    await using _ = await openAuditLog(join(dataDir, "audit", name));
  }
  const { stdout } = await verify("-o", "json");
  assert.deepEqual(
    (JSON.parse(stdout) as { log: string; entries: number }[]).map(({ log, entries }) => [log, entries]),
    [
      ["content", 0],
      ["orchestrator", 0],
    ],
  );
  assert.equal((await verify("--head", `1:${"0".repeat(64)}`)).code, 2);
});

test("catalyst audit verify verifies the receipts too, where it is told whom to believe", async () => {
  const audit = join(folder, "audit-of-receipts");
  mkdirSync(audit);
  {
    await using log = await openAuditLog(audit);
    await log.append({ receipt: envelopes[0] ?? new Uint8Array() });
  }
  const verify = (...args: string[]) => run("catalyst", ["audit", "verify", "--folder", audit, ...args]);
  assert.match((await verify()).stderr, /receipts were not verified: say who is believed/);
  assert.match((await verify(...roots)).stdout, /^audit-of-receipts +1 +1 verified +0 /m);
  const others = await verify(...roots.slice(2));
  assert.equal(others.code, 1);
  assert.match(others.stderr, /entry 1: .*issuer_untrusted/);
});
