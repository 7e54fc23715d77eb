import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type TrustDocument, writeTrustBundle } from "@catalyst/identity";
import { createTestOrganisation } from "@catalyst/identity/testing";
import { authContract, type Implementation, serveRpc } from "@catalyst/rpc";
import { createLogger } from "@catalyst/telemetry";
import { followTrust } from "./trust-link.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-trust-link-"));
after(() => rmSync(folder, { recursive: true }));
const acme = await createTestOrganisation("acme.catalyst.internal");

function trustOf(version: number): TrustDocument {
  const roots = [acme.root.certificate];
  const bundle = writeTrustBundle({ sequence: version, refreshSeconds: 300, roots, tokenKeys: [] });
  return { version, domain: acme.domain, authority: [], bundle, issuers: [], revoked: [], denied: [] };
}

/** An auth process that answers each call with the next of these documents, and with the last one for ever. */
async function startAuth(socketPath: string, versions: readonly (number | null)[]) {
  let calls = 0;
  const notice = () => {
    const version = versions[Math.min(calls++, versions.length - 1)] ?? null;
    return { version: version ?? 0, document: version === null ? null : JSON.stringify(trustOf(version)) };
  };
  const answered = Promise.withResolvers<void>();
  const watchTrust = () => {
    if (calls < versions.length) return notice();
    answered.resolve();
    return new Promise<never>(() => {});
  };
  const implementation = { trust: notice, watchTrust } as unknown as Omit<
    Implementation<typeof authContract>,
    "hello"
  >;
  const logger = createLogger({ process: "test", level: "silent" });
  const server = await serveRpc({
    socketPath,
    process: "auth",
    release: "0",
    contract: authContract,
    implementation,
    logger,
  });
  return { answered: answered.promise, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test("who is believed is told once for each change, and not for watches that end without any", async () => {
  const socketPath = join(folder, "auth.sock");
  await using auth = await startAuth(socketPath, [null, null, 1, 1, 1, 2, 2]);
  const stop = new AbortController();
  const told: number[] = [];
  const ended = followTrust({
    socketPath,
    stopping: stop.signal,
    onTrust: ({ version }) => told.push(version),
    onFailure: (error) => assert.fail(String(error)),
  });
  await auth.answered;
  assert.deepEqual(told, [1, 2]);
  stop.abort();
  await ended;
});
