import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { readAdmin } from "../src/admin.ts";
import { envoyMissing, startEnvoy, until } from "./envoy-under-test.ts";
import { ask, startUpstream } from "./upstream.ts";

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
  assert.deepEqual([...(await admin.ejecting())], []);
  const port = envoy.mesh.listen.ingress.port;
  for (let count = 0; count < 3; count++) await ask(port, { host: `seen.${domain}` });
  await until(async () => (await admin.ejecting()).has("seen"), 5_000);
  assert.match(await admin.metrics(), /^envoy_server_uptime/m);
  await assert.rejects(readAdmin(join(envoy.folder, "none.sock")).info(), { code: "admin_unreachable" });
});

test("Draining lets requests under way end, tells clients to leave, and takes no new ones; egress goes last", {
  skip: envoyMissing,
}, async () => {
  await using upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
  const service = { name: "slow", protocol: "http", url: upstream.origin, timeoutMs: 5_000 } as const;
  await using envoy = await startEnvoy({ services: [service] });
  const { ingress, egress } = envoy.mesh.listen;
  const host = `slow.${domain}`;
  const underWay = ask(ingress.port, { host, path: "/late" });
  await until(() => upstream.requests() === 1);
  const admin = readAdmin(join(envoy.folder, "admin.sock"));
  const left = admin.drain({ timeoutMs: 5_000 });
  await until(
    async () => (await ask(ingress.port, { host, keepAlive: true })).headers.connection === "close",
  );
  const isRefused = (port: number) => async () =>
    ask(port, { host }).then(
      () => false,
      (error) => error.code === "ECONNREFUSED",
    );
  await until(isRefused(ingress.port));
  assert.equal((await ask(egress.port, { host })).status, 200);
  assert.equal(await left, 0);
  assert.equal((await underWay).body, "late");
  const before = upstream.requests();
  const inside = ask(egress.port, { host, path: "/late" });
  await until(() => upstream.requests() > before);
  const closing = admin.drainEgress({ timeoutMs: 5_000 });
  await until(isRefused(egress.port));
  assert.equal(await closing, 0);
  assert.equal((await inside).body, "late");
});

test("Draining says how many requests are still under way when its time is over", {
  skip: envoyMissing,
}, async () => {
  await using upstream = await startUpstream({ host: "127.0.0.1", port: 0 });
  const service = { name: "slow", protocol: "http", url: upstream.origin, timeoutMs: 5_000 } as const;
  await using envoy = await startEnvoy({ services: [service] });
  const cutOff = ask(envoy.mesh.listen.ingress.port, { host: `slow.${domain}`, path: "/late" });
  cutOff.catch(() => undefined);
  await until(() => upstream.requests() === 1);
  assert.equal(await readAdmin(join(envoy.folder, "admin.sock")).drain({ timeoutMs: 50 }), 1);
});
