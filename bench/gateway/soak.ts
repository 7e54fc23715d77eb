import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clientHeaders, type Endpoint, putLoad, verify } from "./ask.ts";
import { cases } from "./cases.ts";
import { growthOf } from "./growth.ts";
import { type ServerProcess, startServer } from "./process-under-test.ts";
import { type Subscriber, subscribe } from "./subscriber.ts";
import { startOurs } from "./system.ts";

const subscriptions = 50;
/** Per kind of request; the large ones are left out. */
const connections = 4;
const swapEveryMs = 1_000;
/** Of each minute, before memory is read. */
const quietMs = 3_000;
/** The subgraph sends one every second. */
const eventWithinMs = 10_000;
const subscription = "subscription { priceChanged { id name reviews(first: 1) { body author { name } } } }";
const kinds = cases.filter(({ name }) => name !== "large");

type Gateway = Pick<ServerProcess, "tell">;
type Minute = { readonly answers: number; readonly wrong: number; readonly swaps: number };

/**
 * Queries and subscriptions for minutes while the schema changes every second; each subscription begins with a schema
 * of its own. Resolves with whether all was well: no answer wrong, no subscription closed or silent, every change in
 * force, and memory flat.
 */
export async function soakGateway(minutes: number, say: (text: string) => void): Promise<boolean> {
  await using started = new AsyncDisposableStack();
  const backend = started.use(await startServer(join(import.meta.dirname, "backend.ts"), []));
  const gateway = started.use(await startOurs(backend.port, {}, ["--expose-gc"]));
  const endpoint: Endpoint = { name: "catalyst", port: gateway.port, headers: clientHeaders };
  const subscribers: Subscriber[] = [];
  const swapped = () => {
    if (subscribers.length < subscriptions) subscribers.push(started.use(subscribe(endpoint, subscription)));
  };
  const memory = { rss: [] as number[], heap: [] as number[] };
  let faults = 0;
  for (let minute = 1; minute <= minutes; minute++) {
    const { answers, wrong, swaps } = await loadForMinute(endpoint, gateway, backend, swapped);
    await sleep(quietMs);
    const { rss, heapUsed } = JSON.parse(await gateway.tell("memory")) as NodeJS.MemoryUsage;
    memory.rss.push(rss / 1e6);
    memory.heap.push(heapUsed / 1e6);
    const lost = subscribers.filter(isLost);
    faults += wrong + lost.length;
    const events = subscribers.reduce((sum, subscriber) => sum + subscriber.events, 0);
    say(
      `minute ${minute}: ${answers} answers, ${wrong} wrong; ${swaps} schemas; ${events} events so far, ` +
        `${lost.length} of ${subscribers.length} subscriptions lost; RSS ${(rss / 1e6).toFixed(1)} MB, ` +
        `heap ${(heapUsed / 1e6).toFixed(1)} MB`,
    );
    if (lost[0] !== undefined) say(`the first that is lost: ${lost[0].failure ?? "it is silent"}`);
  }
  const flat = [isFlat("RSS", memory.rss, say), isFlat("heap", memory.heap, say)];
  return flat.every((each) => each) && faults === 0;
}

/** A minute of load but for the quiet at its end; throws when a changed schema is not put in force. */
async function loadForMinute(
  endpoint: Endpoint,
  gateway: Gateway,
  backend: Gateway,
  swapped: () => void,
): Promise<Minute> {
  const forMs = 60_000 - quietMs;
  const until = performance.now() + forMs;
  const loads = kinds.map(async (kind) => {
    const bodyBytes = await verify(endpoint, kind);
    return await putLoad(endpoint, kind, { connections, forMs, bodyBytes });
  });
  let [swaps, generation] = [0, 0];
  while (performance.now() < until - swapEveryMs) {
    await sleep(swapEveryMs);
    await backend.tell("swap");
    const next = Number(await gateway.tell("products"));
    if (!(next > generation)) throw new Error(`after schema ${generation} there was ${next}`);
    generation = next;
    swaps += 1;
    swapped();
  }
  const results = await Promise.all(loads);
  const sum = (of: "answers" | "wrong") => results.reduce((total, result) => total + result[of], 0);
  return { answers: sum("answers"), wrong: sum("wrong"), swaps };
}

function isLost({ failure, lastEventAt }: Subscriber): boolean {
  return failure !== null || performance.now() - lastEventAt > eventWithinMs;
}

/** Minutes in which memory may still grow, and by which share of itself in a minute from then on. */
const warmUpMinutes = 2;
const mostGrowth = 0.01;

/** Whether memory is flat: it is not when it grows by more than it may, and by more than its ups and downs explain. */
function isFlat(what: string, all: readonly number[], say: (text: string) => void): boolean {
  const megabytes = all.slice(warmUpMinutes);
  if (megabytes.length < 3) {
    say(`${what} is judged from minute ${warmUpMinutes + 3} on`);
    return true;
  }
  const { mean, slope, error } = growthOf(megabytes);
  const flat = slope - 2 * error <= mostGrowth * mean;
  const rise = `${slope.toFixed(2)} ± ${(2 * error).toFixed(2)} MB a minute`;
  say(`${what} of ${mean.toFixed(1)} MB grows by ${rise}: ${flat ? "flat" : "not flat"}`);
  return flat;
}
