import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts, shop } from "@catalyst/harness";

const root = join(import.meta.dirname, "..");
const main = join(root, "packages", "cli", "src", "main.ts");
const envoy = process.env["CATALYST_ENVOY"] ?? join(root, ".tools", "envoy-1.40.0", "envoy");

test("orchestrator, gateway and Envoy each run by their own command, and find each other", async () => {
  await using services = await shop();
  const folder = mkdtempSync(join(tmpdir(), "catalyst-alone-"));
  const [ingress = 0, egress = 0] = await freePorts(2);
  const config = join(folder, "catalyst.json");
  writeFileSync(
    config,
    JSON.stringify({
      node: { dataDir: join(folder, "data") },
      mesh: {
        listen: { ingress: `127.0.0.1:${ingress}`, egress: `127.0.0.1:${egress}` },
        services: [services.products.declaration, services.reviews.declaration],
      },
      telemetry: { listen: "off" },
    }),
  );
  const children: ChildProcess[] = [];
  const start = (program: string, args: readonly string[]) => {
    const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
    children.push(child);
    return child;
  };
  try {
    const printing = start(process.execPath, [main, "bootstrap", "--config", config]);
    let bootstrap = "";
    printing.stdout?.on("data", (chunk) => {
      bootstrap += chunk;
    });
    await once(printing, "close");
    writeFileSync(join(folder, "envoy.json"), bootstrap);
    for (const name of ["orchestrator", "gateway"]) start(process.execPath, [main, name, "--config", config]);
    start(envoy, ["-c", join(folder, "envoy.json"), "--disable-hot-restart", "--concurrency", "1"]);
    const deadline = Date.now() + 30_000;
    let answer = "";
    while (!answer.includes("Lamp")) {
      assert.ok(Date.now() < deadline, answer);
      answer = await ask(`http://127.0.0.1:${ingress}/graphql`);
      await sleep(50);
    }
    assert.match(answer, /"rating":5/);
  } finally {
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGTERM");
      await once(child, "exit");
    }
    rmSync(folder, { recursive: true, force: true });
  }
});

async function ask(url: string): Promise<string> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: "{ products { name reviews { rating } } }" }),
    });
    return await response.text();
  } catch (error) {
    return String(error);
  }
}
