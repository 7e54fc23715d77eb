import assert from "node:assert/strict";
import { existsSync, mkdirSync, renameSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { clock, NodeUnderTest, shop } from "@catalyst/harness";

const heldMs = 60_000;
const killEveryMs = 18_000;
const databaseFiles = ["orchestrator.db", "orchestrator.db-wal", "orchestrator.db-shm"];

/** Puts a folder in the place of the orchestrator's database: it cannot start until it is let go. */
function holdDown(dataDir: string): { letGo: () => void } {
  const files = databaseFiles.map((name) => join(dataDir, name)).filter((path) => existsSync(path));
  const [database = ""] = files;
  for (const path of files) renameSync(path, `${path}.held`);
  mkdirSync(database);
  return {
    letGo: () => {
      rmdirSync(database);
      for (const path of files) renameSync(`${path}.held`, path);
    },
  };
}

test("while the orchestrator cannot start for 60 s, a killed Envoy serves within 2 s each time, and changes are followed afterwards", async () => {
  await using services = await shop();
  await using extra = await clock();
  await using later = await clock("later");
  await using node = await NodeUnderTest.start({
    services: [services.products.declaration, services.reviews.declaration],
  });
  await node.addService(extra.declaration);
  const serves = async () => {
    const answer = await node.query("{ products { name reviews { rating } } clock }").catch(() => null);
    return answer?.status === 200 && answer.body.errors === undefined && answer.text.includes("12:00");
  };
  await node.until("everything is served", 15_000, serves);

  const held = holdDown(node.dataDir);
  process.kill(await node.pidOf("orchestrator"), "SIGKILL");
  await sleep(1_000);
  const end = performance.now() + heldMs;
  let nextKill = performance.now();
  while (performance.now() < end) {
    if (performance.now() >= nextKill) {
      nextKill += killEveryMs;
      const killed = performance.now();
      process.kill(await node.pidOf("envoy"), "SIGKILL");
      await sleep(10);
      await node.until("Envoy serves again", 5_000, serves);
      const took = performance.now() - killed;
      assert.ok(took < 2_000, `took ${took} ms`);
      assert.equal((await node.status()).details.replaying, 1, "it took its configuration from the record");
    }
    assert.ok(await serves(), "nothing else is lost meanwhile");
    await sleep(200);
  }
  await node.until("the status says that the orchestrator is started again and again", 15_000, async () => {
    const { children } = (await node.status()).details;
    const { state, reason } = children.find(({ name }) => name === "orchestrator") ?? {};
    return state === "backoff" && /starting again/.test(reason ?? "");
  });

  held.letGo();
  await node.until("the orchestrator is back", 20_000, async () => (await node.mesh()).proxies.length === 1);
  await node.addService(later.declaration);
  await node.until("changes are followed", 10_000, async () => {
    const { body } = await node.query("{ later clock }");
    return body.data?.["later"] === "12:00" && body.data["clock"] === "12:00";
  });
});
