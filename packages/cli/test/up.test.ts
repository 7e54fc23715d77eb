import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts, httpService, NodeUnderTest } from "@catalyst/harness";

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("`up` that drains says how to end it at once; asked again, it leaves nothing running and no exit code 0", async () => {
  const arrived = Promise.withResolvers<void>();
  await using slow = await httpService("slow", () => arrived.resolve());
  await using node = await NodeUnderTest.start({ services: [slow.declaration] });
  await node.until("it is served", 15_000, async () =>
    (await node.services()).every(({ state }) => state === "serving"),
  );
  const pids = (await node.status()).details.children.map(({ pid }) => pid ?? 0);
  const call = request({
    host: "127.0.0.1",
    port: node.ports.ingress,
    headers: { host: `slow.${node.domain}` },
  }).end();
  const cut = once(call, "error");
  await arrived.promise;

  process.kill(node.supervisorPid, "SIGINT");
  await node.until("it says so", 5_000, () => node.output.includes("Press Ctrl-C again to end at once"));
  await sleep(1_000); // for longer than one key press lasts, while the request is under way
  assert.equal((await node.status()).state, "draining");
  const again = performance.now();
  assert.equal(await node.stop("SIGINT"), 128 + 2);
  assert.ok(performance.now() - again < 1_000, "at once");
  await cut;
  assert.deepEqual(pids.filter(runs), []);
});

test("`up` tells the real address of its metrics where the system chose the port", async () => {
  await using node = await NodeUnderTest.start({ flags: ["--telemetry-listen", "127.0.0.1:0"] });
  const { endpoints } = (await node.status()).details;
  const metrics = endpoints.find(({ name }) => name === "Metrics");
  assert.match(metrics?.url ?? "", /^http:\/\/127\.0\.0\.1:[1-9]\d*\/metrics$/);
  assert.match(await (await fetch(metrics?.url ?? "")).text(), /^catalyst_supervisor_child_state/m);
});

test("`up` that is refused says why, and leaves no data folder behind", async () => {
  using closing = new DisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "catalyst-refused-"));
  closing.defer(() => rmSync(folder, { recursive: true }));
  const [taken, ingress, egress] = (await freePorts(3)).map((port) => `127.0.0.1:${port}`);
  const server = createServer().listen({ host: "127.0.0.1", port: Number(taken?.split(":")[1]) });
  closing.defer(() => void server.close());
  await once(server, "listening");
  const graphql = { persistedDocuments: { path: join(folder, "documents") } };
  const free = { ingress, egress };
  const cases: [object, number, RegExp][] = [
    [{ mesh: { listen: { ...free, ingress: taken } } }, 1, /is in use: free it, .*--ingress/],
    [
      { mesh: { listen: free, graphql } },
      1,
      /mesh\.graphql\.persistedDocuments\.path names .*documents, which is not there: correct or unset it/,
    ],
    [{ mesh: { listen: { ...free, ingress: "nowhere" } } }, 2, /mesh\.listen\.ingress/],
  ];
  for (const [config, code, words] of cases) {
    const file = join(folder, "catalyst.json");
    const node = { dataDir: join(folder, "data") };
    writeFileSync(file, JSON.stringify({ node, telemetry: { listen: "off" }, ...config }));
    const main = join(import.meta.dirname, "../src/main.ts");
    const { status, stderr } = spawnSync(process.execPath, [main, "up", "--config", file], {
      encoding: "utf8",
      timeout: 30_000,
    });
    assert.equal(status, code, stderr);
    assert.match(stderr, words);
    assert.ok(!existsSync(node.dataDir), stderr);
  }
});
