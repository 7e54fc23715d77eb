import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { seededNumbers } from "@catalyst/durable/testing";
import { openDiskStore } from "./disk/disk-store.ts";
import { Expectation, emptyStore, type LogEntry, nextOperations, runOperations } from "./test-workload.ts";

/** The durable steps of the store, and how often at most one is passed before the kill. */
const failpoints: readonly (readonly [string, number])[] = [
  ["file.create", 10],
  ["file.write", 20],
  ["file.sync", 20],
  ["folder.make", 6],
  ["folder.sync", 10],
  ["file.remove", 12],
  ["database.commit.before", 40],
  ["database.commit.after", 40],
];

/**
 * One case on the real disk: a process that uses a store is killed at one of its durable steps, as by kill -9. The
 * store that is opened afterwards must keep what that process was told it keeps. In the end all space comes back.
 */
export async function killStore(seed: number): Promise<void> {
  const random = seededNumbers(seed);
  const folder = mkdtempSync(join(tmpdir(), "catalyst-kill-"));
  const expectation = new Expectation();
  try {
    for (let life = 0; life < 2; life++) {
      const [step, most] = failpoints[Math.floor(random() * failpoints.length)] ?? ["file.sync", 1];
      const failpoint = `${step}=kill@${1 + Math.floor(random() * most)}`;
      await live(folder, Math.floor(random() * 2 ** 31), failpoint, expectation);
      await using store = await openDiskStore(folder);
      await expectation.check(store, filesIn(folder));
    }
    await using store = await openDiskStore(folder);
    await emptyStore(store, () => sleep(3));
    assert.deepEqual(filesIn(folder), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Uses the store in a process of its own until that is killed. */
async function live(
  folder: string,
  seed: number,
  failpoint: string,
  expectation: Expectation,
): Promise<void> {
  const child = spawn(process.execPath, [import.meta.filename, folder, String(seed)], {
    env: { ...process.env, CATALYST_FAILPOINT: failpoint },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  let complaint = "";
  child.stdout.on("data", (text: Buffer) => (log += text.toString()));
  child.stderr.on("data", (text: Buffer) => (complaint += text.toString()));
  const [, signal] = (await once(child, "close")) as [number | null, string | null];
  assert.equal(signal, "SIGKILL", `${failpoint}: ${complaint}`);
  const lines = log.split("\n").slice(0, -1);
  for (const line of lines) expectation.note(JSON.parse(line) as LogEntry);
}

function filesIn(folder: string): readonly string[] {
  const names = readdirSync(join(folder), { recursive: true, encoding: "utf8" });
  return names.filter((name) => /\.(data|outboard)$/.test(name)).sort();
}

if (import.meta.main) {
  const [folder = "", seed = "0"] = process.argv.slice(2);
  const random = seededNumbers(Number(seed));
  const store = await openDiskStore(folder);
  for (;;) {
    await runOperations(
      store,
      nextOperations(random),
      (entry) => void writeSync(1, `${JSON.stringify(entry)}\n`),
    );
  }
}
