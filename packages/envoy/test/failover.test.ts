import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createXdsServer, defaultKey } from "@catalyst/xds";
import { servedHere } from "../src/reachable.ts";
import { envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { ask, startUpstream } from "./upstream.ts";

const domain = "acme.catalyst.internal";

test("An orchestrator that goes is stood in for, and followed again when it returns, without a failed request", {
  skip: envoyMissing,
}, async () => {
  await using upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
  const service = (name: string) =>
    ({ name, protocol: "http", url: upstream.origin, timeoutMs: 1_000 }) as const;
  await using envoy = await startEnvoy({ services: [service("kept")] });
  const asked = async (name: string) =>
    (await ask(envoy.mesh.listen.egress.port, { host: `${name}.${domain}` })).status;
  const published = envoy.xds.snapshot(defaultKey);

  const load: Promise<number>[] = [];
  const loading = setInterval(() => load.push(asked("kept").catch(() => 0)), 10);
  try {
    const replay = await createXdsServer({ listen: [`unix:${join(envoy.folder, "replay.sock")}`] });
    replay.set(defaultKey, published);
    await envoy.xds.close();
    await until(() => replay.proxies().length === 1, 2_000);
    assert.equal(await asked("kept"), 200);

    await using back = await createXdsServer({ listen: [`unix:${join(envoy.folder, "xds.sock")}`] });
    back.set(defaultKey, published);
    await replay.close();
    await until(() => back.proxies().length === 1, 2_000);
    back.update(defaultKey, { upsert: envoy.translate({ put: [servedHere(service("added"))] }).upsert });
    await until(async () => (await asked("added")) === 200);
  } finally {
    clearInterval(loading);
  }
  const failed = (await Promise.all(load)).filter((status) => status !== 200);
  assert.deepEqual(failed, []);
});
