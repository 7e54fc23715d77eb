import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connectRpc, gatewayContract, socketPath } from "@catalyst/rpc";

const folder = mkdtempSync(join(tmpdir(), "catalyst-process-"));
after(() => rmSync(folder, { recursive: true }));

/** A process of a node whose draining is what `drain` says, after `begin`; it prints what happens to it. */
function program(dataDir: string, drain: string, begin: string): string {
  const source = (name: string) => JSON.stringify(join(import.meta.dirname, name));
  return `
    const { runProcess } = await import(${source("process.ts")});
    const { nodeConfig } = await import(${source("options.ts")});
    const { gatewayContract } = await import("@catalyst/rpc");
    const { loadConfig } = await import("@catalyst/config");
    const flags = [{ flag: "--telemetry-listen", value: "127.0.0.1:0" }];
    const config = loadConfig(nodeConfig, { flags });
    await runProcess("gateway", gatewayContract, config.value, ${JSON.stringify(dataDir)}, async ({ stopping }, resources) => { ${begin}; return {
      details: () => ({ version: 0, generation: 0, schemaDigest: null, services: [] }),
      readiness: () => ({ ready: true, reasons: [] }),
      drain: async () => { console.log("draining"); ${drain} },
      abandon: async () => console.log("abandoned"),
      implementation: { check: () => [] },
    }; });
    console.log("ended");
  `;
}

type Running = { readonly child: ChildProcess; readonly dataDir: string; words(): string };

function launch(drain: string, begin = ""): Running {
  const dataDir = mkdtempSync(join(folder, "d-"));
  const child = spawn(process.execPath, ["--input-type=module", "-e", program(dataDir, drain, begin)], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let words = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      words += chunk.toString("utf8");
    });
  }
  return { child, dataDir, words: () => words };
}

async function start(drain: string): Promise<Running> {
  const running = launch(drain);
  await until(running, "process started");
  return running;
}

async function until({ child, words }: Running, text: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!words().includes(text)) {
    assert.ok(Date.now() < deadline && child.exitCode === null, `"${text}" was not written:\n${words()}`);
    await sleep(10);
  }
}

async function ends({ child }: Running): Promise<unknown> {
  if (child.exitCode !== null) return child.exitCode;
  const [code, signal] = await once(child, "exit", { signal: AbortSignal.timeout(10_000) });
  return code ?? signal;
}

const forEver = "await new Promise((resolve) => setTimeout(resolve, 60_000));";
const connect = ({ dataDir }: Running) => connectRpc(socketPath(dataDir, "gateway"), gatewayContract);

test("a process that is asked to end finishes what runs, says that it drains meanwhile, and ends with 0", async () => {
  const running = await start("await new Promise((resolve) => setTimeout(resolve, 700));");
  running.child.kill("SIGTERM");
  await until(running, "draining");
  using connection = await connect(running);
  const { state, reasons } = await connection.call.status(undefined);
  assert.deepEqual({ state, reasons }, { state: "draining", reasons: ["draining"] });
  assert.equal(await ends(running), 0);
  assert.match(running.words(), /once more ends at once/);
  assert.match(running.words(), /\nended\n$/);
});

test("where its health and metrics are served is told with the port that the system chose", async () => {
  const running = await start("");
  const address = /"telemetry":"(127\.0\.0\.1:[1-9]\d*)"/.exec(running.words())?.[1];
  const response = await fetch(`http://${address}/readyz`);
  assert.deepEqual(await response.json(), { ready: true, reasons: [] });
  running.child.kill("SIGTERM");
  assert.equal(await ends(running), 0);
});

test("a second request to end while it drains ends the process at once, with an exit code that says so", async () => {
  const running = await start(forEver);
  running.child.kill("SIGINT");
  await until(running, "draining");
  running.child.kill("SIGINT"); // the same key press, arriving twice
  await sleep(600);
  assert.equal(running.child.exitCode, null);
  running.child.kill("SIGTERM");
  assert.equal(await ends(running), 128 + 15);
  assert.match(running.words(), /cut off[\s\S]*abandoned\n$/);
});

test("drain is answered when what ran is finished, and the process ends after it", async () => {
  const running = await start("await new Promise((resolve) => setTimeout(resolve, 200));");
  using connection = await connect(running);
  assert.equal(await connection.call.drain(undefined), undefined);
  assert.equal(await ends(running), 0);
});

test("a process that cannot begin ends, although what it has begun waits until it stops", async () => {
  const running = launch(
    "",
    `const stopped = new Promise((resolve) => stopping.addEventListener("abort", resolve));
     resources.defer(() => stopped);
     throw new TypeError("no way to begin")`,
  );
  assert.equal(await ends(running), 1);
  assert.match(running.words(), /no way to begin/);
});

test("a process whose draining fails ends nevertheless, and not with 0", async () => {
  const running = await start('throw new TypeError("no way to finish");');
  using connection = await connect(running);
  await assert.rejects(connection.call.drain(undefined), { code: "internal" });
  assert.equal(await ends(running), 1);
  assert.match(running.words(), /no way to finish/);
});
