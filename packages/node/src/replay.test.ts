import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger } from "@catalyst/telemetry";
import { clusterType, createResource, openSnapshotJournal } from "@catalyst/xds";
import { Replay } from "./replay.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-replay-"));
after(() => rmSync(folder, { recursive: true }));
const logger = createLogger({ process: "test", level: "silent" });

function create(name: string) {
  const socketPath = join(folder, `${name}.sock`);
  const journalPath = join(folder, `${name}.journal`);
  const replay = new Replay({ socketPath, journalPath, logger });
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
