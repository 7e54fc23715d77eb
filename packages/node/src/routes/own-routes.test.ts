import assert from "node:assert/strict";
import { test } from "node:test";
import type { OwnEvent } from "@catalyst/peering";
import type { ServiceEntry } from "../services/service-table.ts";
import { OwnRoutes } from "./own-routes.ts";

const entry = (
  name: string,
  protocol: "graphql" | "http" | "tcp" = "graphql",
  healthy = true,
): ServiceEntry => ({
  service: { name, protocol, url: "http://127.0.0.1:1/graphql", timeoutMs: 1_000 },
  origin: "lease",
  revision: name,
  lease: { id: "l", holder: "h", ttlMs: 1_000, renewedAt: 0, healthy, detail: null },
});
const put = (of: ServiceEntry) => ({ kind: "put", entry: of, created: true }) as const;

/** What peers were told, one line each; Envoy acknowledges when it is let. */
function create({ isReachable = true } = {}) {
  const told: string[] = [];
  let acknowledge = () => {};
  const routes = new OwnRoutes({
    domain: "example.org",
    isReachable,
    isOffered: ({ protocol }) => protocol !== "tcp",
    settled: () => new Promise((resolve) => (acknowledge = resolve)),
    tell: (event) => told.push(describe(event)),
  });
  const acknowledged = async () => {
    acknowledge();
    await new Promise(setImmediate);
  };
  return { told, routes, acknowledged };
}

function describe(event: OwnEvent): string {
  if (event.kind === "withdraw") return `-${event.service}`;
  if (event.kind === "health") return `${event.service} ${event.healthy ? "well" : "unwell"}`;
  if (event.kind !== "originate") return event.kind;
  const { service, protocol, schemaDigest } = event.route;
  return `+${service} ${protocol}${schemaDigest === undefined ? "" : ` ${Buffer.from(schemaDigest).toString("hex")}`}`;
}

test("Peers hear of a service when Envoy serves it, and that it is gone at once", async () => {
  const { told, routes, acknowledged } = create();
  routes.changed(put(entry("a")));
  await new Promise(setImmediate);
  assert.deepEqual(told, []);
  await acknowledged();
  assert.deepEqual(told.splice(0), ["+a.example.org graphql", "a.example.org well"]);
  routes.changed({ kind: "remove", name: "a" });
  assert.deepEqual(told, ["-a.example.org"]);
});

test("What Envoy withholds is told of to nobody, and withdrawn when it becomes so", async () => {
  const { told, routes, acknowledged } = create();
  routes.changed(put(entry("a", "tcp")));
  await acknowledged();
  assert.deepEqual(told, []);
  routes.changed(put(entry("a", "http")));
  await acknowledged();
  assert.deepEqual(told.splice(0), ["+a.example.org http", "a.example.org well"]);
  routes.changed(put(entry("a", "tcp")));
  assert.deepEqual(told, ["-a.example.org"]);
});

test("A service that is gone before Envoy served it is told of to nobody", async () => {
  const { told, routes, acknowledged } = create();
  routes.changed(put(entry("a")));
  routes.changed({ kind: "remove", name: "a" });
  await acknowledged();
  assert.deepEqual(told, []);
});

test("A service is unwell when it says so itself, or when it is found so", async () => {
  const { told, routes, acknowledged } = create();
  routes.changed(put(entry("a", "http")));
  routes.wellnessChanged("a", false);
  await acknowledged();
  assert.deepEqual(told.splice(0), ["+a.example.org http", "a.example.org unwell"]);
  routes.wellnessChanged("a", true);
  assert.deepEqual(told.splice(0), ["a.example.org well"]);
  routes.changed(put(entry("a", "http", false)));
  assert.deepEqual(told.splice(0), ["+a.example.org http", "a.example.org unwell"]);
});

test("The digest of a schema is told when it is known, and when it is another one", async () => {
  const { told, routes, acknowledged } = create();
  routes.changed(put(entry("a")));
  await acknowledged();
  told.splice(0);
  for (const schemaDigest of [null, "aa".repeat(32), "aa".repeat(32), "bb".repeat(32)]) {
    routes.schemasKnown([{ name: "a", schemaDigest }]);
  }
  const announced = told.filter((line) => line.startsWith("+"));
  assert.deepEqual(
    announced,
    ["aa", "bb"].map((byte) => `+a.example.org graphql ${byte.repeat(32)}`),
  );
});

test("A node that nobody reaches tells nothing", async () => {
  const { told, routes, acknowledged } = create({ isReachable: false });
  routes.changed(put(entry("a")));
  await acknowledged();
  routes.changed({ kind: "remove", name: "a" });
  assert.deepEqual(told, []);
});

test("What was there at the start has been told when Envoy serves it, and without services at once", async () => {
  const { told, routes, acknowledged } = create();
  await routes.told();
  routes.changed(put(entry("a")));
  let isTold = false;
  const all = routes.told().then(() => {
    isTold = true;
  });
  await new Promise(setImmediate);
  assert.equal(isTold, false);
  await acknowledged();
  await all;
  assert.deepEqual(told, ["+a.example.org graphql", "a.example.org well"]);
});
