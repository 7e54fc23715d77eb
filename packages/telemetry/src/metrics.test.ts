import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "./metrics.ts";

test("Metrics carry the prefix, their labels and their values", async () => {
  const metrics = createMetrics();
  const requests = metrics.counter("gateway_requests_total", "Requests.", ["outcome"]);
  requests.inc({ outcome: "ok" });
  requests.inc({ outcome: "ok" }, 2);
  metrics.gauge("gateway_generation", "Number.", []).set({}, 7);
  metrics.histogram("gateway_duration_seconds", "Time.", ["type"], [0.1, 1]).observe({ type: "query" }, 0.5);
  const lines = (await metrics.text()).split("\n");
  for (const line of [
    "# HELP catalyst_gateway_requests_total Requests.",
    "# TYPE catalyst_gateway_requests_total counter",
    'catalyst_gateway_requests_total{outcome="ok"} 3',
    "catalyst_gateway_generation 7",
    'catalyst_gateway_duration_seconds_bucket{le="0.1",type="query"} 0',
    'catalyst_gateway_duration_seconds_bucket{le="1",type="query"} 1',
    'catalyst_gateway_duration_seconds_sum{type="query"} 0.5',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test("The process itself is measured without being asked", async () => {
  const text = await createMetrics().text();
  for (const name of [
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "nodejs_eventloop_lag_seconds",
  ]) {
    assert.match(text, new RegExp(`^${name} `, "m"));
  }
});

test("Two sets of metrics are independent", async () => {
  const [one, other] = [createMetrics("one"), createMetrics("other")];
  one.gauge("g", "G.", []).set({}, 1);
  other.gauge("g", "G.", []).set({}, 2);
  assert.match(await one.text(), /^one_g 1$/m);
  assert.doesNotMatch(await other.text(), /^one_g/m);
});

test("A label that the metric does not have is refused", () => {
  const counter = createMetrics().counter("c_total", "C.", ["a"] as string[]);
  assert.throws(() => counter.inc({ b: "x" }));
});

test("a gauge that is read shows what is true when somebody asks", async () => {
  const metrics = createMetrics();
  let states: readonly [{ state: string }, number][] = [[{ state: "serving" }, 2]];
  metrics.readGauge("services", "Services.", ["state"], () => states);
  assert.match(await metrics.text(), /^catalyst_services\{state="serving"\} 2$/m);
  states = [[{ state: "failed" }, 1]];
  const text = await metrics.text();
  assert.match(text, /^catalyst_services\{state="failed"\} 1$/m);
  assert.doesNotMatch(text, /serving/);
});

test("a summary shows the quantiles 0.5, 0.9 and 0.99 of what it was told", async () => {
  const metrics = createMetrics("orbit");
  const summary = metrics.summary("transfer_duration_seconds", "Seconds.", []);
  for (let at = 1; at <= 100; at++) summary.observe({}, at);
  const text = await metrics.text();
  for (const [quantile, least, most] of [
    ["0.5", 49, 52],
    ["0.9", 89, 92],
    ["0.99", 98, 100],
  ] as const) {
    const [, value = ""] = new RegExp(`quantile="${quantile}"\\} ([\\d.]+)`).exec(text) ?? [];
    assert.ok(Number(value) >= least && Number(value) <= most, `${quantile}: ${value}`);
  }
  assert.match(text, /^orbit_transfer_duration_seconds_count 100$/m);
});
