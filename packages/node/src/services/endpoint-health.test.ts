import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceDeclaration } from "@catalyst/rpc";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { createOrchestratorEvents } from "../orchestrator-events.ts";
import { EndpointHealth } from "./endpoint-health.ts";

const events = createOrchestratorEvents(createLogger({ process: "test", level: "silent" }), createMetrics());

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, what);
    await sleep(20);
  }
}

test("a service that nothing can connect to is named until something can, and forgotten when it is gone", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const declare = (name: string, url: string): ServiceDeclaration => ({
    name,
    url,
    protocol: "http",
    timeoutMs: 1_000,
  });
  const there = declare("there", `http://127.0.0.1:${port}/`);
  const gone = declare("gone", "http://127.0.0.1:1/");
  const services = new Map([there, gone].map((service) => [service.name, service]));
  const stop = new AbortController();
  const health = new EndpointHealth({
    adminSocket: "/nonexistent/admin.sock",
    events,
    stopping: stop.signal,
    services: () => services.values(),
    find: (name) => services.get(name),
  });
  await until("the dead one is named", () => health.troubleOf(gone) !== null);
  assert.equal(health.troubleOf(gone), "nothing accepts connections at http://127.0.0.1:1/");
  assert.equal(health.troubleOf(there), null);
  const moved = declare("gone", `http://127.0.0.1:${port}/`);
  services.set("gone", moved);
  await until("it is well where it moved to", () => health.troubleOf(moved) === null);
  server.close();
  await until("the other is named when it ends", () => health.troubleOf(there) !== null);
  services.delete("there");
  await until("it is forgotten", () => health.troubleOf(there) === null);
  stop.abort();
  await health[Symbol.asyncDispose]();
});
