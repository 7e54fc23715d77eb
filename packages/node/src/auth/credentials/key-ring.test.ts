import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { armFailpoints } from "@catalyst/durable";
import { paths } from "../../paths.ts";
import { dayMs, domain, newDataDir, openTestAuth, verifiedBy } from "../root/test-auth.ts";

type Auth = Awaited<ReturnType<typeof openTestAuth>>;

const subject = `spiffe://${domain}/node/n1/gateway`;
const mint = ({ credentialIssuer }: Auth) =>
  credentialIssuer.mint({ subject, services: ["products"], ttlMs: 3_600_000 });
const filesOf = (dataDir: string) =>
  readdirSync(paths.signingKeys(dataDir)).filter((name) => name.endsWith(".pem"));
const statesOf = ({ rings }: Auth) => rings.tokens.all().map(({ state }) => state);

test("each kind has one key that signs and one that waits, in files of their own that the owner alone may read", async () => {
  await using auth = await openTestAuth();
  assert.deepEqual(statesOf(auth).sort(), ["next", "signing"]);
  const kids = auth.credentialIssuer.signingKeys().map(({ kid }) => kid);
  assert.equal(new Set(kids).size, 4);
  const files = filesOf(auth.dataDir);
  assert.deepEqual(files.map((name) => name.split("-")[0]).sort(), [
    "apikeys",
    "apikeys",
    "tokens",
    "tokens",
  ]);
  for (const name of files)
    assert.equal(statSync(join(paths.signingKeys(auth.dataDir), name)).mode & 0o777, 0o600);
});

test("the keys are the same after a start, and encrypted where there is a passphrase", async () => {
  const dataDir = newDataDir();
  const passphraseFile = `${dataDir}.passphrase`;
  writeFileSync(passphraseFile, "correct horse\n");
  const open = (file = passphraseFile) => openTestAuth({ dataDir, auth: { passphraseFile: file } });
  const first = await open();
  const before = first.credentialIssuer.signingKeys();
  const { token } = await mint(first);
  await first[Symbol.asyncDispose]();
  for (const name of filesOf(dataDir))
    assert.match(readFileSync(join(paths.signingKeys(dataDir), name), "utf8"), /BEGIN ENCRYPTED PRIVATE KEY/);
  {
    await using again = await open();
    assert.deepEqual(again.credentialIssuer.signingKeys(), before);
    assert.equal(verifiedBy(again.credentialsPublisher.current(), token, again.clock.now).kind, "tokens");
  }
  writeFileSync(`${passphraseFile}.wrong`, "wrong\n");
  await assert.rejects(open(`${passphraseFile}.wrong`), { code: "passphrase_wrong" });
});

test("a key signs for its days, then verifies until what it signed has expired; its private part is gone at once", async () => {
  await using auth = await openTestAuth();
  const { token } = await mint(auth);
  const old = auth.rings.tokens.all().find(({ state }) => state === "signing");
  auth.clock.now += 30 * dayMs - 1;
  await auth.credentialIssuer.keepUp();
  assert.deepEqual(statesOf(auth).sort(), ["next", "signing"]);
  const late = await mint(auth);
  auth.clock.now += 1;
  await auth.credentialIssuer.keepUp();
  assert.deepEqual(statesOf(auth).sort(), ["next", "signing", "verifying"]);
  assert.ok(!filesOf(auth.dataDir).includes(`${old?.file}.pem`));
  assert.equal(filesOf(auth.dataDir).length, 4);
  const credentials = auth.credentialsPublisher.current();
  assert.equal(verifiedBy(credentials, late.token, auth.clock.now).kind, "tokens");
  assert.deepEqual(verifiedBy(credentials, token, auth.clock.now), {
    kind: "refused",
    code: "token_expired",
  });
  auth.clock.now += 3_600_000 + 60_000;
  await auth.credentialIssuer.keepUp();
  assert.deepEqual(statesOf(auth).sort(), ["next", "signing"]);
});

test("the key of an API key verifies for as long as the API key is good, however often keys change meanwhile", async () => {
  await using auth = await openTestAuth();
  const { key } = await auth.credentialIssuer.createApiKey({
    name: "ci",
    services: ["*"],
    ttlMs: 365 * dayMs,
  });
  for (let day = 0; day < 364; day += 7) {
    auth.clock.now += 7 * dayMs;
    await auth.credentialIssuer.keepUp();
    assert.equal(verifiedBy(auth.credentialsPublisher.current(), key, auth.clock.now).kind, "apikeys");
  }
  await auth.credentialIssuer.keepUp();
  assert.equal(auth.rings.apikeys.all().length, 3);
  auth.clock.now += 2 * dayMs;
  await auth.credentialIssuer.keepUp();
  assert.equal(auth.rings.apikeys.all().length, 2);
});

test("a rotation that is asked for happens at once, unless the next key is too new", async () => {
  await using auth = await openTestAuth();
  const { token } = await mint(auth);
  await assert.rejects(auth.credentialIssuer.rotate({ kind: "tokens" }), {
    name: "RpcError",
    code: "key_too_new",
  });
  auth.clock.now += 600_000;
  const version = auth.version.current;
  const keys = await auth.credentialIssuer.rotate({ kind: "tokens" });
  assert.deepEqual(keys.map(({ kind, state }) => `${kind} ${state}`).sort(), [
    "apikeys next",
    "apikeys signing",
    "tokens next",
    "tokens signing",
    "tokens verifying",
  ]);
  assert.ok(auth.version.current > version);
  const credentials = auth.credentialsPublisher.current();
  for (const each of [token, (await mint(auth)).token])
    assert.equal(verifiedBy(credentials, each, auth.clock.now).kind, "tokens");
});

test("a key that verifies is removed when it was said to be, whether it signed or not", async () => {
  await using auth = await openTestAuth();
  const signed = await mint(auth);
  auth.clock.now += 600_000;
  await auth.credentialIssuer.rotate({ kind: "apikeys" });
  const keys = await auth.credentialIssuer.rotate({ kind: "tokens" });
  const untilOf = (of: string) =>
    Date.parse(keys.find(({ kind, state }) => kind === of && state === "verifying")?.until ?? "");
  assert.equal(untilOf("apikeys"), auth.clock.now);
  assert.ok(untilOf("tokens") >= Date.parse(signed.expiresAt) + 60_000);
  await auth.credentialIssuer.keepUp();
  assert.ok(!auth.rings.apikeys.all().some(({ state }) => state === "verifying"));
  auth.clock.now = untilOf("tokens") - 1;
  await auth.credentialIssuer.keepUp();
  assert.ok(statesOf(auth).includes("verifying"));
  auth.clock.now += 1;
  await auth.credentialIssuer.keepUp();
  assert.ok(!statesOf(auth).includes("verifying"));
});

test("two rotations at the same time are one", async () => {
  await using auth = await openTestAuth();
  auth.clock.now += 600_000;
  const { rings } = auth;
  await Promise.all([rings.tokens.rotate(true), rings.tokens.rotate(true), rings.tokens.rotate()]);
  assert.equal(rings.tokens.all().filter(({ state }) => state === "signing").length, 1);
  assert.equal(filesOf(auth.dataDir).length, 4);
});

test("when the file of the key that signs is gone, the next one signs, and what was signed stays good", async () => {
  const dataDir = newDataDir();
  const first = await openTestAuth({ dataDir });
  const { token } = await mint(first);
  const signing = first.rings.tokens.all().find(({ state }) => state === "signing");
  await first[Symbol.asyncDispose]();
  rmSync(join(paths.signingKeys(dataDir), `${signing?.file}.pem`));
  await using again = await openTestAuth({ dataDir });
  assert.deepEqual(statesOf(again).sort(), ["next", "signing", "verifying"]);
  for (const each of [token, (await mint(again)).token])
    assert.equal(verifiedBy(again.credentialsPublisher.current(), each, again.clock.now).kind, "tokens");
});

test("a file that is another key than the one that was published is refused", async () => {
  const dataDir = newDataDir();
  const first = await openTestAuth({ dataDir });
  const [one, two] = first.rings.tokens
    .all()
    .map(({ file }) => join(paths.signingKeys(dataDir), `${file}.pem`));
  await first[Symbol.asyncDispose]();
  const texts = [readFileSync(one ?? ""), readFileSync(two ?? "")];
  writeFileSync(one ?? "", texts[1] ?? "");
  writeFileSync(two ?? "", texts[0] ?? "");
  await assert.rejects(openTestAuth({ dataDir }), { name: "IdentityError", code: "key_damaged" });
});

test("a rotation that the disk refuses leaves the key that signs, and is made up for later", async () => {
  await using auth = await openTestAuth();
  auth.clock.now += 30 * dayMs;
  for (const failing of ["database.commit.before", "replace.before_fsync", "auth.key.made"]) {
    using _ = armFailpoints(`${failing}=error:ENOSPC`);
    await assert.rejects(auth.credentialIssuer.keepUp(), { code: "disk_full" }, failing);
    assert.equal(
      verifiedBy(auth.credentialsPublisher.current(), (await signed(auth)).token, auth.clock.now).kind,
      "tokens",
    );
  }
  await auth.credentialIssuer.keepUp();
  assert.ok(statesOf(auth).includes("next") && statesOf(auth).includes("signing"));
});

/** A token that needs no write: the key covers it already. */
function signed({ rings, issuers, clock }: Auth) {
  const { issuer, audience } = issuers.tokens;
  using _ = armFailpoints("");
  return rings.tokens.mint({ issuer, audience, subject, services: ["*"], ttlMs: 1_000, now: clock.now }, 0);
}

const steps = [
  "replace.before_fsync",
  "replace.before_rename",
  "replace.before_folder_fsync",
  "auth.key.made",
  "database.commit.before",
  "database.commit.after",
  "auth.key.promoted",
  "file.remove",
  "folder.sync",
];

for (const step of steps) {
  test(`killed at ${step} of a rotation, the old key signs or the new one, and what was signed stays good`, async () => {
    const dataDir = newDataDir();
    const at = 1_800_000_000_000;
    const first = await openTestAuth({ dataDir, at });
    const { key } = await first.credentialIssuer.createApiKey({ services: ["*"], ttlMs: 300 * dayMs });
    await first[Symbol.asyncDispose]();
    const later = at + 100 * dayMs;
    const source = JSON.stringify(join(import.meta.dirname, "../root/test-auth.ts"));
    const program = `const { openTestAuth } = await import(${source});
      await openTestAuth({ dataDir: ${JSON.stringify(dataDir)}, at: ${later} });`;
    const args = ["--input-type=module", "--eval", program];
    const env = { ...process.env, CATALYST_FAILPOINT: `${step}=kill` };
    const { signal, stderr } = spawnSync(process.execPath, args, { cwd: import.meta.dirname, env });
    assert.equal(signal, "SIGKILL", String(stderr));
    await using again = await openTestAuth({ dataDir, at: later });
    const keys = again.credentialIssuer.signingKeys();
    for (const kind of ["tokens", "apikeys"]) {
      for (const state of ["signing", "next"])
        assert.equal(keys.filter((each) => each.kind === kind && each.state === state).length, 1);
    }
    assert.equal(filesOf(dataDir).length, 4);
    assert.equal(verifiedBy(again.credentialsPublisher.current(), key, later).kind, "apikeys");
    const { token } = await mint(again);
    assert.equal(verifiedBy(again.credentialsPublisher.current(), token, later).kind, "tokens");
  });
}
