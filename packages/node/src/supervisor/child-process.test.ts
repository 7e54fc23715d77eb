import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { defaultChildTimings } from "./child.ts";
import { type ChildSpec, superviseChild } from "./child-process.ts";
import { createSupervisorEvents } from "./events.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-child-"));
after(() => rmSync(folder, { recursive: true }));
const events = createSupervisorEvents(createLogger({ process: "test", level: "silent" }), createMetrics());
const timings = { ...defaultChildTimings, minBackoffMs: 10, stopMs: 300, hangMs: 400 };

function child(script: string, probe: ChildSpec["probe"]) {
  const pids: number[] = [];
  const supervised = superviseChild(
    {
      name: "child",
      command: [process.execPath, "-e", script],
      env: { GREETING: "hello" },
      logFile: join(folder, "child.log"),
      probe,
    },
    { events, timings, onSpawn: (_name, pid) => void pids.push(pid) },
  );
  return { supervised, pids };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, "not within 5 s");
    await sleep(5);
  }
}

const stays = "setInterval(() => {}, 1000)";
const ready = async () => ({ ready: true, reason: null });

test("a child runs with the environment it is given and nothing else, and its words go to its log", async () => {
  const { supervised } = child(`console.log(JSON.stringify(process.env)); ${stays}`, ready);
  supervised.start();
  await until(() => supervised.isReady());
  await until(() => readFileSync(join(folder, "child.log"), "utf8").includes("\n"));
  assert.deepEqual(JSON.parse(readFileSync(join(folder, "child.log"), "utf8")), { GREETING: "hello" });
  await supervised.stop();
  assert.equal(supervised.status().state, "stopped");
});

test("a child that is killed is started again, and its status says how it ended", async () => {
  const { supervised, pids } = child(stays, ready);
  supervised.start();
  await until(() => supervised.isReady());
  process.kill(pids[0] ?? 0, "SIGKILL");
  await until(() => pids.length === 2 && supervised.isReady());
  assert.partialDeepStrictEqual(supervised.status(), {
    restarts: 1,
    lastExit: "killed by SIGKILL",
    pid: pids[1],
  });
  await supervised.stop();
});

test("a child that keeps dying is shown with the error that it wrote, while it waits and while it starts", async () => {
  const silent = async () => {
    throw new Error("nothing answers");
  };
  const { supervised } = child(
    'console.error("error the database is not one (database_corrupt)"); setTimeout(() => process.exit(1), 100)',
    silent,
  );
  supervised.start();
  const seen = new Map<string, string | null>();
  await until(() => {
    const { state, reason } = supervised.status();
    seen.set(state, reason);
    return supervised.status().restarts >= 2 && seen.has("backoff");
  });
  const { lastExit, lastError } = supervised.status();
  assert.equal(lastExit, "exit code 1");
  assert.equal(lastError, "the database is not one (database_corrupt)");
  const ending = "(exit code 1: the database is not one (database_corrupt))";
  assert.equal(seen.get("backoff"), `ended ${ending}, starting again`);
  assert.equal(supervised.status().reason, `starting again after it ended ${ending}`);
  await supervised.stop();
});

test("a child that is not ready says why; one that never answers is killed and started again", async () => {
  let answer: (() => Promise<{ ready: boolean; reason: string | null }>) | null = async () => ({
    ready: false,
    reason: "warming up",
  });
  const { supervised, pids } = child(stays, async () => {
    if (answer === null) throw new Error("silent");
    return answer();
  });
  supervised.start();
  await until(() => supervised.status().reason === "warming up");
  assert.equal(supervised.status().state, "unready");
  answer = null;
  await until(() => pids.length >= 2);
  await supervised.stop();
});

test("a child that does not end when it is asked is killed", async () => {
  const { supervised } = child(`process.on("SIGTERM", () => {}); ${stays}`, ready);
  supervised.start();
  await until(() => supervised.isReady());
  await sleep(100);
  await supervised.stop();
  assert.equal(supervised.status().lastExit, "killed by SIGKILL");
});

test("a child that is still finishing is killed when it is to end at once", async () => {
  const { supervised } = child(`process.on("SIGTERM", () => {}); ${stays}`, ready);
  supervised.start();
  await until(() => supervised.isReady());
  await sleep(100);
  const begun = performance.now();
  const finishing = supervised.stop();
  await supervised.stop({ hard: true });
  await finishing;
  assert.ok(performance.now() - begun < timings.stopMs, "not after the time it has for finishing");
});

test("a program that does not exist is tried again with backoff, and can be stopped meanwhile", async () => {
  const { supervised } = child("", ready);
  const missing = superviseChild(
    { name: "missing", command: [join(folder, "absent")], env: {}, logFile: null, probe: ready },
    { events, timings, onSpawn: () => undefined },
  );
  missing.start();
  await until(() => missing.status().restarts >= 2);
  await missing.stop();
  await supervised.stop();
});
