import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  initialState,
  type Lease,
  type LeaseCall,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseState,
  step,
} from "./lease.ts";

const ttlMs = 15_000;
const lease: Lease = { id: "a", ttlMs, host: "products.acme.catalyst.internal" };
const gone: LeaseEvent = { kind: "unavailable", code: "unreachable", message: "nobody there" };
const failed = (call: LeaseCall, code: (LeaseEvent & { kind: "failed" })["code"]): LeaseEvent => ({
  kind: "failed",
  call,
  code,
  message: code,
});

/** Runs events from the initial state, one per ms, and returns the last state with the effects of every step. */
function run(...events: LeaseEvent[]): { state: LeaseState; effects: LeaseEffect[][] } {
  let state = initialState;
  const effects = events.map((event, now) => {
    const [next, asked] = step(state, event, now, ttlMs);
    state = next;
    return [...asked];
  });
  return { state, effects };
}

const kinds = (effects: readonly LeaseEffect[] | undefined) =>
  effects?.map((effect) => (effect.kind === "tell" ? effect.event.kind : effect.kind));

const held: LeaseEvent[] = [{ kind: "connected" }, { kind: "granted", lease }];

test("a connection asks for a lease, and a granted one is renewed within a third of its time", () => {
  const { state, effects } = run(...held);
  assert.deepEqual(kinds(effects[0]), ["register"]);
  assert.deepEqual(kinds(effects[1]), ["registered", "wake"]);
  assert.deepEqual(effects[1]?.at(-1), { kind: "wake", earliestMs: 4_000, latestMs: 5_000 });
  assert.equal(state.kind, "held");
});

test("a node that is away is told of once, however many attempts fail", () => {
  const { effects } = run(gone, gone, gone, { kind: "connected" }, gone, gone);
  assert.deepEqual(effects.map(kinds), [["waiting"], [], [], ["register"], [], []]);
});

test("a connection that breaks and the ones that cannot be made after it are told of as one", () => {
  const broken: LeaseEvent = { kind: "unavailable", code: "disconnected", message: "the process went away" };
  const { effects } = run(...held, broken, gone, gone);
  assert.deepEqual(effects.slice(2).map(kinds), [["waiting"], [], []]);
});

test("a lease outlives its connection: the next one renews it, and says so", () => {
  const { effects } = run(...held, gone, { kind: "connected" }, { kind: "renewed", ttlMs });
  assert.deepEqual(effects.slice(2).map(kinds), [["waiting"], ["renew"], ["registered", "wake"]]);
});

test("a lease that the node no longer knows is asked for again at once", () => {
  const { state, effects } = run(...held, { kind: "wake" }, failed("renew", "lease_unknown"));
  assert.equal(state.kind, "registering");
  assert.deepEqual(kinds(effects.at(-1)), ["register"]);
});

test("a failed renewal is tried again sooner, and told of once", () => {
  const retry: LeaseEvent[] = [{ kind: "wake" }, failed("renew", "timeout")];
  const { effects } = run(...held, ...retry, ...retry, { kind: "wake" }, { kind: "renewed", ttlMs });
  assert.deepEqual(kinds(effects[3]), ["waiting", "wake"]);
  assert.deepEqual(kinds(effects[5]), ["wake"]);
  assert.deepEqual(kinds(effects[7]), ["registered", "wake"]);
});

test("a taken name is asked for until a lease of ours would have ended; then it is a conflict, told once", () => {
  for (const code of ["service_name_taken", "service_leased"] as const) {
    let [state] = step(initialState, { kind: "connected" }, 0, ttlMs);
    const told: string[] = [];
    for (let now = 0; now <= 3 * ttlMs; now += 1_000) {
      const [refused, effects] = step(state, failed("register", code), now, ttlMs);
      for (const effect of effects) if (effect.kind === "tell") told.push(`${effect.event.kind} at ${now}`);
      [state] = step(refused, { kind: "wake" }, now, ttlMs);
    }
    assert.deepEqual(told, ["waiting at 0", "conflict at 15000"]);
    const [granted] = step(state, { kind: "granted", lease }, 3 * ttlMs, ttlMs);
    assert.equal(granted.kind, "held");
  }
});

test("a node that refuses for now is asked again with growing pauses of at most ten seconds", () => {
  let [state] = step(initialState, { kind: "connected" }, 0, ttlMs);
  const pauses: number[] = [];
  for (let attempt = 0; attempt < 12; attempt++) {
    const [refused, effects] = step(state, failed("register", "draining"), 0, ttlMs);
    for (const effect of effects) if (effect.kind === "wake") pauses.push(effect.latestMs);
    [state] = step(refused, { kind: "wake" }, 0, ttlMs);
  }
  assert.deepEqual(pauses.slice(0, 4), [200, 400, 800, 1_600]);
  assert.equal(Math.max(...pauses), 10_000);
});

test("a name that the configuration declares, and a refused declaration, end the registration for good", () => {
  for (const code of ["service_declared", "invalid_request"] as const) {
    const { state, effects } = run({ kind: "connected" }, failed("register", code), { kind: "connected" });
    assert.equal(state.kind, "refused");
    assert.deepEqual(effects.map(kinds), [["register"], ["refused", "disconnect"], []]);
  }
});

test("a release that comes while a lease is asked for gives back what is granted", () => {
  const { state, effects } = run(
    { kind: "connected" },
    { kind: "release" },
    { kind: "granted", lease },
    { kind: "released" },
  );
  assert.deepEqual(effects.map(kinds), [
    ["register"],
    ["wake"],
    ["release", "wake"],
    ["released", "disconnect"],
  ]);
  assert.equal(state.kind, "released");
});

test("a release does not wait for a renewal, and the renewal's failure does not cut it short", () => {
  const { state, effects } = run(...held, { kind: "wake" }, { kind: "release" }, failed("renew", "timeout"));
  assert.deepEqual(state, { kind: "releasing", lease });
  assert.deepEqual(effects.slice(3).map(kinds), [["release", "wake"], []]);
});

test("a release while the node is away is done at once: the lease ends by itself", () => {
  const { state } = run(...held, gone, { kind: "release" });
  assert.equal(state.kind, "released");
});

test("a release that the node does not answer within two seconds is over all the same", () => {
  for (const begun of [held.slice(0, 1), held]) {
    const { state, effects } = run(...begun, { kind: "release" }, { kind: "wake" });
    assert.deepEqual(effects.at(-2)?.at(-1), { kind: "wake", earliestMs: 2_000, latestMs: 2_000 });
    assert.equal(state.kind, "released");
  }
});

const anyEvent: fc.Arbitrary<LeaseEvent> = fc.oneof(
  fc.constantFrom<LeaseEvent>(
    { kind: "connected" },
    { kind: "granted", lease },
    { kind: "renewed", ttlMs },
    { kind: "wake" },
    { kind: "released" },
    gone,
  ),
  fc.record({
    kind: fc.constant("failed" as const),
    call: fc.constantFrom<LeaseCall>("register", "renew", "release"),
    code: fc.constantFrom(
      "timeout",
      "disconnected",
      "service_name_taken",
      "service_leased",
      "lease_unknown",
      "draining",
      "internal",
    ),
    message: fc.constant("why"),
  }),
);

test("whatever happens, in whatever order, a call is only asked for in the state that awaits its answer", () => {
  const awaiting = { register: "registering", renew: "renewing", release: "releasing" } as const;
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 9, arbitrary: anyEvent }, fc.constant<LeaseEvent>({ kind: "release" }))),
      (events) => {
        let state = initialState;
        let disconnects = 0;
        for (const [now, event] of events.entries()) {
          const [next, effects] = step(state, event, now * 1_000, ttlMs);
          const calls = effects.filter((effect) => effect.kind in awaiting);
          assert.ok(calls.length <= 1);
          for (const { kind } of calls) assert.equal(next.kind, awaiting[kind as LeaseCall]);
          const waits = next.kind === "held" || next.kind === "refused_for_now";
          if (waits && next !== state) assert.ok(effects.some(({ kind }) => kind === "wake"));
          disconnects += effects.filter(({ kind }) => kind === "disconnect").length;
          state = next;
        }
        assert.equal(disconnects, state.kind === "released" || state.kind === "refused" ? 1 : 0);
      },
    ),
  );
});

test("with a node that goes and returns, a service that lives is registered again, and its lease never lapses while the node is there", () => {
  const outage = fc.record({
    up: fc.integer({ min: 1, max: 60_000 }),
    down: fc.integer({ min: 1, max: 60_000 }),
  });
  fc.assert(
    fc.property(fc.array(outage, { maxLength: 5 }), fc.boolean(), fc.nat(1_000), (outages, forgets, luck) => {
      const node = simulate(outages, forgets, luck / 1_000);
      assert.deepEqual(node.lapses, []);
      assert.ok(node.registered);
      assert.ok(["held", "renewing"].includes(node.state.kind), node.state.kind);
    }),
    { numRuns: 200 },
  );
});

/** Plays a node with outages in virtual time: calls take 20 ms, a connection is back 500 ms after the node is. */
function simulate(outages: readonly { up: number; down: number }[], forgets: boolean, luck: number) {
  let state = initialState;
  let expiresAt: number | null = null;
  let wakeAt: number | null = null;
  let answer: { at: number; event: LeaseEvent } | null = null;
  const lapses: number[] = [];
  let now = 0;
  const on = (event: LeaseEvent) => {
    const [next, effects] = step(state, event, now, ttlMs);
    if (next !== state) wakeAt = null;
    state = next;
    for (const effect of effects) {
      if (effect.kind === "wake")
        wakeAt = now + effect.earliestMs + luck * (effect.latestMs - effect.earliestMs);
      if (effect.kind === "register") answer = { at: now + 20, event: { kind: "granted", lease } };
      if (effect.kind !== "renew") continue;
      const event: LeaseEvent =
        expiresAt === null ? failed("renew", "lease_unknown") : { kind: "renewed", ttlMs };
      answer = { at: now + 20, event };
    }
  };
  const runUntil = (end: number, grace: number) => {
    for (;;) {
      const next = Math.min(wakeAt ?? Infinity, answer?.at ?? Infinity, end);
      if (expiresAt !== null && expiresAt < next) {
        if (expiresAt > grace) lapses.push(expiresAt);
        expiresAt = null;
      }
      now = next;
      if (next === end) return;
      const due = answer !== null && answer.at === next ? answer.event : null;
      if (due === null) {
        wakeAt = null;
        on({ kind: "wake" });
        continue;
      }
      answer = null;
      if (due.kind === "granted" || due.kind === "renewed") expiresAt = now + ttlMs;
      on(due);
    }
  };
  for (const { up, down } of [...outages, { up: 60_000, down: 0 }]) {
    const back = now + 500;
    now = back;
    on({ kind: "connected" });
    runUntil(back + up, back + 20);
    if (down === 0) break;
    answer = null;
    on(gone);
    now += down;
    if (forgets || (expiresAt !== null && expiresAt < now)) expiresAt = null;
  }
  return { state, lapses, registered: expiresAt !== null };
}
