import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { readAdmin } from "../src/admin.ts";
import { envoyMissing, startEnvoy } from "./envoy-under-test.ts";

const domain = "acme.catalyst.internal";

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
