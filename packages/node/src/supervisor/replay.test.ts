import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { compileCredentials } from "@catalyst/envoy";
import { createLogger } from "@catalyst/telemetry";
import { clusterType, createResource, openSnapshotJournal, Snapshot } from "@catalyst/xds";
import { Replay, withCredentials } from "./replay.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-replay-"));
after(() => rmSync(folder, { recursive: true }));
const logger = createLogger({ process: "test", level: "silent" });

function create(name: string) {
  const socketPath = join(folder, `${name}.sock`);
  const journalPath = join(folder, `${name}.journal`);
  const credentialsPath = join(folder, `${name}.json`);
  const replay = new Replay({ socketPath, journalPath, credentialsPath, logger });
  const configure = async () => {
    await using journal = await openSnapshotJournal(journalPath);
    const cluster = createResource(clusterType, "a", Buffer.from("\n\x01a"));
    journal.record({ type: clusterType, upsert: [cluster], removed: [] });
    await journal.flush();
  };
  return { replay, configure, listens: () => existsSync(socketPath) };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, "not within 5 s");
    await sleep(10);
  }
}

test("it stands in while the orchestrator is away, and is gone when it is back", async () => {
  const { replay, configure, listens } = create("a");
  await configure();
  await using _ = replay;
  replay.orchestratorIs("away");
  await until(listens);
  replay.orchestratorIs("there");
  await until(() => !listens());
  replay.orchestratorIs("away");
  await until(listens);
});

test("an orchestrator that returns at once is not stood in for", async () => {
  const { replay, configure, listens } = create("b");
  await configure();
  await using _ = replay;
  replay.orchestratorIs("away");
  await sleep(50);
  replay.orchestratorIs("there");
  await sleep(400);
  assert.equal(listens(), false);
});

test("where nothing was ever configured it serves nothing, and serves once there is something", async () => {
  const { replay, configure, listens } = create("c");
  await using _ = replay;
  replay.orchestratorIs("away");
  await sleep(400);
  assert.equal(listens(), false);
  await configure();
  replay.orchestratorIs("away");
  await until(listens);
});

test("what was revoked before the journal was written stays so, and who demands no credentials gets none", () => {
  const issuer = {
    kind: "apikeys" as const,
    issuer: "https://acme.catalyst.internal/apikeys",
    audience: "acme.catalyst.internal",
    jwks: JSON.stringify({ keys: [{ kid: "k" }] }),
    maxLifetimeMs: 60_000,
  };
  const before = new Snapshot(compileCredentials({ issuers: [issuer], revoked: [] }));
  const revoked = [{ jti: "gone", until: "2100-01-01T00:00:00Z" }];
  const now = new Snapshot(compileCredentials({ issuers: [issuer], revoked: [{ jti: "gone" }] }));
  const versions = (snapshot: Snapshot) => [...snapshot].map(({ name, version }) => `${name} ${version}`);
  assert.deepEqual(
    versions(withCredentials(before, { version: 2, issuers: [issuer], revoked })),
    versions(now),
  );
  assert.deepEqual(versions(withCredentials(before, null)), versions(before));
  assert.notDeepEqual(versions(before), versions(now));
  const plain = new Snapshot([createResource(clusterType, "a", Buffer.from("\n\x01a"))]);
  assert.equal(withCredentials(plain, { version: 2, issuers: [issuer], revoked }), plain);
});
