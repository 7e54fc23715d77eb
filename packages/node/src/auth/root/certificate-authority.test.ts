import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { armFailpoints } from "@catalyst/durable";
import { readProcessIdentity, toPem } from "@catalyst/identity";
import { paths } from "../../paths.ts";
import { dayMs, domain, newDataDir, openTestAuth } from "./test-auth.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const id = { domain, node: "n1", process: "auth" };

test("the authorities stay the same from one start to the next", async () => {
  const dataDir = newDataDir();
  const thumbprint = async () => {
    await using auth = await openTestAuth({ dataDir });
    return [auth.certificateAuthority.rootThumbprint(), auth.certificateAuthority.lives()];
  };
  assert.deepEqual(await thumbprint(), await thumbprint());
});

for (const step of [
  "auth.root.key_made",
  "auth.issuing.key_made",
  "auth.issuing.made",
  "database.commit.before",
]) {
  test(`a first start that fails at ${step} is made up for by the next one`, async () => {
    const dataDir = newDataDir();
    {
      // The first commits are those of the token keys.
      using _ = armFailpoints(`${step}=error${step.startsWith("database") ? "@12" : ""}`);
      await openTestAuth({ dataDir }).then(
        (auth) => auth[Symbol.asyncDispose](),
        () => undefined,
      );
    }
    await using auth = await openTestAuth({ dataDir });
    const { chain } = await auth.certificateAuthority.issue(id, publicKey);
    const text = chain.map((der) => toPem("CERTIFICATE", der)).join("") + key;
    assert.deepEqual(readProcessIdentity(text).id, id);
    assert.equal(auth.certificateAuthority.roots().length, 1);
  });
}

test("the root's key may be elsewhere for as long as the issuing authority is good", async () => {
  const dataDir = newDataDir();
  await using auth = await openTestAuth({ dataDir });
  const { certificateAuthority, clock } = auth;
  const [here, away] = [join(paths.authorityKeys(dataDir), "root.pem"), join(dataDir, "root.pem")];
  renameSync(here, away);
  await certificateAuthority.keepUp();
  assert.equal(certificateAuthority.problem, null);
  clock.now += 183 * dayMs;
  await certificateAuthority.keepUp();
  assert.match(certificateAuthority.problem ?? "", /bring root\.pem back until then/);
  await certificateAuthority.issue(id, publicKey);
  renameSync(away, here);
  const before = certificateAuthority.lives();
  await certificateAuthority.keepUp();
  assert.equal(certificateAuthority.problem, null);
  assert.ok(certificateAuthority.lives().issuing > before.issuing);
  assert.equal(certificateAuthority.lives().root, before.root);
});

test("when the issuing authority has expired nothing is signed, and it is said what to do", async () => {
  const dataDir = newDataDir();
  await using auth = await openTestAuth({ dataDir });
  renameSync(join(paths.authorityKeys(dataDir), "root.pem"), join(dataDir, "root.pem"));
  auth.clock.now += 366 * dayMs;
  await assert.rejects(auth.certificateAuthority.issue(id, publicKey), /bring the root's key back/);
});

test("the keys of the authorities are encrypted where there is a passphrase", async () => {
  const { mkdirSync, readdirSync, readFileSync, writeFileSync } = await import("node:fs");
  const dataDir = newDataDir();
  mkdirSync(dataDir, { recursive: true });
  const passphraseFile = join(dataDir, "passphrase");
  writeFileSync(passphraseFile, "correct horse\n", { mode: 0o600 });
  await using auth = await openTestAuth({ dataDir, auth: { passphraseFile } });
  await auth.certificateAuthority.issue(id, publicKey);
  const folder = paths.authorityKeys(dataDir);
  const files = readdirSync(folder).filter((name) => name.endsWith(".pem"));
  assert.equal(files.length, 2);
  for (const file of files)
    assert.match(readFileSync(join(folder, file), "utf8"), /BEGIN ENCRYPTED PRIVATE KEY/);
});
