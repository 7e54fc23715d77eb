import assert from "node:assert/strict";
import { test } from "node:test";
import { checkHealth } from "./health.ts";

test("a service's own word is passed on, its detail cut to 500 characters", async () => {
  assert.deepEqual(await checkHealth(() => ({ healthy: true }), 1_000), { healthy: true });
  const long = await checkHealth(async () => ({ healthy: false, detail: "x".repeat(600) }), 1_000);
  assert.deepEqual(long, { healthy: false, detail: "x".repeat(500) });
});

test("a check that throws, or rejects, means unhealthy and says why", async () => {
  const failing = () => {
    throw new TypeError("no connection");
  };
  const expected = { healthy: false, detail: "the health check failed: no connection" };
  assert.deepEqual(await checkHealth(failing, 1_000), expected);
  assert.deepEqual(await checkHealth(async () => failing(), 1_000), expected);
});

test("a check that hangs means unhealthy, and holds nothing up", async () => {
  const { healthy, detail } = await checkHealth(() => new Promise(() => undefined), 20);
  assert.equal(healthy, false);
  assert.match(detail ?? "", /within 20 ms/);
});
