import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { identifyProcess } from "@catalyst/durable";
import { ChildRecord } from "./leftovers.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-leftovers-"));
after(() => rmSync(folder, { recursive: true }));

/** A process that stays, and with `stubborn` does not go when it is asked to. */
async function stayer(stubborn = false): Promise<ChildProcess> {
  const ignore = stubborn ? 'process.on("SIGTERM", () => {});' : "";
  const child = spawn(process.execPath, ["-e", `${ignore} console.log("up"); setInterval(() => {}, 1000)`], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

const ended = async (child: ChildProcess) =>
  child.exitCode === null && child.signalCode === null
    ? once(child, "exit")
    : [child.exitCode, child.signalCode];

test("what an earlier supervisor left running is ended, also when it does not want to go", async () => {
  const file = join(folder, "a.json");
  const [willing, stubborn] = [await stayer(), await stayer(true)];
  const record = new ChildRecord(file);
  record.note("gateway", willing.pid ?? 0);
  record.note("envoy", stubborn.pid ?? 0);
  const [names] = await Promise.all([
    new ChildRecord(file).endLeftovers(200),
    ended(willing),
    ended(stubborn),
  ]);
  assert.deepEqual(names.sort(), ["envoy", "gateway"]);
  assert.equal(willing.signalCode, "SIGTERM");
  assert.equal(stubborn.signalCode, "SIGKILL");
});

test("a process that only has the number of an earlier child is left alone", async () => {
  const file = join(folder, "b.json");
  const other = await stayer();
  writeFileSync(file, JSON.stringify([{ name: "envoy", pid: other.pid, start: "1" }]));
  assert.deepEqual(await new ChildRecord(file).endLeftovers(100), []);
  assert.notEqual(identifyProcess(other.pid ?? 0), null);
  other.kill();
  await ended(other);
});

test("of a child that was started again only the newest process is kept in mind", async () => {
  const file = join(folder, "c.json");
  const record = new ChildRecord(file);
  const [first, second] = [await stayer(), await stayer()];
  record.note("gateway", first.pid ?? 0);
  record.note("gateway", second.pid ?? 0);
  const kept = JSON.parse(readFileSync(file, "utf8")) as { pid: number }[];
  assert.deepEqual(
    kept.map(({ pid }) => pid),
    [second.pid],
  );
  for (const child of [first, second]) {
    child.kill();
    await ended(child);
  }
});

test("no record, or a damaged one, means that nothing is known to run", async () => {
  assert.deepEqual(await new ChildRecord(join(folder, "absent.json")).endLeftovers(), []);
  writeFileSync(join(folder, "d.json"), "{");
  assert.deepEqual(await new ChildRecord(join(folder, "d.json")).endLeftovers(), []);
});
