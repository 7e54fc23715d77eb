import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { type ChildSample, createSupervisorEvents } from "./events.ts";
import { usageOf } from "./process-usage.ts";

function setUp() {
  const metrics = createMetrics();
  const events = createSupervisorEvents(createLogger({ process: "test", level: "silent" }), metrics);
  const sampleOf = async (sample: string) => {
    const line = (await metrics.text()).split("\n").find((each) => each.startsWith(`${sample} `));
    return line === undefined ? null : Number(line.slice(sample.length + 1));
  };
  return { events, sampleOf };
}

const sample = (state: ChildSample["status"]["state"], cpuSeconds: number): ChildSample => ({
  status: { name: "gateway", state },
  uptimeMs: 1_500,
  usage: { cpuSeconds, residentBytes: 4_096 },
});

test("a child is counted by its restarts, its state, its uptime and what it uses", async () => {
  const { events, sampleOf } = setUp();
  events.childStarted("gateway", 0);
  assert.equal(await sampleOf('catalyst_supervisor_child_restarts_total{child="gateway"}'), 0);
  events.sampled([sample("ready", 2)]);
  assert.equal(await sampleOf('catalyst_supervisor_child_state{child="gateway",state="ready"}'), 1);
  assert.equal(await sampleOf('catalyst_supervisor_child_state{child="gateway",state="backoff"}'), 0);
  assert.equal(await sampleOf('catalyst_supervisor_child_uptime_seconds{child="gateway"}'), 1.5);
  assert.equal(await sampleOf('catalyst_supervisor_child_resident_bytes{child="gateway"}'), 4_096);
  events.childStarted("gateway", 1);
  assert.equal(await sampleOf('catalyst_supervisor_child_restarts_total{child="gateway"}'), 1);
});

test("the processor time of a child goes on where its last run ended", async () => {
  const { events, sampleOf } = setUp();
  const cpu = () => sampleOf('catalyst_supervisor_child_cpu_seconds_total{child="gateway"}');
  events.childStarted("gateway", 0);
  events.sampled([sample("ready", 2)]);
  events.sampled([sample("ready", 3)]);
  assert.equal(await cpu(), 3);
  events.childStarted("gateway", 1);
  events.sampled([sample("starting", 1)]);
  assert.equal(await cpu(), 4);
  events.sampled([{ status: { name: "gateway", state: "backoff" }, uptimeMs: null, usage: null }]);
  assert.equal(await cpu(), 4);
});

test("what a process uses is read where the system tells it", { skip: process.platform !== "linux" }, () => {
  const usage = usageOf(process.pid);
  const { user, system } = process.cpuUsage();
  assert.ok(Math.abs((usage?.cpuSeconds ?? 0) - (user + system) / 1e6) < 1);
  assert.ok(Math.abs((usage?.residentBytes ?? 0) / process.memoryUsage.rss() - 1) < 0.5);
  assert.equal(usageOf(2 ** 30), null);
});
