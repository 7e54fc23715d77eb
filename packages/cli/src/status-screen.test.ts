import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { orchestratorContract, runFolder, serveRpc, socketPath, supervisorContract } from "@catalyst/rpc";
import { createLogger } from "@catalyst/telemetry";
import pc from "picocolors";
import { sampleMesh, sampleNode, sampleService } from "../test/sample-status.ts";
import type { Printer } from "./printer.ts";
import type { MeshStatus } from "./status-reader.ts";
import { watchStatus } from "./status-screen.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-screen-"));
after(() => rmSync(folder, { recursive: true }));
const logger = createLogger({ process: "test", level: "silent" });

/** A terminal of a height, or none: what was painted last, and what was said. */
function terminal(height?: number) {
  const said: string[] = [];
  let painted: readonly string[] = [];
  const printer: Printer = {
    colours: pc.createColors(false),
    interactive: height !== undefined,
    data: () => assert.fail("a status on a screen is no data"),
    bytes: () => assert.fail("nor are bytes"),
    talk: (text) => void said.push(text),
    fail: () => assert.fail("nothing fails"),
    width: () => undefined,
    repaint: (lines) => {
      painted = lines;
    },
    screen: () => ({ width: 79, height: height ?? 0 }),
  };
  return { printer, said, painted: () => painted.join("\n") };
}

/** The sockets of a node that answers with the sample status. */
async function serveNode(mesh: MeshStatus) {
  const dataDir = mkdtempSync(join(folder, "d-"));
  mkdirSync(runFolder(dataDir));
  const serve = (process: "supervisor" | "orchestrator", contract: object, status: object) =>
    serveRpc({
      ...{ socketPath: socketPath(dataDir, process), process, release: "0", logger },
      contract: contract as typeof supervisorContract,
      implementation: { status: () => status } as never,
    });
  const supervisor = await serve("supervisor", supervisorContract, sampleNode);
  const orchestrator = await serve("orchestrator", orchestratorContract, mesh);
  return { dataDir, supervisor, orchestrator };
}

/** Watches for as long as the test lasts. */
function watch(printer: Printer, dataDir: string, notes: () => readonly string[] = () => []) {
  const ending = new AbortController();
  const watching = watchStatus(printer, dataDir, { signal: ending.signal, notes });
  return {
    signal: ending.signal,
    [Symbol.asyncDispose]: () => {
      ending.abort();
      return watching;
    },
  };
}

async function until(holds: () => boolean, what: () => string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, what());
    await sleep(10);
  }
}

const few = [sampleService("products"), sampleService("reviews", "failed")];

test("off a terminal a line is written whenever a state changes, and what the caller knows besides", async () => {
  const { printer, said } = terminal();
  const { dataDir, supervisor, orchestrator } = await serveNode(sampleMesh(few));
  await using _orchestrator = orchestrator;
  const notes: string[] = [];
  await using _watching = watch(printer, dataDir, () => notes);
  await until(
    () => said.length > 0,
    () => "nothing is said",
  );
  assert.deepEqual(said, [
    "node degraded (envoy ready, orchestrator unready, gateway backoff); products serving, reviews failed",
  ]);
  notes.push("products ended (SIGKILL)");
  await until(
    () => said.length > 1,
    () => "the end of a process is not told",
  );
  assert.match(said[1] ?? "", /\nproducts ended \(SIGKILL\)$/);
  await supervisor[Symbol.asyncDispose]();
  await until(
    () => said.length > 2,
    () => "the end of the node is not told",
  );
  assert.equal(said[2], "The node does not answer any more.\nproducts ended (SIGKILL)");
});

test("on a terminal what is painted fits, however many services there are, and shows what is wrong", async () => {
  const { printer, painted } = terminal(24);
  const many = Array.from({ length: 300 }, (_, at) =>
    sampleService(`s${at}`, at === 50 ? "failed" : "serving"),
  );
  const { dataDir, supervisor, orchestrator } = await serveNode(sampleMesh(many, ["s50: it is down"]));
  await using _supervisor = supervisor;
  await using _orchestrator = orchestrator;
  await using _watching = watch(printer, dataDir, () => ["products ended (SIGKILL)"]);
  await until(() => painted().includes("SERVICE"), painted);
  const lines = painted().split("\n");
  assert.equal(lines.length, 24, painted());
  for (const told of [
    "s50      failed",
    " serving: `catalyst service list`",
    "! s50: it is down",
    "! products ended",
  ])
    assert.ok(painted().includes(told), `${told} in\n${painted()}`);
});

test("watching for long costs no more than watching for a moment", async () => {
  const { printer } = terminal(24);
  await using watching = watch(printer, join(folder, "nobody"));
  await sleep(600);
  assert.ok(getEventListeners(watching.signal, "abort").length <= 1);
});
