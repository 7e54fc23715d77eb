import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { verify } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createSigner, generateKey, IdentityError, openKeyStore, statementKid } from "@catalyst/identity";

const root = mkdtempSync(join(tmpdir(), "catalyst-keys-"));
after(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = () => join(root, `keys-${folders++}`);
const refusedAs = (code: string) => (error: unknown) => error instanceof IdentityError && error.code === code;

for (const algorithm of ["Ed25519", "P-256"] as const) {
  for (const passphrase of [null, "correct horse"] as const) {
    const how = passphrase === null ? "without a passphrase" : "with a passphrase";
    test(`${algorithm}, ${how}: the key that is opened is the one that was made`, async () => {
      const secret = passphrase === null ? {} : { passphrase };
      const store = await openKeyStore(newFolder());
      const made = await store.create("k", algorithm, secret);
      const opened = await store.open("k", secret);
      assert.deepEqual(opened.publicKey, made.publicKey);
      assert.equal(opened.kid, made.kid);
      assert.equal(made.encrypted, passphrase !== null);
      assert.deepEqual(await store.list(), [made]);
    });
  }
}

test("folder and file are the owner's alone", async () => {
  const folder = newFolder();
  const { path } = await (await openKeyStore(folder)).create("k", "Ed25519");
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("a file or a folder that others may read is refused", async () => {
  const folder = newFolder();
  const store = await openKeyStore(folder);
  const { path } = await store.create("k", "Ed25519");
  chmodSync(path, 0o640);
  await assert.rejects(store.open("k"), refusedAs("permissions_open"));
  await assert.rejects(store.list(), refusedAs("permissions_open"));
  chmodSync(folder, 0o755);
  await assert.rejects(openKeyStore(folder), refusedAs("permissions_open"));
});

test("a key is never overwritten, by any of those who try at the same time", async () => {
  const folder = newFolder();
  const store = await openKeyStore(folder);
  const tries = await Promise.allSettled(Array.from({ length: 4 }, () => store.create("k", "Ed25519")));
  const made = tries.filter((one) => one.status === "fulfilled");
  assert.equal(made.length, 1);
  assert.equal(made[0]?.value.kid, (await store.open("k")).kid);
  for (const one of tries) {
    if (one.status === "rejected") {
      assert.ok(one.reason instanceof IdentityError);
      assert.ok(["key_exists", "keys_in_use"].includes(one.reason.code), one.reason.code);
    }
  }
  await assert.rejects(store.create("k", "P-256"), refusedAs("key_exists"));
});

test("no passphrase, a wrong one and an empty one are told apart", async () => {
  const store = await openKeyStore(newFolder());
  await store.create("k", "Ed25519", { passphrase: "one" });
  await assert.rejects(store.open("k"), refusedAs("passphrase_missing"));
  await assert.rejects(store.open("k", { passphrase: "two" }), refusedAs("passphrase_wrong"));
  await assert.rejects(store.create("l", "Ed25519", { passphrase: "" }), refusedAs("passphrase_missing"));
});

test("a passphrase that is not needed does no harm", async () => {
  const store = await openKeyStore(newFolder());
  const { kid } = await store.create("k", "Ed25519");
  assert.equal((await store.open("k", { passphrase: "needless" })).kid, kid);
});

test("an encrypted file does not hold the key, and OpenSSL reads it with its parameters", async () => {
  const store = await openKeyStore(newFolder());
  const { path } = await store.create("k", "Ed25519", { passphrase: "one" });
  const plain = (await store.open("k", { passphrase: "one" })).secret.export({ format: "jwk" }).d ?? "";
  const text = readFileSync(path, "utf8");
  assert.ok(!text.includes(Buffer.from(plain, "base64url").toString("base64").slice(0, 20)));
  const shown = execFileSync("openssl", ["asn1parse", "-in", path], { encoding: "utf8" });
  assert.match(shown, /PBES2[\s\S]*scrypt[\s\S]*INTEGER\s*:4000[\s\S]*:08[\s\S]*:05[\s\S]*aes-256-cbc/);
  const key = execFileSync("openssl", ["pkey", "-in", path, "-passin", "pass:one"], { encoding: "utf8" });
  assert.match(key, /BEGIN PRIVATE KEY/);
});

test("a name that is no DNS label never reaches the file system", async () => {
  const store = await openKeyStore(newFolder());
  for (const name of ["", "..", "../k", "a/b", "K", "k.pem", "-k", "k\u0000", "a".repeat(64)]) {
    await assert.rejects(store.create(name, "Ed25519"), refusedAs("key_name"), name);
    await assert.rejects(store.open(name), refusedAs("key_name"), name);
  }
});

test("a missing key, a file that is none, and a pair that does not belong together are told apart", async () => {
  const folder = newFolder();
  const store = await openKeyStore(folder);
  await assert.rejects(store.open("k"), refusedAs("key_not_found"));
  const one = readFileSync((await store.create("one", "Ed25519")).path, "utf8");
  const two = readFileSync((await store.create("two", "Ed25519")).path, "utf8");
  const cases = {
    empty: "",
    mixed: one.slice(0, one.indexOf("-----BEGIN PUBLIC")) + two.slice(two.indexOf("-----BEGIN PUBLIC")),
    "no-public": one.slice(0, one.indexOf("-----BEGIN PUBLIC")),
    broken: one.replace(/PRIVATE KEY-----\n..../, "PRIVATE KEY-----\n!!!!"),
    large: one + " ".repeat(20_000),
  };
  for (const [name, text] of Object.entries(cases)) {
    writeFileSync(join(folder, `${name}.pem`), text, { mode: 0o600 });
    await assert.rejects(store.open(name), refusedAs("key_damaged"), name);
  }
});

test("a folder that cannot be one is refused with the system's reason", async () => {
  const path = newFolder();
  writeFileSync(path, "");
  await assert.rejects(openKeyStore(path), refusedAs("keys_unreadable"));
  const loop = newFolder();
  symlinkSync(loop, loop);
  await assert.rejects(openKeyStore(loop), refusedAs("keys_unreadable"));
});

test("a key that is removed is gone, and one that is not there is as good as removed", async () => {
  const store = await openKeyStore(newFolder());
  await store.remove("k");
  await store.create("k", "P-256");
  await store.remove("k");
  assert.deepEqual(await store.list(), []);
  await assert.rejects(store.remove("../k"), refusedAs("key_name"));
});

test("a signer signs with Ed25519 alone, under the kid of RFC 9679", () => {
  assert.throws(() => createSigner(generateKey("P-256")), refusedAs("key_algorithm"));
  const key = generateKey("Ed25519");
  const signer = createSigner(key);
  assert.equal(signer.kid, statementKid(signer.publicKey));
  const message = Buffer.from("a statement");
  assert.ok(verify(null, message, key.secret, signer.sign(message)));
});

test("a private key does not show in what is printed", () => {
  const key = generateKey("Ed25519");
  const secret = key.secret.export({ format: "jwk" }).d ?? "";
  assert.ok(secret.length > 0);
  assert.ok(!JSON.stringify(key).includes(secret));
});
