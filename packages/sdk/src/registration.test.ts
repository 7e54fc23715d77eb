import assert from "node:assert/strict";
import { test } from "node:test";
import { EventLog, OrchestratorDouble } from "../test/orchestrator-double.ts";
import { SdkError } from "./errors.ts";
import type { Instant } from "./lease.ts";
import { type Clock, type RegisterOptions, register } from "./registration.ts";

const service = { name: "products", protocol: "graphql", url: "http://127.0.0.1:4001/graphql" } as const;

const rejectsWith =
  (code: string, pattern = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof SdkError);
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  };

/** A node, a log of events, and a registration with both. */
async function setUp(options: Partial<RegisterOptions> = {}, started = true) {
  const node = new OrchestratorDouble();
  if (started) await node.start();
  const log = new EventLog();
  const registration = register({ service, socket: node.socket, ttlMs: 1_000, onEvent: log.add, ...options });
  const dispose = async () => {
    await registration.release();
    await node[Symbol.asyncDispose]();
  };
  return { node, log, registration, [Symbol.asyncDispose]: dispose };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("a service is registered with its declaration in full, and knows its Host", async () => {
  await using setup = await setUp();
  const { node, registration } = setup;
  assert.equal(registration.state, "waiting");
  assert.equal(registration.host, null);
  await registration.ready;
  assert.equal(registration.state, "registered");
  assert.equal(registration.host, "products.acme.catalyst.internal");
  const [call, ...others] = node.calls;
  assert.partialDeepStrictEqual(call, {
    kind: "lease",
    service: { ...service, timeoutMs: 15_000 },
    ttlMs: 1_000,
  });
  assert.deepEqual(others, []);
});

test("an instance asks under one name of its own each time, and another instance under another one", async () => {
  await using one = await setUp();
  await using other = await setUp();
  const holders = () =>
    [one, other].map(({ node }) =>
      node.calls.flatMap((call) => (call.kind === "lease" ? [call.holder] : [])),
    );
  await Promise.all([one.registration.ready, other.registration.ready]);
  one.node.leases.clear();
  await until(() => holders()[0]?.length === 2);
  const [[first, again] = [], [second] = []] = holders();
  assert.equal(first, again);
  assert.notEqual(first, second);
});

test("the lease is renewed before it ends, each time with the service's health", async () => {
  let healthy = true;
  await using setup = await setUp({
    health: () => (healthy ? { healthy } : { healthy, detail: "disk is full" }),
  });
  const { node, registration } = setup;
  await registration.ready;
  const since = performance.now();
  const renewals = () => node.calls.filter(({ kind }) => kind === "renew");
  await until(() => renewals().length === 1);
  assert.ok(performance.now() - since < 1_000);
  healthy = false;
  await until(() => renewals().length === 2);
  assert.deepEqual(renewals(), [
    { kind: "renew", leaseId: "lease-1", healthy: true, detail: undefined },
    { kind: "renew", leaseId: "lease-1", healthy: false, detail: "disk is full" },
  ]);
});

test("a service waits for a node that is not there yet", async () => {
  await using setup = await setUp({}, false);
  const { node, log, registration } = setup;
  await log.seen("waiting");
  assert.equal(registration.state, "waiting");
  await node.start();
  await registration.ready;
  assert.deepEqual(log.kinds(), ["waiting", "registered"]);
});

test("an orchestrator that returns with its leases is met with a renewal, one that lost them with a new lease", async () => {
  await using setup = await setUp();
  const { node, log, registration } = setup;
  await registration.ready;
  await node.stop();
  await log.seen("waiting");
  assert.equal(registration.state, "waiting");
  await node.start();
  await log.seen("registered", 2);
  assert.deepEqual([...node.leases.keys()], ["lease-1"]);
  await node.stop();
  node.leases.clear();
  await node.start();
  await log.seen("registered", 3);
  assert.deepEqual([...node.leases.keys()], ["lease-2"]);
  assert.equal(registration.state, "registered");
});

test("a release gives the lease back, resolves when the node has it, and may come twice", async () => {
  await using setup = await setUp();
  const { node, log, registration } = setup;
  await registration.ready;
  await Promise.all([registration.release(), registration.release()]);
  assert.equal(node.leases.size, 0);
  assert.equal(registration.state, "released");
  assert.deepEqual(log.kinds(), ["registered", "released"]);
  assert.equal(node.calls.filter(({ kind }) => kind === "release").length, 1);
});

test("an aborted signal releases", async () => {
  const stop = new AbortController();
  await using setup = await setUp({ signal: stop.signal });
  const { node, log, registration } = setup;
  await registration.ready;
  stop.abort();
  await log.seen("released");
  assert.equal(node.leases.size, 0);
});

test("a release before the node was ever there ends the waiting", async () => {
  await using setup = await setUp({}, false);
  await setup.registration.release();
  await assert.rejects(setup.registration.ready, rejectsWith("released"));
});

test("a name that the configuration declares is refused for good, and so is what the node does not take", async () => {
  for (const [code, expected] of [
    ["service_declared", "service_declared"],
    ["invalid_request", "declaration_refused"],
  ] as const) {
    await using setup = await setUp({}, false);
    const { node, log, registration } = setup;
    node.refusal = { code, message: "not like this" };
    await node.start();
    await assert.rejects(registration.ready, rejectsWith(expected, /not like this/));
    assert.equal(registration.state, "refused");
    assert.equal(node.calls.length, 1);
    assert.equal(log.events.at(-1)?.kind, "refused");
    await registration.release();
  }
});

test("a name that stays taken is a conflict after a lease's time, and is taken over when it becomes free", async () => {
  const clock = new ManualClock();
  await using setup = await setUp({ clock, ttlMs: 60_000, random: () => 1 }, false);
  const { node, log, registration } = setup;
  node.refusal = { code: "service_name_taken", message: "held by http://127.0.0.1:9/" };
  await node.start();
  const answered = (count: number) => until(() => node.calls.length === count && clock.due !== null);
  await answered(1);
  while (!log.kinds().includes("conflict")) {
    clock.advance();
    await answered(node.calls.length + 1);
  }
  assert.equal(clock.now(), 60_000);
  node.refusal = null;
  await until(() => {
    clock.advance();
    return registration.state === "registered";
  });
  assert.deepEqual(
    log.kinds().filter((kind) => kind !== "waiting"),
    ["conflict", "registered"],
  );
});

test("a declaration that does not fit is refused before anything is started, by the names of its fields", () => {
  const wrong = { ...service, name: "Products", url: "ftp://example.org" };
  assert.throws(
    () => register({ service: wrong }),
    rejectsWith("declaration_invalid", /name is not a DNS label.*url is not/),
  );
  assert.throws(() => register({ service, ttlMs: 10 }), rejectsWith("declaration_invalid", /ttlMs is 10/));
});

/** Time that moves when the test says so, straight to what is due. */
class ManualClock implements Clock {
  due: { readonly at: Instant; readonly run: () => void } | null = null;
  #now = 0;

  readonly now = () => this.#now;

  readonly schedule = (run: () => void, delayMs: number) => {
    const entry = { at: this.#now + delayMs, run };
    this.due = entry;
    return () => {
      if (this.due === entry) this.due = null;
    };
  };

  advance(): void {
    const entry = this.due;
    if (entry === null) return;
    this.due = null;
    this.#now = entry.at;
    entry.run();
  }
}
