import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { generateKey, mintToken, type TokenKey, tokenJwkOf } from "@catalyst/identity";
import { domain, newDataDir, openTestAuth, verifiedBy } from "../root/test-auth.ts";
import { BelievedKeys, withKeys } from "./believed-keys.ts";

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
  assert.equal(verifiedBy(auth.credentialsPublisher.current(), token, now).kind, "tokens");
  const apiKey = mintToken(key, {
    ...request,
    kind: "apikeys",
    issuer: `${issuer}/apikeys`,
    subject: "apikey:ci",
  });
  assert.deepEqual(verifiedBy(auth.credentialsPublisher.current(), apiKey.token, now), {
    kind: "refused",
    code: "token_key",
  });
  const own = await auth.credentialIssuer.mint({ subject, services: ["*"], ttlMs: 60_000 });
  assert.equal(verifiedBy(auth.credentialsPublisher.current(), own.token, now).kind, "tokens");
});

test("a key that signs API keys already signs no tokens, though somebody puts it into the JWK Set", async () => {
  await using plain = await openTestAuth();
  const [, apiKeys] = plain.credentialsPublisher.current().issuers;
  assert.ok(apiKeys !== undefined);
  const [told] = withKeys(
    [{ ...apiKeys, kind: "tokens", jwks: '{"keys":[]}' }, apiKeys],
    JSON.parse(apiKeys.jwks).keys,
  );
  assert.equal(told?.jwks, '{"keys":[]}');
});

test("a JWK Set that changes is taken up, and one that is damaged or gone leaves the keys before it in force", async () => {
  const set = (...keys: ReturnType<typeof generateKey>[]) =>
    JSON.stringify({ keys: keys.map(({ publicKey }) => tokenJwkOf(publicKey as TokenKey)) });
  const [one, two] = [generateKey("P-256"), generateKey("P-256")];
  const file = jwksFile(set(one));
  const keys = new BelievedKeys(file);
  const stop = new AbortController();
  const problems: string[] = [];
  let changes = 0;
  const options = {
    onChange: () => void changes++,
    onProblem: (problem: string) => void problems.push(problem),
  };
  const following = keys.follow({ signal: stop.signal, everyMs: 5, ...options });
  const kids = () => keys.keys.map(({ kid }) => kid);
  const until = async (holds: () => boolean) => {
    for (let left = 1_000; !holds() && left > 0; left--) await sleep(5);
    assert.ok(holds());
  };
  writeFileSync(file, set(one, two));
  await until(() => changes === 1);
  assert.deepEqual(kids(), [one.kid, two.kid]);
  writeFileSync(file, set(two).slice(0, -9));
  await until(() => problems.length === 1);
  rmSync(file);
  await until(() => problems.length === 2);
  assert.match(problems[0] ?? "", /jwksFile: not a JWK Set.*; the keys that it had before stay in force$/);
  assert.equal(keys.problem, problems[1]);
  assert.deepEqual(kids(), [one.kid, two.kid]);
  writeFileSync(file, set(two));
  await until(() => changes === 2);
  assert.deepEqual([kids(), keys.problem], [[two.kid], null]);
  stop.abort();
  await following;
});

test("a JWK Set that is none, or not there, stops the start with the option's name or the fault", async () => {
  const open = (file: string) => openTestAuth({ auth: { identity: { jwksFile: file } } });
  await assert.rejects(open(join(newDataDir(), "missing.json")), {
    code: "file_unreadable",
    message: /jwksFile/,
  });
  await assert.rejects(open(jwksFile("{}")), { code: "key_malformed" });
});
