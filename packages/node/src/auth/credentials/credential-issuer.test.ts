import assert from "node:assert/strict";
import { test } from "node:test";
import { armFailpoints } from "@catalyst/durable";
import { type AuditedAction, verifyAudit } from "@catalyst/evidence";
import fc from "fast-check";
import { paths } from "../../paths.ts";
import { dayMs, domain, newDataDir, openTestAuth, verifiedBy } from "../root/test-auth.ts";
import { CredentialIssuer } from "./credential-issuer.ts";

type Auth = Awaited<ReturnType<typeof openTestAuth>>;

const make = ({ credentialIssuer }: Auth, name: string, ttlMs = dayMs) =>
  credentialIssuer.createApiKey({ name, services: ["products"], ttlMs });
const refusedAs = (code: string) => ({ name: "RpcError", code });
const list = ({ credentialIssuer }: Auth) => credentialIssuer.listApiKeys({ limit: 1_000 });

async function actionsOf({ dataDir }: Auth): Promise<AuditedAction[]> {
  const actions: AuditedAction[] = [];
  await verifyAudit(paths.audit(dataDir, "auth"), {
    onEntry: ({ event }) => void ("action" in event && actions.push(event.action)),
    settleMs: 0,
  });
  return actions;
}

test("an API key verifies for its services until it expires, and what is kept of it is not the key", async () => {
  await using auth = await openTestAuth();
  const { key, ...record } = await make(auth, "ci");
  const verified = verifiedBy(auth.credentialsPublisher.current(), key, auth.clock.now);
  assert.ok(verified.kind === "apikeys");
  const { sub, jti, aud, services } = verified.claims;
  assert.deepEqual([sub, jti, aud, services], ["apikey:ci", record.id, domain, ["products"]]);
  assert.deepEqual(list(auth), [{ ...record, revokedAt: null }]);
  assert.ok(!JSON.stringify(list(auth)).includes(key.split(".")[2] ?? ""));
  auth.clock.now += dayMs + 5_000;
  assert.equal(verifiedBy(auth.credentialsPublisher.current(), key, auth.clock.now).kind, "refused");
});

test("a token is for a process of the organisation alone, and for no longer than may be", async () => {
  await using auth = await openTestAuth();
  const mint = (subject: string, ttlMs = 60_000) =>
    auth.credentialIssuer.mint({ subject, services: ["graphql"], ttlMs });
  const { token, jti, expiresAt } = await mint(`spiffe://${domain}/node/n1/gateway`);
  const verified = verifiedBy(auth.credentialsPublisher.current(), token, auth.clock.now);
  assert.ok(verified.kind === "tokens");
  assert.equal(verified.claims.jti, jti);
  assert.equal(Date.parse(expiresAt), auth.clock.now + 60_000);
  await assert.rejects(mint("spiffe://other.internal/node/n1/gateway"), refusedAs("invalid_request"));
  await assert.rejects(mint(`spiffe://${domain}.evil/node/n1/gateway`), refusedAs("invalid_request"));
  await assert.rejects(mint(`spiffe://${domain}/node/n1/gateway`, 3_600_001), refusedAs("ttl_too_long"));
});

test("a revoked key is refused by all who were told since, by its name or its id, and a second time changes nothing", async () => {
  await using auth = await openTestAuth();
  const [one, two] = [await make(auth, "one"), await make(auth, "two")];
  const before = auth.version.current;
  const revoked = await auth.credentialIssuer.revokeApiKey({ key: "one" });
  assert.equal(auth.version.current, before + 1);
  auth.clock.now += 1_000;
  assert.deepEqual(await auth.credentialIssuer.revokeApiKey({ key: one.id }), revoked);
  assert.equal(auth.version.current, before + 1);
  const credentials = auth.credentialsPublisher.current();
  const refused = { kind: "refused", code: "token_revoked" };
  assert.deepEqual(verifiedBy(credentials, one.key, auth.clock.now), refused);
  assert.equal(verifiedBy(credentials, two.key, auth.clock.now).kind, "apikeys");
  await assert.rejects(auth.credentialIssuer.revokeApiKey({ key: "three" }), refusedAs("api_key_unknown"));
});

test("what is told of a key is what a verifier makes of it: also when less is allowed later, and more again", async () => {
  const dataDir = newDataDir();
  const reopened = (maxApiKeyDays: number) => openTestAuth({ dataDir, auth: { keys: { maxApiKeyDays } } });
  const keys = new Map<string, string>();
  {
    await using auth = await reopened(30);
    for (const [name, days] of Object.entries({ brief: 7, just: 10, long: 30, gone: 30 })) {
      auth.clock.now += 1; // not at a whole second
      keys.set(name, (await make(auth, name, days * dayMs)).key);
    }
    await auth.credentialIssuer.revokeApiKey({ key: "gone" });
  }
  const statesAt = async (maxApiKeyDays: number, later = 0) => {
    await using auth = await reopened(maxApiKeyDays);
    auth.clock.now += later;
    const states: Record<string, string> = {};
    for (const { name, state } of list(auth)) {
      const verified = verifiedBy(auth.credentialsPublisher.current(), keys.get(name) ?? "", auth.clock.now);
      const told = verified.kind === "refused" ? verified.code : "good";
      assert.equal(state === "overlong" ? "token_lifetime" : told, told, name);
      assert.equal(state === "good", told === "good", name);
      assert.equal(auth.view.explain("apikey", name).result, state);
      states[name] = state;
    }
    const good = Object.values(states).filter((state) => state === "good");
    assert.equal(auth.view.details().apiKeys.live, good.length);
    return states;
  };
  const gone = "revoked";
  assert.deepEqual(await statesAt(30), { brief: "good", just: "good", long: "good", gone });
  assert.deepEqual(await statesAt(10), { brief: "good", just: "good", long: "overlong", gone });
  assert.deepEqual(await statesAt(30, 8 * dayMs), { brief: "expired", just: "good", long: "good", gone });
});

test("a name is taken as long as its key is good, and then names the key that came after", async () => {
  await using auth = await openTestAuth();
  const first = await make(auth, "ci");
  await assert.rejects(make(auth, "ci"), refusedAs("api_key_name_taken"));
  await auth.credentialIssuer.revokeApiKey({ key: "ci" });
  const second = await make(auth, "ci");
  assert.notEqual(second.id, first.id);
  assert.equal((await auth.credentialIssuer.revokeApiKey({ key: "ci" })).id, second.id);
  const third = await make(auth, "ci");
  auth.clock.now += dayMs;
  assert.notEqual((await make(auth, "ci")).id, third.id);
});

test("a key without a name is given one", async () => {
  await using auth = await openTestAuth();
  const { name } = await auth.credentialIssuer.createApiKey({ services: ["*"], ttlMs: dayMs });
  assert.match(name, /^key-[0-9a-f]{6}$/);
});

test("of keys that have not expired there are so many and no more", async () => {
  await using auth = await openTestAuth();
  const { events, ...parts } = auth;
  const credentialIssuer = new CredentialIssuer({ ...parts, events, onChange: () => {}, maxApiKeys: 2 });
  const ask = (name: string) => credentialIssuer.createApiKey({ name, services: ["*"], ttlMs: dayMs });
  await ask("a");
  await ask("b");
  await credentialIssuer.revokeApiKey({ key: "a" });
  await assert.rejects(ask("c"), refusedAs("api_keys_full"));
  auth.clock.now += dayMs;
  await ask("c");
});

test("a key that expired leaves the denied at once it can, and is forgotten with the key that signed it", async () => {
  await using auth = await openTestAuth();
  const { id } = await make(auth, "ci");
  await auth.credentialIssuer.revokeApiKey({ key: id });
  auth.clock.now += dayMs + 59_000;
  await auth.credentialIssuer.keepUp();
  assert.deepEqual(
    auth.credentialsPublisher.current().revoked.map(({ jti }) => jti),
    [id],
  );
  const version = auth.version.current;
  auth.clock.now += 1_000;
  await auth.credentialIssuer.keepUp();
  assert.deepEqual(auth.credentialsPublisher.current().revoked, []);
  assert.equal(auth.version.current, version + 1);
  assert.equal(list(auth).length, 1);
  auth.clock.now += 31 * dayMs;
  await auth.credentialIssuer.keepUp();
  assert.equal(list(auth).length, 1);
  auth.clock.now += 60 * dayMs;
  for (let turn = 0; turn < 3; turn++) await auth.credentialIssuer.keepUp();
  assert.deepEqual(list(auth), []);
});

test("a revoked key stays revoked when the clock goes forth and back, however far", async () => {
  for (const days of [2, 40, 400]) {
    await using auth = await openTestAuth();
    const { key } = await make(auth, "ci");
    await auth.credentialIssuer.revokeApiKey({ key: "ci" });
    const before = auth.clock.now;
    auth.clock.now += days * dayMs;
    for (let turn = 0; turn < 3; turn++) await auth.credentialIssuer.keepUp();
    auth.clock.now = before + 60_000;
    const version = auth.version.current;
    await auth.credentialIssuer.keepUp();
    assert.equal(
      verifiedBy(auth.credentialsPublisher.current(), key, auth.clock.now).kind,
      "refused",
      `${days} days`,
    );
    if (days < 90) assert.equal(auth.version.current, version + 1, "who verifies is told");
  }
});

test("an access token that was revoked is denied for as long as any lives, over a restart too, and then forgotten", async () => {
  const dataDir = newDataDir();
  const jti = await (async () => {
    await using auth = await openTestAuth({ dataDir });
    const made = await auth.credentialIssuer.createToken({
      subject: "alice",
      services: ["products"],
      ttlMs: 60_000,
    });
    const { version } = auth.credentialsPublisher.current();
    await auth.credentialIssuer.revokeToken({ jti: made.jti });
    assert.deepEqual(verifiedBy(auth.credentialsPublisher.current(), made.token, auth.clock.now), {
      kind: "refused",
      code: "token_revoked",
    });
    assert.ok(auth.credentialsPublisher.current().version > version);
    await auth.credentialIssuer.revokeToken({ jti: made.jti });
    assert.equal(auth.credentialsPublisher.current().version, version + 1, "once more changes nothing");
    return made.jti;
  })();
  await using auth = await openTestAuth({ dataDir });
  assert.deepEqual(
    auth.credentialsPublisher.current().revoked.map((each) => each.jti),
    [jti],
  );
  auth.clock.now += 3_600_000 + 60_000;
  await auth.credentialIssuer.keepUp();
  assert.deepEqual(auth.credentialsPublisher.current().revoked, []);
});

test("no more tokens are denied than Envoy can be told of", async () => {
  await using auth = await openTestAuth();
  const credentialIssuer = new CredentialIssuer({ ...auth, onChange: () => {}, maxRevokedTokens: 2 });
  for (const digit of ["a", "b", "a"]) await credentialIssuer.revokeToken({ jti: digit.repeat(32) });
  await assert.rejects(credentialIssuer.revokeToken({ jti: "c".repeat(32) }), refusedAs("busy"));
});

test("what was given, taken back, changed or refused stands in the audit log, and no credential does", async () => {
  await using auth = await openTestAuth();
  const { credentialIssuer } = auth;
  const { key, id } = await make(auth, "ci");
  await assert.rejects(make(auth, "ci"));
  await assert.rejects(make(auth, "long", 900 * dayMs));
  await credentialIssuer.revokeApiKey({ key: "ci" });
  const { token } = await credentialIssuer.mint({
    subject: `spiffe://${domain}/node/n1/gateway`,
    services: Array.from({ length: 64 }, (_, at) => `${"s".repeat(60)}${at}`),
    ttlMs: 1_000,
  });
  auth.clock.now += 600_000;
  await credentialIssuer.rotate({ kind: "apikeys" });
  const actions = await actionsOf(auth);
  assert.deepEqual(
    actions.map(({ action, target, outcome }) => `${action} ${target} ${outcome}`),
    [
      "apikey.create ci done",
      "apikey.create ci denied",
      "apikey.create long denied",
      "apikey.revoke ci done",
      `token.mint spiffe://${domain}/node/n1/gateway done`,
      "keys.rotate apikeys done",
    ],
  );
  assert.ok(actions[0]?.reason?.includes(id));
  for (const secret of [key, token]) assert.ok(!JSON.stringify(actions).includes(secret.slice(-40)));
});

test("a revocation is in force although the audit log cannot be written, and a key is not shown then", async () => {
  await using auth = await openTestAuth();
  const { key } = await make(auth, "ci");
  {
    using _ = armFailpoints("journal.append.before_write=error:ENOSPC");
    await assert.rejects(auth.credentialIssuer.revokeApiKey({ key: "ci" }), refusedAs("evidence_failed"));
    await assert.rejects(make(auth, "other"), refusedAs("evidence_failed"));
  }
  assert.equal(verifiedBy(auth.credentialsPublisher.current(), key, auth.clock.now).kind, "refused");
});

test("what the audit log could not take is in it once it is asked for again, and a name is free that no key has", async () => {
  await using auth = await openTestAuth();
  const { id } = await make(auth, "ci");
  const revokedAt = new Date(auth.clock.now).toISOString();
  {
    using _ = armFailpoints("journal.append.before_write=error:ENOSPC");
    await assert.rejects(auth.credentialIssuer.revokeApiKey({ key: "ci" }), refusedAs("evidence_failed"));
    await assert.rejects(auth.credentialIssuer.revokeApiKey({ key: "ci" }), refusedAs("evidence_failed"));
    await assert.rejects(make(auth, "other"), refusedAs("evidence_failed"));
  }
  assert.deepEqual(
    list(auth).map(({ name }) => name),
    ["ci"],
  );
  auth.clock.now += 1_000;
  const version = auth.version.current;
  for (const key of ["ci", id]) {
    const revoked = await auth.credentialIssuer.revokeApiKey({ key });
    assert.equal(revoked.revokedAt, revokedAt);
  }
  assert.equal(auth.version.current, version);
  await make(auth, "other");
  const entries = (await actionsOf(auth)).map(({ action, target }) => `${action} ${target}`);
  assert.deepEqual(entries, ["apikey.create ci", "apikey.revoke ci", "apikey.create other"]);
});

test("what the disk does not take is refused, and there is no key then", async () => {
  await using auth = await openTestAuth();
  {
    using _ = armFailpoints("database.commit.before=error:ENOSPC");
    await assert.rejects(make(auth, "ci"), refusedAs("disk_full"));
  }
  assert.deepEqual(list(auth), []);
  await make(auth, "ci");
});

test("who waits is told of a change at once, and of none when patience is over or the process ends", async () => {
  await using auth = await openTestAuth();
  const { credentialsPublisher, version, credentialIssuer } = auth;
  const stale = await credentialsPublisher.after(0);
  assert.equal(stale.version, version.current);
  await make(auth, "ci");
  const told = credentialsPublisher.after(version.current);
  await credentialIssuer.revokeApiKey({ key: "ci" });
  const { version: next, revoked } = await told;
  assert.equal(next, stale.version + 1);
  assert.equal(revoked.length, 1);
  const ended = credentialsPublisher.after(next);
  credentialsPublisher.close();
  assert.equal((await ended).version, next);
  assert.equal((await credentialsPublisher.after(next)).version, next);
});

test("keys, names and what is denied are the same after a start", async () => {
  const dataDir = newDataDir();
  const first = await openTestAuth({ dataDir });
  const keys = [await make(first, "a"), await make(first, "b")];
  await first.credentialIssuer.revokeApiKey({ key: "a" });
  const [before, listed] = [first.credentialsPublisher.current(), list(first)];
  await first[Symbol.asyncDispose]();
  await using again = await openTestAuth({ dataDir });
  assert.deepEqual(again.credentialsPublisher.current(), before);
  assert.deepEqual(list(again), listed);
  const judged = keys.map(
    ({ key }) => verifiedBy(again.credentialsPublisher.current(), key, again.clock.now).kind,
  );
  assert.deepEqual(judged, ["refused", "apikeys"]);
});

test("whatever is done in whatever order, a key is good exactly while it has neither expired nor been revoked", async () => {
  const doing = fc.oneof(
    fc.record({
      kind: fc.constant("make" as const),
      name: fc.constantFrom("a", "b"),
      days: fc.integer({ min: 1, max: 300 }),
    }),
    fc.record({ kind: fc.constant("revoke" as const), name: fc.constantFrom("a", "b") }),
    fc.record({ kind: fc.constant("wait" as const), days: fc.integer({ min: 1, max: 100 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(doing, { maxLength: 12 }), async (all) => {
      await using auth = await openTestAuth();
      const made: { name: string; key: string; until: number; revoked: boolean }[] = [];
      const liveOf = (name: string) =>
        made.find((each) => each.name === name && !each.revoked && each.until > auth.clock.now);
      for (const each of all) {
        if (each.kind === "wait") auth.clock.now += each.days * dayMs;
        else if (each.kind === "make" && liveOf(each.name) === undefined) {
          const { key } = await make(auth, each.name, each.days * dayMs);
          made.push({ name: each.name, key, until: auth.clock.now + each.days * dayMs, revoked: false });
        } else if (each.kind === "revoke") {
          const live = liveOf(each.name);
          if (live === undefined) continue;
          await auth.credentialIssuer.revokeApiKey({ key: each.name });
          live.revoked = true;
        }
        await auth.credentialIssuer.keepUp();
        const credentials = auth.credentialsPublisher.current();
        for (const { key, until, revoked } of made) {
          const { kind } = verifiedBy(credentials, key, auth.clock.now);
          assert.equal(kind, revoked || until <= auth.clock.now - 5_000 ? "refused" : "apikeys");
        }
      }
    }),
    { numRuns: 25 },
  );
});
