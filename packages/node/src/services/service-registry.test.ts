import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openDatabase } from "@catalyst/durable";
import type { ServiceDeclaration } from "@catalyst/rpc";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { createOrchestratorEvents } from "../orchestrator-events.ts";
import { ServiceRegistry } from "./service-registry.ts";
import { orchestratorMigrations, ServiceStore } from "./service-store.ts";
import type { ServiceChange } from "./service-table.ts";

const folder = mkdtempSync(join(tmpdir(), "catalyst-registry-"));
after(() => rmSync(folder, { recursive: true }));
const events = createOrchestratorEvents(createLogger({ process: "test", level: "silent" }), createMetrics());

const declare = (name: string): ServiceDeclaration => ({
  name,
  protocol: "http",
  url: "http://127.0.0.1:4001/",
  timeoutMs: 15_000,
});

/** A registry over a file, as after a restart when the file is there already. */
function open(file: string, configured: readonly ServiceDeclaration[] = []) {
  const database = openDatabase(join(folder, file), { migrations: orchestratorMigrations });
  const changes: ServiceChange[] = [];
  const store = new ServiceStore(database);
  const registry = new ServiceRegistry({
    configured,
    store,
    events,
    onChange: (change) => void changes.push(change),
  });
  const close = () => {
    registry[Symbol.dispose]();
    database[Symbol.dispose]();
  };
  return { registry, store, changes, [Symbol.dispose]: close };
}

test("what was answered survives a restart: added services, live leases, the version counter", () => {
  {
    using first = open("a.db");
    assert.equal(first.registry.add(declare("products")), true);
    assert.equal(first.registry.add(declare("products")), false);
    first.registry.add(declare("gone"));
    first.registry.remove("gone");
    first.registry.lease(declare("reviews"), "one", 5_000);
    assert.equal(first.store.next("update"), 1);
  }
  using second = open("a.db");
  assert.throws(() => second.registry.lease(declare("reviews"), "two", 5_000), {
    code: "service_leased",
    message: /reviews is leased to one at http:\/\/127\.0\.0\.1:4001\/ for another 5 s/,
  });
  const kept = second.registry.entries().map(({ service, origin }) => [service.name, origin]);
  assert.deepEqual(kept, [
    ["products", "runtime"],
    ["reviews", "lease"],
  ]);
  assert.equal(second.store.next("update"), 2);
});

test("the configuration replaces a service of the same name that was added at run time", () => {
  {
    using first = open("b.db");
    first.registry.add(declare("products"));
  }
  using second = open("b.db", [declare("products")]);
  assert.equal(second.registry.get("products")?.origin, "configuration");
  assert.deepEqual(
    second.store.load(0, () => undefined),
    [],
  );
});

test("a lease that is not renewed ends by itself, one that is renewed goes on", async () => {
  using opened = open("c.db");
  opened.registry.lease(declare("idle"), "one", 400);
  const id = opened.registry.lease(declare("busy"), "one", 400);
  for (let round = 0; round < 6; round++) {
    await sleep(150);
    assert.equal(opened.registry.renew(id, { healthy: true, detail: null }), 400);
  }
  assert.deepEqual(
    opened.registry.entries().map(({ service }) => service.name),
    ["busy"],
  );
  assert.deepEqual(opened.changes.at(-1), { kind: "remove", name: "idle" });
});

test("a renewal that changes nothing is not written or passed on, one that reports ill health is", () => {
  using opened = open("d.db");
  const id = opened.registry.lease(declare("products"), "one", 5_000);
  opened.registry.renew(id, { healthy: true, detail: null });
  assert.equal(opened.changes.length, 1);
  opened.registry.renew(id, { healthy: false, detail: "no database" });
  assert.equal(opened.changes.length, 2);
  assert.equal(opened.registry.get("products")?.lease?.healthy, false);
});
