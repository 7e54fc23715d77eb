import assert from "node:assert/strict";
import { test } from "node:test";
import type { GatewayReport, GatewayUpdate } from "@catalyst/rpc";
import { createLogger, createMetrics } from "@catalyst/telemetry";
import { createOrchestratorEvents } from "../orchestrator-events.ts";
import { Activator, type GatewaySide, type ProxySide } from "./activation.ts";
import type { ReachedService } from "./reach.ts";

const events = createOrchestratorEvents(createLogger({ process: "test", level: "silent" }), createMetrics());

const entry = (name: string, protocol: "graphql" | "http" = "graphql"): ReachedService => {
  const service = { name, protocol, url: `http://127.0.0.1:1/${name}`, timeoutMs: 1_000 };
  const entry = { service, origin: "runtime", revision: name, lease: null } as const;
  return { name, protocol, entry, revision: name, paths: [{ to: "here", service }] };
};

/** Both sides, writing down what they are told in the order in which it happens. */
function sides() {
  const told: string[] = [];
  let release = () => {};
  let gate = Promise.resolve();
  let report: GatewayReport | null = null;
  const proxies: ProxySide = {
    put: (services) => void told.push(`envoy +${services.map(({ name }) => name)}`),
    remove: (names) => void told.push(`envoy -${names}`),
    settled: async () => {
      await gate;
      told.push("envoy settled");
    },
    observe: () => () => ({ state: "acknowledged", reason: null }),
  };
  const gateway: GatewaySide = {
    apply: async (update: Omit<GatewayUpdate, "version">) => {
      told.push(`gateway =${update.services.map(({ name }) => name)}`);
    },
    report: () => report,
  };
  return {
    told,
    proxies,
    gateway,
    hold: () => {
      gate = new Promise((resolve) => {
        release = resolve;
      });
    },
    release: () => release(),
    reported: (next: GatewayReport) => {
      report = next;
    },
  };
}

function create(of: ReturnType<typeof sides>) {
  const egress = { host: "127.0.0.1", port: 1 };
  return new Activator({
    ...of,
    egress,
    remoteTimeoutMs: 60_000,
    lingerMs: () => 0,

    hostOf: (name) => `${name}.example.org`,
    events,
  });
}

test("what is new reaches Envoy before the gateway, what is gone leaves the gateway before Envoy", async () => {
  const of = sides();
  const activator = create(of);
  activator.put([entry("a")]);
  await activator.settled(1_000);
  activator.put([entry("b")]);
  await activator.settled(1_000);
  activator.remove(["a"]);
  await activator.settled(1_000);
  assert.deepEqual(of.told, [
    ...["envoy +a", "envoy settled", "gateway =a"],
    ...["envoy +b", "envoy settled", "gateway =a,b"],
    ...["envoy settled", "gateway =b", "envoy -a"],
  ]);
});

test("changes that come during a round are brought into force together in the next", async () => {
  const of = sides();
  const activator = create(of);
  of.hold();
  activator.put([]);
  for (const name of ["a", "b", "c"]) activator.put([entry(name)]);
  activator.remove(["b"]);
  of.release();
  await activator.settled(1_000);
  assert.deepEqual(
    of.told.filter((each) => !each.startsWith("envoy +")),
    ["envoy settled", "gateway =a,c", "envoy -b", "envoy settled"],
  );
});

test("what is put in again as it was is told to nobody, and what was taken out meanwhile is told again", async () => {
  const of = sides();
  const activator = create(of);
  activator.put([entry("a"), entry("b")]);
  await activator.settled(1_000);
  of.told.length = 0;
  activator.put([entry("a")]);
  await activator.settled(1_000);
  assert.deepEqual(of.told, []);
  activator.put([entry("a"), entry("b", "http")]);
  activator.remove(["a"]);
  activator.put([entry("a")]);
  await activator.settled(1_000);
  assert.deepEqual(of.told.slice(0, 2), ["envoy +b", "envoy +a"]);
});

test("the gateway hears of a change only when its own services change", async () => {
  const of = sides();
  const activator = create(of);
  activator.put([entry("web", "http"), entry("a")]);
  await activator.settled(1_000);
  activator.put([entry("shop", "http")]);
  await activator.settled(1_000);
  activator.remove(["web"]);
  await activator.settled(1_000);
  activator.put([entry("a", "http")]);
  await activator.settled(1_000);
  const heard = of.told.filter((each) => each.startsWith("gateway"));
  assert.deepEqual(heard, ["gateway =a", "gateway ="]);
});

test("what is removed during a round leaves Envoy only after the gateway was told in the next", async () => {
  const of = sides();
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let rounds = 0;
  const apply: GatewaySide["apply"] = async (update) => {
    await of.gateway.apply(update);
    if (++rounds === 1) await gate;
  };
  const activator = create({ ...of, gateway: { ...of.gateway, apply } });
  activator.put([entry("a"), entry("b")]);
  while (rounds === 0) await new Promise((resolve) => setImmediate(resolve));
  activator.remove(["a"]);
  release();
  await activator.settled(1_000);
  assert.deepEqual(of.told.slice(1), [
    ...["envoy settled", "gateway =a,b"],
    ...["envoy settled", "gateway =b", "envoy -a"],
  ]);
});

test("a gateway that refuses or is away does not keep Envoy from being cleaned up", async () => {
  const of = sides();
  const activator = create({
    ...of,
    gateway: { ...of.gateway, apply: () => Promise.reject(new Error("away")) },
  });
  activator.put([entry("a")]);
  activator.remove(["a"]);
  await activator.settled(1_000);
  assert.ok(of.told.includes("envoy -a"), of.told.join("; "));
});

test("an HTTP service is none of the gateway's, a GraphQL service stands as the gateway reports it", async () => {
  const of = sides();
  const activator = create(of);
  activator.put([entry("web", "http"), entry("a"), entry("b")]);
  await activator.settled(1_000);
  assert.ok(of.told.includes("gateway =a,b"));
  const excluded = {
    name: "a",
    state: "excluded",
    kind: null,
    schemaDigest: null,
    reason: "no schema",
  } as const;
  of.reported({
    version: 1,
    generation: 1,
    schemaDigest: null,
    services: [{ ...excluded, since: new Date().toISOString() }],
  });
  const stateOf = activator.observe();
  assert.deepEqual(stateOf("web"), { envoy: "acknowledged", gateway: "not_applicable", reason: null });
  assert.deepEqual(stateOf("a"), { envoy: "acknowledged", gateway: "excluded", reason: "no schema" });
  assert.deepEqual(stateOf("b"), { envoy: "acknowledged", gateway: "pending", reason: null });
});
