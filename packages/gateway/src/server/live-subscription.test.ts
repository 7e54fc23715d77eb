import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildSchema, type ExecutionResult } from "graphql";
import type { OperationResult, ResultStream } from "../engine/engine.ts";
import { type Generation, Generations } from "../generation.ts";
import { silentEvents } from "../testing/test-gateway.ts";
import { until } from "../testing/test-until.ts";
import { LiveSubscriptions } from "./live-subscriptions.ts";
import { refusalError } from "./refusal.ts";

type Faults = { readonly fail?: "result" | "throw" | "hang"; readonly gone?: boolean };

/** A source of events that any number of streams read, as a service is. */
class Topic {
  readonly streams = new Set<TopicStream>();

  publish(value: number): void {
    for (const stream of this.streams) stream.push({ data: { value } });
  }
}

class TopicStream implements ResultStream {
  readonly #topic: Topic;
  readonly #queue: IteratorResult<ExecutionResult>[] = [];
  #wake: (() => void) | null = null;

  constructor(topic: Topic) {
    this.#topic = topic;
    topic.streams.add(this);
  }

  push(value: ExecutionResult): void {
    this.#queue.push({ done: false, value });
    this.#wake?.();
  }

  finish(): void {
    this.#topic.streams.delete(this);
    this.#queue.push({ done: true, value: undefined });
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<ExecutionResult>> {
    for (;;) {
      const first = this.#queue[0];
      if (first?.done !== true) this.#queue.shift();
      if (first !== undefined) return first;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<ExecutionResult>> {
    this.finish();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

const schema = buildSchema("type Query { a: Int }");
const overlapMs = 20;

/** Subscriptions over a topic, with an engine that opens a source of its own, or takes over the one before. */
function openRoom(takesOver = false) {
  const topic = new Topic();
  const generations = new Generations({ retireMs: 60_000, maxGenerations: 20 });
  const draining = new AbortController();
  const moves: string[] = [];
  const events = { ...silentEvents, subscriptionMoved: (how: string) => void moves.push(how) };
  events.internalError = () => undefined;
  const faults: Faults[] = [];
  const subscriptions = new LiveSubscriptions({ generations, events, overlapMs, draining: draining.signal });
  let opened = 0;
  const execute = () => Promise.resolve({ data: null });
  const replace = (next: Faults | null = {}) => {
    faults.push(next ?? {});
    const compiled = { schema, execute, subscribe: execute, explain: async () => [] };
    generations.replace(
      next === null ? null : { compiled, sdl: "", digest: "", services: [], supergraphSdl: "" },
    );
    subscriptions.schemaReplaced();
  };
  replace();
  const open = async (
    { number }: Generation,
    signal: AbortSignal,
    previous?: ResultStream,
  ): Promise<ResultStream | OperationResult> => {
    opened += 1;
    const { fail } = faults[number - 1] ?? {};
    if (fail === "hang") await new Promise((_, reject) => signal.addEventListener("abort", reject));
    await sleep(1);
    if (fail === "throw") throw new Error("broken");
    if (fail === "result") return { errors: [refusalError("BAD_REQUEST", "not now")] };
    const stream = new TopicStream(topic);
    if (takesOver && previous instanceof TopicStream) previous.finish();
    return stream;
  };
  const begin = async (): Promise<ResultStream> => {
    const current = generations.current;
    assert.ok(current);
    const request = {
      requestId: "r",
      open,
      present: (result: OperationResult) => result,
      faults: ({ number }: Generation) =>
        faults[number - 1]?.gone === true
          ? [refusalError("BAD_REQUEST", 'Cannot query field "value" on type "Subscription".')]
          : [],
    };
    const stream = await subscriptions.begin(request, current, new AbortController());
    assert.ok(Symbol.asyncIterator in stream);
    return stream;
  };
  const close = { [Symbol.dispose]: () => generations[Symbol.dispose]() };
  return {
    topic,
    generations,
    subscriptions,
    draining,
    moves,
    replace,
    begin,
    close,
    faults,
    opened: () => opened,
  };
}

/** Reads a stream to its end in the background. */
function reader(stream: ResultStream): { readonly values: number[]; readonly ended: Promise<unknown> } {
  const values: number[] = [];
  const read = async () => {
    let code: unknown = null;
    for await (const { data, errors } of stream) {
      if (errors === undefined) values.push((data as Record<string, number>)["value"] as number);
      else code = errors[0]?.extensions?.["code"];
    }
    return code;
  };
  return { values, ended: read() };
}

for (const takesOver of [false, true]) {
  const kind = takesOver ? "takes a source over" : "opens a source of its own";
  describe(`a subscription, with an engine that ${kind},`, () => {
    it("delivers each event once and in order over a hundred swaps in quick succession", async () => {
      const room = openRoom(takesOver);
      using _close = room.close;
      const read = reader(await room.begin());
      const sent: number[] = [];
      for (let i = 0; i < 300; i++) {
        if (i % 3 === 0) room.replace();
        sent.push(i);
        room.topic.publish(i);
        await sleep(i % 7);
      }
      await until(() => read.values.length >= sent.length);
      await sleep(3 * overlapMs);
      assert.deepEqual(read.values, sent);
      await until(() => room.topic.streams.size === 1 && room.generations.alive.generations === 1);
      assert.ok(room.moves.length > 2);
    });

    it("goes to the schema that is in force when another one replaces the one that it moves to", async () => {
      const room = openRoom(takesOver);
      using _close = room.close;
      const read = reader(await room.begin());
      room.replace();
      room.replace();
      await sleep(0);
      room.replace();
      await until(() => room.generations.alive.generations === 1 && room.generations.alive.pins === 1);
      room.topic.publish(1);
      await until(() => read.values.length === 1);
      assert.equal(room.generations.current?.number, 4);
    });

    it("leaves nothing open when the client leaves in the middle of a move", async () => {
      const room = openRoom(takesOver);
      using _close = room.close;
      const streams = await Promise.all(Array.from({ length: 20 }, () => room.begin()));
      const ends = streams.map((stream) => reader(stream).ended);
      room.replace();
      for (const [i, stream] of streams.entries()) {
        void stream.return?.();
        if (i % 4 === 0) await sleep(1);
      }
      await Promise.all(ends);
      await until(() => room.topic.streams.size === 0 && room.generations.alive.pins === 0);
      assert.equal(room.subscriptions.count, 0);
    });
  });
}

describe("a subscription whose move fails", () => {
  for (const fail of ["result", "throw"] as const) {
    it(`(by a ${fail}) goes on as it was, and is tried again until it succeeds`, async () => {
      const room = openRoom();
      using _close = room.close;
      const read = reader(await room.begin());
      room.replace({ fail });
      await until(() => room.moves.includes("failed"));
      room.topic.publish(1);
      await until(() => read.values.length === 1);
      room.faults[1] = {};
      await until(() => room.moves.includes("moved"));
      await until(() => room.generations.alive.generations === 1);
      room.topic.publish(2);
      await until(() => read.values.length === 2);
      assert.deepEqual(read.values, [1, 2]);
      assert.ok(room.opened() < 6, "it is not tried all the time");
    });
  }

  it("ends with SCHEMA_REPLACED when its own schema retires meanwhile", async () => {
    const room = openRoom();
    using _close = room.close;
    const read = reader(await room.begin());
    room.replace({ fail: "result" });
    await until(() => room.moves.includes("failed"));
    // So many that the oldest retires early, each held by a request.
    const pins = Array.from({ length: 20 }, () => {
      const pin = room.generations.pin();
      room.replace({ fail: "result" });
      return pin;
    });
    assert.equal(await read.ended, "SCHEMA_REPLACED");
    for (const pin of pins) pin?.[Symbol.dispose]();
  });

  it("gives up a move that hangs when the client leaves", async () => {
    const room = openRoom();
    using _close = room.close;
    const stream = await room.begin();
    room.replace({ fail: "hang" });
    await until(() => room.opened() === 2);
    void stream.return?.();
    await until(() => room.generations.alive.pins === 0 && room.topic.streams.size === 0);
  });
});

describe("a subscription that has no place in the next schema", () => {
  it("ends with SUBSCRIPTION_FIELDS_GONE, which names what is missing", async () => {
    const room = openRoom();
    using _close = room.close;
    const stream = await room.begin();
    room.replace({ gone: true });
    const { value } = (await stream.next()) as IteratorYieldResult<ExecutionResult>;
    const { code, missing } = value.errors?.[0]?.extensions ?? {};
    assert.deepEqual([code, missing], ["SUBSCRIPTION_FIELDS_GONE", ["Subscription.value"]]);
    assert.equal((await stream.next()).done, true);
    assert.equal(room.generations.alive.pins, 0);
  });

  it("ends in the same way when nothing is served any more", async () => {
    const room = openRoom();
    using _close = room.close;
    const read = reader(await room.begin());
    room.replace(null);
    assert.equal(await read.ended, "SUBSCRIPTION_FIELDS_GONE");
  });
});

describe("a drain", () => {
  it("ends every subscription with DRAINING, also those that move, and begins none", async () => {
    const room = openRoom();
    using _close = room.close;
    const reads = await Promise.all(Array.from({ length: 5 }, async () => reader(await room.begin())));
    room.replace();
    room.draining.abort();
    for (const { ended } of reads) assert.equal(await ended, "DRAINING");
    await until(() => room.generations.alive.pins === 0 && room.topic.streams.size === 0);
    await assert.rejects(room.begin());
  });
});

describe("thousands of subscriptions", () => {
  it("move without holding the thread up, and the work of swaps does not pile up", async () => {
    const room = openRoom(true);
    using _close = room.close;
    const reads = await Promise.all(Array.from({ length: 2_000 }, async () => reader(await room.begin())));
    let longest = 0;
    let last = performance.now();
    const watch = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    for (let swap = 0; swap < 10; swap++) {
      room.replace();
      await sleep(5);
    }
    await until(() => room.generations.alive.generations === 1);
    clearInterval(watch);
    room.topic.publish(1);
    await until(() => reads.every(({ values }) => values.length === 1));
    // Ten swaps, but far from ten moves each: those under way when the next schema comes go to the newest.
    assert.ok(room.moves.length < 8_000, `${room.moves.length} moves`);
    // About 10 ms on a quiet machine.
    assert.ok(longest < 500, `${longest} ms`);
  });
});
