import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { certifiedProcesses, parseJoinToken } from "@catalyst/identity";
import { authContract, connectRpc, socketPath } from "@catalyst/rpc";
import { newMachine } from "../member/test-machine.ts";
import { domain, newDataDir } from "./test-auth.ts";

// A root authority of its own process, killed at a step, and started once more.

const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
});

async function startRoot(dataDir: string, listen: string, failpoint = ""): Promise<ChildProcess> {
  const source = (name: string) => JSON.stringify(join(import.meta.dirname, name));
  const auth = { authority: { listen } };
  const text = JSON.stringify({ node: { domain }, auth, telemetry: { listen: "off" } });
  const program = `
    const { loadConfig } = await import("@catalyst/config");
    const { nodeConfig } = await import(${source("../../options.ts")});
    const { runAuth } = await import(${source("../auth.ts")});
    await runAuth(loadConfig(nodeConfig, { file: { path: "c.json", text: ${JSON.stringify(text)} } }).value, ${JSON.stringify(dataDir)});
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: import.meta.dirname,
    env: { ...process.env, CATALYST_FAILPOINT: failpoint },
    stdio: ["ignore", "ignore", "pipe"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  let words = "";
  child.stderr?.on("data", (part) => (words += part));
  for (let left = 400; !words.includes("process started"); left--) {
    assert.ok(left > 0 && child.exitCode === null, words);
    await sleep(50);
  }
  return child;
}

async function freeAddress(): Promise<string> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

for (const step of ["auth.enrol.signed", "auth.enrol.consumed"]) {
  test(`a root that is killed at ${step} gives the same joiner what it asked for when it is back, once`, async () => {
    const [dataDir, listen] = [newDataDir(), await freeAddress()];
    const first = await startRoot(dataDir, listen, `${step}=kill`);
    const ended = once(first, "exit");
    using before = await connectRpc(socketPath(dataDir, "auth"), authContract);
    const { token } = await before.call.createJoinToken({ node: "n2" });
    const machine = newMachine();
    await assert.rejects(machine.join(parseJoinToken(token)), { code: "authority_unreachable" });
    assert.deepEqual(await ended, [null, "SIGKILL"]);
    const second = await startRoot(dataDir, listen);
    await machine.join(parseJoinToken(token));
    await assert.rejects(newMachine().join(parseJoinToken(token)), { code: "enrolment_refused" });
    using root = await connectRpc(socketPath(dataDir, "auth"), authContract);
    const { issued } = await root.call.identity(undefined);
    assert.equal(issued.length, certifiedProcesses.length);
    const serials = certifiedProcesses.map((process) => machine.folder.process(process)?.serial);
    assert.deepEqual(issued.map(({ serial }) => serial).sort(), serials.sort());
    second.kill("SIGTERM");
    await once(second, "exit");
  });
}

test("a revocation that was killed before it was audited is in force after the next start", async () => {
  const [dataDir, listen] = [newDataDir(), await freeAddress()];
  const first = await startRoot(dataDir, listen, "auth.revoke.denied=kill");
  using before = await connectRpc(socketPath(dataDir, "auth"), authContract);
  const machine = newMachine();
  await machine.join(parseJoinToken((await before.call.createJoinToken({ node: "n2" })).token));
  const ended = once(first, "exit");
  await assert.rejects(before.call.revokeNode({ node: "n2" }));
  await ended;
  const second = await startRoot(dataDir, listen);
  using root = await connectRpc(socketPath(dataDir, "auth"), authContract);
  const { denied } = await root.call.identity(undefined);
  assert.deepEqual(denied, [{ node: "n2", serial: null, until: null }]);
  second.kill("SIGTERM");
  await once(second, "exit");
});
