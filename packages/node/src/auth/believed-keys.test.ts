import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { generateKey, mintToken, type TokenKey, tokenJwkOf } from "@catalyst/identity";
import { domain, newDataDir, openTestAuth, verifiedBy } from "./test-auth.ts";

function jwksFile(content: string): string {
  const folder = newDataDir();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "jwks.json");
  writeFileSync(file, content);
  return file;
}

test("a token that a key of the configured JWK Set signed is good, and an API key of it is not", async () => {
  const key = generateKey("P-256");
  const file = jwksFile(JSON.stringify({ keys: [tokenJwkOf(key.publicKey as TokenKey)] }));
  await using auth = await openTestAuth({ auth: { identity: { jwksFile: file } } });
  const { now } = auth.clock;
  const request = { audience: domain, services: ["*"], ttlMs: 60_000, now };
  const subject = `spiffe://${domain}/node/n9/gateway`;
  const issuer = `https://${domain}`;
  const token = mintToken(key, { ...request, kind: "tokens", issuer, subject }).token;
  assert.equal(verifiedBy(auth.bulletin.current(), token, now).kind, "tokens");
  const apiKey = mintToken(key, {
    ...request,
    kind: "apikeys",
    issuer: `${issuer}/apikeys`,
    subject: "apikey:ci",
  });
  assert.deepEqual(verifiedBy(auth.bulletin.current(), apiKey.token, now), {
    kind: "refused",
    code: "token_key",
  });
  const own = await auth.authority.mint({ subject, services: ["*"], ttlMs: 60_000 });
  assert.equal(verifiedBy(auth.bulletin.current(), own.token, now).kind, "tokens");
});

test("a JWK Set that is none, or not there, stops the start with the option's name or the fault", async () => {
  const open = (file: string) => openTestAuth({ auth: { identity: { jwksFile: file } } });
  await assert.rejects(open(join(newDataDir(), "missing.json")), {
    code: "file_unreadable",
    message: /jwksFile/,
  });
  await assert.rejects(open(jwksFile("{}")), { code: "key_malformed" });
});
