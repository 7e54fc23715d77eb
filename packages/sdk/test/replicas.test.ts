import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { httpService, NodeUnderTest } from "@catalyst/harness";
import { register } from "../src/registration.ts";
import { EventLog } from "./orchestrator-double.ts";

const ttlMs = 1_500;

test("two replicas at one URL do not take the lease from each other; the second follows when the first is killed", async () => {
  await using web = await httpService("web", (_request, response) => void response.end("web"));
  await using node = await NodeUnderTest.start();
  const { dataDir } = node;
  const { name, url } = web.declaration;
  const service = { name, url, protocol: "http" as const };
  const first = spawn(process.execPath, ["--input-type=module", "-e", replica({ service, dataDir, ttlMs })], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(first.stdout, "data");

  const log = new EventLog();
  await using second = register({ service, dataDir, ttlMs, onEvent: log.add });
  await log.seen("conflict");
  await sleep(2 * ttlMs);
  assert.deepEqual(log.kinds(), ["waiting", "conflict"]);
  const [waiting] = log.events;
  assert.ok(waiting?.kind === "waiting" && waiting.code === "service_leased");
  assert.match(
    waiting.message,
    new RegExp(`web is leased to \\S+/${first.pid}/\\w+ at ${url} for another \\d s`),
  );

  const killed = performance.now();
  first.kill("SIGKILL");
  let gone = false;
  while (second.state !== "registered") {
    gone ||= (await node.services()).length === 0;
    assert.ok(performance.now() - killed < ttlMs + 1_500, "it follows within the time of the lease");
    await sleep(20);
  }
  assert.equal(gone, false, "the service was there all the time");
});

/** A program that registers, says so, and does nothing else. */
function replica(options: object): string {
  return `
    const { register } = await import("../src/registration.ts");
    const registration = register(${JSON.stringify(options)});
    await registration.ready;
    console.log("registered");
  `;
}
