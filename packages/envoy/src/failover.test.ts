import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createXdsServer, defaultKey } from "@catalyst/xds";
import { envoyMissing, startEnvoy, until } from "../test/envoy-under-test.ts";
import { ask, startUpstream } from "../test/upstream.ts";
import { readAdmin } from "./admin.ts";

const domain = "acme.catalyst.internal";

test("An orchestrator that goes is stood in for within a second, and followed again when it returns", {
  skip: envoyMissing,
}, async () => {
  await using upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
  const service = (name: string) =>
    ({ name, protocol: "http", url: `${upstream.origin}/`, timeoutMs: 1_000 }) as const;
  await using envoy = await startEnvoy({ services: [service("kept")] });
  const asked = async (name: string) =>
    (await ask(envoy.mesh.listen.egress.port, { host: `${name}.${domain}` })).status;
  const published = envoy.xds.snapshot(defaultKey);

  const failures: number[] = [];
  const load = setInterval(
    () => void asked("kept").then((status) => status === 200 || failures.push(status)),
    10,
  );
  try {
    const replay = await createXdsServer({ listen: [`unix:${join(envoy.folder, "replay.sock")}`] });
    replay.set(defaultKey, published);
    await envoy.xds.close();
    await until(() => replay.proxies().length === 1, 1_500);
    assert.equal(await asked("kept"), 200);

    await using back = await createXdsServer({ listen: [`unix:${join(envoy.folder, "xds.sock")}`] });
    back.set(defaultKey, published);
    await replay.close();
    await until(() => back.proxies().length === 1, 1_500);
    back.update(defaultKey, { upsert: envoy.translate({ put: [service("added")] }).upsert });
    await until(async () => (await asked("added")) === 200);
    assert.deepEqual(failures, []);
  } finally {
    clearInterval(load);
  }
});

test("Envoy's administration tells its state and what it has for a Host", {
  skip: envoyMissing,
}, async () => {
  const service = { name: "seen", protocol: "http", url: "http://127.0.0.1:1/", timeoutMs: 1_000 } as const;
  await using envoy = await startEnvoy({ services: [service] });
  const admin = readAdmin(join(envoy.folder, "admin.sock"));
  const info = await admin.info();
  assert.deepEqual([info.state, info.concurrency], ["live", 1]);
  assert.equal(info.release, "1.40.0");
  const seen = await admin.view(`seen.${domain}`);
  assert.equal(seen.routed, true);
  assert.notEqual(seen.clusterVersion, null);
  assert.deepEqual(seen.endpoints, [{ address: "127.0.0.1:1", healthy: true }]);
  assert.deepEqual(await admin.view(`seenXacme.catalyst.internal`), {
    clusterVersion: null,
    routed: false,
    endpoints: [],
  });
  assert.match(await admin.metrics(), /^envoy_server_uptime/m);
  await assert.rejects(readAdmin(join(envoy.folder, "none.sock")).info(), { code: "admin_unreachable" });
});
