import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Load,
  NodeUnderTest,
  plainService,
  type Subscriber,
  subgraph,
  subscribeBySse,
  subscribeByWebSocket,
  type TestService,
} from "@catalyst/harness";

/** Changes that are made one after the other. */
const changes = 100;
const subscribers = 50;
const tickMs = 50;
const guests = 5;

/** A service that counts, tells of each count by subscription, and lets itself be renamed. */
async function counter() {
  let count = 0;
  const waiting = new Set<() => void>();
  const timer = setInterval(() => {
    count += 1;
    for (const wake of waiting) wake();
    waiting.clear();
  }, tickMs);
  const service = await subgraph(
    "counter",
    `type Count @key(fields: "n") { n: Int! }
     type Query { count: Count! }
     type Mutation { echo(text: String!): String! }
     type Subscription { counted: Count! }`,
    {
      Query: { count: () => ({ n: count }) },
      Mutation: { echo: (_: unknown, { text }: { text: string }) => text },
      Subscription: {
        counted: {
          async *subscribe() {
            for (let last = count; ; last += 1) {
              while (last === count) await new Promise<void>((resolve) => waiting.add(resolve));
              yield { counted: { n: last + 1 } };
            }
          },
        },
      },
    },
  );
  const stop = async () => {
    clearInterval(timer);
    await service[Symbol.asyncDispose]();
  };
  return { service, [Symbol.asyncDispose]: stop };
}

function names(): Promise<TestService> {
  return subgraph(
    "names",
    `type Count @key(fields: "n") { n: Int! name: String! } type Query { names: Int }`,
    { Query: { names: () => 1 }, Count: { name: ({ n }: { n: number }) => `number ${n}` } },
  );
}

/** A service that comes, changes and goes; each revision of it has another field. */
function guest(name: string, revision: number): Promise<TestService> {
  const field = `${name}_${revision}`;
  return plainService(name, `type Query { ${field}: Int! }`, { Query: { [field]: () => revision } });
}

const judge = (expected: RegExp) => (status: number, body: string) =>
  status === 200 && expected.test(body) ? null : `${status} ${body.slice(0, 300)}`;

async function openAll(url: string): Promise<Subscriber[]> {
  const query = "subscription { counted { n name } }";
  return await Promise.all(
    Array.from({ length: subscribers }, (_, index) =>
      index % 2 === 0 ? subscribeBySse(url, query) : subscribeByWebSocket(url, query),
    ),
  );
}

/** Asks until the field is served, or is not; resolves with the time at which the first such request began. */
async function seen(node: NodeUnderTest, field: string, served: boolean): Promise<number> {
  for (const until = performance.now() + 20_000; performance.now() < until; ) {
    const began = performance.now();
    const { body } = await node.query(`{ ${field} }`);
    if ((body.data?.[field] !== undefined) === served) return began;
  }
  throw new Error(`${field} is ${served ? "not" : "still"} served after 20 s`);
}

/** Adds, changes and removes guests in turn; resolves with how long each took to be seen, in ms. */
async function makeChanges(node: NodeUnderTest, count: number): Promise<number[]> {
  const present = new Map<string, { service: TestService; revision: number }>();
  const times: number[] = [];
  const timed = async (field: string, served: boolean, change: () => Promise<unknown>) => {
    const began = performance.now();
    const [at] = await Promise.all([seen(node, field, served), change()]);
    times.push(Math.max(0, at - began));
  };
  for (let index = 0; index < count; index++) {
    const name = `guest${index % guests}`;
    const known = present.get(name);
    const revision = index;
    if (known === undefined) {
      const service = await guest(name, revision);
      await timed(`${name}_${revision}`, true, () => node.addService(service.declaration));
      present.set(name, { service, revision });
    } else if (Math.floor(index / guests) % 3 === 2) {
      await timed(`${name}_${known.revision}`, false, () => node.removeService(name));
      await known.service[Symbol.asyncDispose]();
      present.delete(name);
    } else {
      const next = await guest(name, revision);
      await timed(`${name}_${revision}`, true, () => node.addService(next.declaration));
      await known.service[Symbol.asyncDispose]();
      present.set(name, { service: next, revision });
    }
  }
  for (const { service } of present.values()) await service[Symbol.asyncDispose]();
  return times;
}

/** What a subscriber got, as text: every count from its first to its last, each once, each with its name. */
function faultOf({ results, ended, transport }: Subscriber): string | null {
  if (ended !== null) return `${transport}: ${ended}`;
  const counts = results.map(({ data, errors }) => {
    const count = data?.["counted"] as { n: number; name: string } | undefined;
    return errors === undefined && count?.name === `number ${count?.n}` ? count.n : Number.NaN;
  });
  const gap = counts.findIndex((n, index) => index > 0 && n !== (counts[index - 1] ?? 0) + 1);
  if (gap < 0 && counts.length > 0) return null;
  return `${transport}: after ${counts[gap - 1]} came ${JSON.stringify(results[gap])}`;
}

test(`${changes} changes fail no operation and end or disturb no subscription that does not name what changed`, async (t) => {
  await using counting = await counter();
  await using naming = await names();
  await using node = await NodeUnderTest.start({
    services: [counting.service.declaration, naming.declaration],
  });
  await node.until("both are served", 20_000, async () =>
    (await node.services()).every(({ state }) => state === "serving"),
  );
  const url = node.endpoint;
  const open = await openAll(url);
  using closing = new DisposableStack();
  for (const subscriber of open) closing.use(subscriber);
  await using queries = new Load({
    url,
    body: () => JSON.stringify({ query: "{ count { n name } }" }),
    concurrency: 4,
    judge: judge(/^\{"data":\{"count":\{"n":\d+,"name":"number \d+"\}\}\}$/),
  });
  let mutation = 0;
  await using mutations = new Load({
    url,
    body: () => JSON.stringify({ query: `mutation { echo(text: "${++mutation}") }` }),
    concurrency: 2,
    judge: judge(/^\{"data":\{"echo":"\d+"\}\}$/),
  });
  const times = (await makeChanges(node, changes)).sort((a, b) => a - b);
  await sleep(4 * tickMs);
  const faults = open.map(faultOf).filter((fault) => fault !== null);
  await Promise.all([queries.stop(), mutations.stop()]);
  const at = (share: number) => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1);
  const events = open.reduce((sum, { results }) => sum + results.length, 0);
  t.diagnostic(
    `${times.length} changes, from the call to the first request that saw it: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; ` +
      `${queries.outcomes.length} queries, ${mutations.outcomes.length} mutations, ${events} events`,
  );
  assert.deepEqual(queries.failures.slice(0, 3), []);
  assert.deepEqual(mutations.failures.slice(0, 3), []);
  assert.deepEqual(faults.slice(0, 3), []);
  assert.equal(times.length, changes);
});
