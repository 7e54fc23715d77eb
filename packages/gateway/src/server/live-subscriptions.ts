import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import type { GraphQLError } from "graphql";
import type { OperationResult, ResultStream } from "../engine/engine.ts";
import type { GatewayEvents } from "../events.ts";
import type { Generation, Generations } from "../generation.ts";
import { LiveSubscription, type OpenStream } from "./live-subscription.ts";
import { refusalError } from "./refusal.ts";

/** A subscription that is to begin. */
export type SubscriptionRequest = {
  readonly requestId: string;
  readonly open: OpenStream;
  readonly present: (result: OperationResult) => OperationResult;
  /** Why the generation's schema cannot serve it; empty when it can. */
  readonly faults: (generation: Generation) => readonly GraphQLError[];
};

export type LiveSubscriptionsParts = {
  readonly generations: Generations;
  readonly events: GatewayEvents;
  readonly overlapMs: number;
  readonly draining: AbortSignal;
};

type Held = {
  readonly subscription: LiveSubscription;
  readonly request: SubscriptionRequest;
  /** Moves in a row that failed. */
  failures: number;
  /** When it may be tried again, by the monotonic clock. */
  notBefore: number;
};

/** Subscriptions that move at a time: the rest waits, and goes on as it was. */
const movers = 64;
const firstPauseMs = 250;
const longestPauseMs = 10_000;
/** Another schema may come while all wait to be tried again. */
const longestWait = 100;

/** All subscriptions of clients; moves them to the generation in force whenever there is another one. */
export class LiveSubscriptions {
  readonly #parts: LiveSubscriptionsParts;
  readonly #held = new Set<Held>();
  readonly #watched = new WeakSet<Generation>();
  #moving = false;

  constructor(parts: LiveSubscriptionsParts) {
    this.#parts = parts;
    parts.draining.addEventListener("abort", () => {
      for (const { subscription } of this.#held) subscription.end(shuttingDown());
    });
  }

  get count(): number {
    return this.#held.size;
  }

  /**
   * Begins a subscription with the generation, or answers with the errors that keep it from beginning. `stop` gives it
   * up while it begins.
   */
  async begin(
    request: SubscriptionRequest,
    generation: Generation,
    stop: AbortController,
  ): Promise<ResultStream | OperationResult> {
    const { generations, overlapMs, draining } = this.#parts;
    const pin = generations.pin(generation);
    if (pin === null || draining.aborted) {
      pin?.[Symbol.dispose]();
      return { errors: [draining.aborted ? shuttingDown() : schemaReplaced()] };
    }
    let held: Held | null = null;
    const { open, present } = request;
    const parts = {
      open,
      present,
      overlapMs,
      onMoved: () => this.schemaReplaced(),
      onClosed: () => {
        if (held !== null) this.#held.delete(held);
      },
    };
    const subscription = await LiveSubscription.begin(parts, pin, stop);
    if (!(subscription instanceof LiveSubscription)) return subscription;
    held = { subscription, request, failures: 0, notBefore: 0 };
    this.#held.add(held);
    this.#watch(generation);
    // What happened while it began has not reached it.
    if (draining.aborted) subscription.end(shuttingDown());
    else if (generation.retired.aborted) this.#endRetired();
    this.schemaReplaced();
    return subscription;
  }

  /** Moves, in the background, whatever is not with the generation in force. */
  schemaReplaced(): void {
    if (this.#moving || this.#behind().next().done === true) return;
    void this.#moveAll();
  }

  *#behind(): Generator<Held, void, undefined> {
    const { current } = this.#parts.generations;
    for (const held of this.#held) {
      const { subscription } = held;
      if (subscription.generation !== current && !subscription.moving) yield held;
    }
  }

  /** In rounds, until none is behind. A schema that replaces another meanwhile is where the rest moves to. */
  async #moveAll(): Promise<void> {
    this.#moving = true;
    for (let behind = [...this.#behind()]; behind.length > 0; behind = [...this.#behind()]) {
      const pause = Math.min(...behind.map(({ notBefore }) => notBefore)) - performance.now();
      if (pause > 0) await sleep(Math.min(pause, longestWait), undefined, { ref: false });
      const now = performance.now();
      const due = behind.filter(({ notBefore }) => notBefore <= now).values();
      await Promise.all(Array.from({ length: movers }, () => this.#moveEach(due)));
    }
    this.#moving = false;
  }

  async #moveEach(queue: Iterator<Held>): Promise<void> {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      // Validating and planning hold the thread up: requests get their turn in between.
      await setImmediate();
      await this.#move(next.value);
    }
  }

  async #move(held: Held): Promise<void> {
    const { generations, events } = this.#parts;
    const { subscription } = held;
    const pin = generations.pin();
    const faults = pin === null ? [] : held.request.faults(pin.generation);
    if (pin === null || faults.length > 0) {
      pin?.[Symbol.dispose]();
      subscription.end(fieldsGone(faults));
      this.#held.delete(held);
      events.subscriptionMoved("gone");
      return;
    }
    this.#watch(pin.generation);
    const outcome = await subscription.move(pin).catch((error: unknown) => {
      events.internalError(held.request.requestId, error);
      return "failed" as const;
    });
    if (outcome === "ended") return;
    events.subscriptionMoved(outcome);
    held.failures = outcome === "moved" ? 0 : held.failures + 1;
    const pause = Math.min(longestPauseMs, firstPauseMs * 2 ** (held.failures - 1));
    held.notBefore = outcome === "moved" ? 0 : performance.now() + pause;
    // It was not asked to leave as long as it was about to move.
    if (!subscription.leaveRetired()) subscription.end(schemaReplaced());
  }

  #watch(generation: Generation): void {
    if (this.#watched.has(generation)) return;
    this.#watched.add(generation);
    generation.retired.addEventListener("abort", () => this.#endRetired(), { once: true });
  }

  #endRetired(): void {
    for (const { subscription } of this.#held) {
      if (!subscription.leaveRetired()) subscription.end(schemaReplaced());
    }
  }
}

function shuttingDown(): GraphQLError {
  return refusalError(
    "DRAINING",
    "The subscription ended because the gateway is shutting down; subscribe again.",
  );
}

function schemaReplaced(): GraphQLError {
  const message = "The subscription ended because its schema is no longer served; subscribe again.";
  return refusalError("SCHEMA_REPLACED", message);
}

const mostMissing = 10;

function fieldsGone(faults: readonly GraphQLError[]): GraphQLError {
  const missing =
    faults.length === 0 ? ["Subscription"] : [...new Set(faults.map(missingIn))].slice(0, mostMissing);
  const message = `The subscription ended because the schema has no longer what it asks for: ${missing.join(", ")}.`;
  return refusalError("SUBSCRIPTION_FIELDS_GONE", message, { missing });
}

/** What a fault of validation says is missing, as a schema coordinate; its message where it is about something else. */
function missingIn({ message }: GraphQLError): string {
  const field = /^Cannot query field "(\w+)" on type "(\w+)"/.exec(message);
  if (field !== null) return `${field[2]}.${field[1]}`;
  const argument = /^Unknown argument "(\w+)" on field "([\w.]+)"/.exec(message);
  if (argument !== null) return `${argument[2]}(${argument[1]}:)`;
  return /^Unknown type "(\w+)"/.exec(message)?.[1] ?? message;
}
