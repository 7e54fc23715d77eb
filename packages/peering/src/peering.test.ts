import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodeEndOfRib } from "./end-of-rib.ts";
import { type Channel, type Clock, createPeering } from "./peering.ts";
import type { SessionEnd } from "./route-event.ts";
import { acme, domainOf, n1, n2, nextHopOf, products } from "./test-route.ts";

/** Two ends of a session in memory. */
function connect(a: string, b: string): { readonly atA: TestEnd; readonly atB: TestEnd } {
  const atA = new TestEnd(b);
  const atB = new TestEnd(a);
  atA.other = atB;
  atB.other = atA;
  return { atA, atB };
}

class TestEnd implements Channel {
  readonly peer: Channel["peer"];
  readonly ended: Channel["ended"];
  other: TestEnd | null = null;
  closedWith: readonly [number, string] | null = null;
  readonly #settle: (end: SessionEnd) => void;
  readonly #arrived: Uint8Array[] = [];
  #wake = () => {};
  #isOver = false;

  constructor(peer: string) {
    this.peer = { node: peer, domain: domainOf(peer) };
    const { promise, resolve } = Promise.withResolvers<SessionEnd>();
    this.ended = promise;
    this.#settle = resolve;
  }

  async send(message: Uint8Array): Promise<void> {
    if (this.#isOver) throw new Error("the session has ended");
    this.other?.arrive(message);
  }

  arrive(message: Uint8Array): void {
    this.#arrived.push(message);
    this.#wake();
  }

  close(code: number, text: string): void {
    this.closedWith = [code, text];
    this.end("protocol_error");
    this.other?.end("protocol_error");
  }

  end(code: string): void {
    this.#isOver = true;
    this.#settle({ code, text: `${code}, for people`, by: "peer" });
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const message = this.#arrived.shift();
      if (message !== undefined) yield message;
      else if (this.#isOver) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
  }
}

/** A clock that goes on by hand. */
class TestClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly call: () => void }>();

  now(): number {
    return this.#now;
  }

  wall(): number {
    return 1_800_000_000_000 + this.#now;
  }

  after(delayMs: number, call: () => void): () => void {
    const timer = { at: this.#now + delayMs, call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  pass(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now || !this.#timers.delete(timer)) continue;
      timer.call();
    }
  }

  get waiting(): number {
    return this.#timers.size;
  }
}

function start(node: string, clock: Clock) {
  const changed: string[] = [];
  const parts = { clock, onChange: (services: readonly string[]) => changed.push(...services) };
  return { peering: createPeering(parts, { node, domain: acme, nextHop: nextHopOf(node) }), changed };
}

/** Until nothing is left to be done at once. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("a speaker over channels", () => {
  test("a service reaches the other node, whose data plane is told, and leaves it again", async () => {
    const clock = new TestClock();
    const [a, b] = [start(n1, clock), start(n2, clock)];
    a.peering.apply({ kind: "originate", route: { service: products, protocol: "http" } });
    const { atA, atB } = connect(n1, n2);
    void a.peering.attach(atA);
    void b.peering.attach(atB);
    await settled();
    assert.deepEqual(b.changed, [products]);
    assert.equal(b.peering.speaker.routes(products)[0]?.source.node, n1);
    a.peering.apply({ kind: "withdraw", service: products });
    await settled();
    assert.deepEqual([b.changed, b.peering.speaker.routes(products)], [[products, products], []]);
  });

  for (const [code, routes] of [
    ["connection_lost", 1],
    ["restarting", 1],
    ["stopped", 0],
    ["not_admitted", 0],
  ] as const) {
    test(`after ${code} the peer's routes ${routes === 1 ? "stay for the restart time" : "are gone"}`, async () => {
      const clock = new TestClock();
      const [a, b] = [start(n1, clock), start(n2, clock)];
      a.peering.apply({ kind: "originate", route: { service: products, protocol: "http" } });
      const { atA, atB } = connect(n1, n2);
      void a.peering.attach(atA);
      const attached = b.peering.attach(atB);
      await settled();
      atB.end(code);
      await attached;
      assert.equal(b.peering.speaker.routes(products).length, routes);
      clock.pass(120_000);
      assert.equal(b.peering.speaker.routes(products).length, 0);
      assert.equal(clock.waiting, 0);
    });
  }

  test("a peer that sends what is no message is told so with the number of the code", async () => {
    const { peering } = start(n2, new TestClock());
    const { atA, atB } = connect(n1, n2);
    const attached = peering.attach(atB);
    await atA.send(Uint8Array.of(0xff));
    await attached;
    assert.equal(atB.closedWith?.[0], 2);
  });

  test("a newer channel takes the place of the older one, whose end and messages count no more", async () => {
    const clock = new TestClock();
    const [a, b] = [start(n1, clock), start(n2, clock)];
    a.peering.apply({ kind: "originate", route: { service: products, protocol: "http" } });
    const older = connect(n1, n2);
    const attached = b.peering.attach(older.atB);
    const newer = connect(n1, n2);
    void a.peering.attach(newer.atA);
    void b.peering.attach(newer.atB);
    await settled();
    await older.atA.send(Uint8Array.of(0xff));
    await older.atA.send(encodeEndOfRib({ refresh: 0 }));
    older.atB.end("stopped");
    await attached;
    assert.equal(older.atB.closedWith, null);
    assert.equal(b.peering.speaker.routes(products).length, 1);
  });

  test("a speaker that is disposed of waits for nothing", async () => {
    const clock = new TestClock();
    const { peering } = start(n1, clock);
    peering.apply({
      kind: "originate",
      route: { service: products, protocol: "http", expiry: 1_800_000_010 },
    });
    assert.equal(clock.waiting, 1);
    await peering[Symbol.asyncDispose]();
    assert.equal(clock.waiting, 0);
  });
});

test("However much has come of one peer, others have their turn before all of it is read", async () => {
  let instant = 0;
  // Each look at the clock is half a millisecond later.
  const clock: Clock = { now: () => (instant += 0.5), wall: () => 0, after: () => () => {} };
  const onChange = () => {};
  await using peering = createPeering(
    { clock, onChange },
    { node: n1, domain: acme, nextHop: nextHopOf(n1) },
  );
  const { atA } = connect(n1, n2);
  for (let at = 0; at < 100; at++) atA.arrive(encodeEndOfRib({ refresh: 0 }));
  let read = 0;
  const counted = atA[Symbol.asyncIterator].bind(atA);
  atA[Symbol.asyncIterator] = async function* () {
    for await (const message of { [Symbol.asyncIterator]: counted }) {
      read += 1;
      yield message;
    }
  };
  const over = peering.attach(atA);
  await new Promise(setImmediate);
  assert.ok(read > 0 && read < 100, `${read} of 100`);
  while (read < 100) await new Promise(setImmediate);
  atA.end("stopped");
  await over;
});

test("What came together after a long silence is read together", async () => {
  const clock = new TestClock();
  const [a, b] = [start(n1, clock), start(n2, clock)];
  const { atA, atB } = connect(n1, n2);
  void a.peering.attach(atA);
  void b.peering.attach(atB);
  await settled();
  clock.pass(1_000);
  const services = ["a", "b", "c"].map((label) => `${label}.${acme}`);
  for (const service of services)
    a.peering.apply({ kind: "originate", route: { service, protocol: "http" } });
  await settled();
  assert.deepEqual(b.changed, services);
});
