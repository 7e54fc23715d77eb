import { randomUUID } from "node:crypto";
import { GatewayError } from "../errors.ts";
import type { ServiceSchema, ServiceTarget } from "../service.ts";
import type { FetchSchema } from "./schema-source.ts";

export type FeedOptions = {
  readonly pollMs: number;
  readonly timeoutMs: number;
};

export type FeedParts = {
  readonly fetch: FetchSchema;
  /** Called after every fetch. */
  readonly onSettled: () => void;
  /** The last good schema of an earlier process. */
  readonly cached: ServiceSchema | null;
  /** Wall time in ms since 1970. */
  readonly now: () => number;
};

/** Why a fetch failed: in short for clients, and with everything that is known for operators. */
export type FeedFailure = { readonly forClients: string; readonly forOperators: string };

/** A schema, and the wall time since when a service gives it, in ms since 1970. */
export type GivenSchema = { readonly schema: ServiceSchema; readonly since: number };

const firstRetryMs = 250;

/** Keeps the schema of one service: fetches it at once, then again and again, and keeps the last good one. */
export class SchemaFeed implements AsyncDisposable {
  readonly #parts: FeedParts;
  readonly #options: FeedOptions;
  #target: ServiceTarget;
  #given: GivenSchema | null;
  #failure: FeedFailure | null = null;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: { readonly abort: AbortController; readonly done: Promise<void> } | null = null;
  #closed = false;

  constructor(target: ServiceTarget, parts: FeedParts, options: FeedOptions) {
    this.#target = target;
    this.#parts = parts;
    this.#options = options;
    this.#given = parts.cached === null ? null : { schema: parts.cached, since: parts.now() };
  }

  get target(): ServiceTarget {
    return this.#target;
  }

  /** The last good schema of an earlier process. */
  get cached(): ServiceSchema | null {
    return this.#parts.cached;
  }

  /** The last good schema. */
  get schema(): ServiceSchema | null {
    return this.#given?.schema ?? null;
  }

  /** The same, and since when it is given; one of an earlier process since this one knows of it. */
  get given(): GivenSchema | null {
    return this.#given;
  }

  /** Why the last fetch failed; null when it did not, or when there was none yet. */
  get failure(): FeedFailure | null {
    return this.#failure;
  }

  /** Takes over what an update says of the service; says whether its schema has to be fetched anew. */
  retarget(target: ServiceTarget): boolean {
    const old = this.#target;
    this.#target = target;
    return old.revision !== target.revision || old.host !== target.host || old.path !== target.path;
  }

  /** Fetches now, giving up a fetch that runs. Resolves when it is done, well or not. */
  async refresh(): Promise<void> {
    if (this.#closed) return;
    this.#running?.abort.abort();
    clearTimeout(this.#timer);
    const abort = new AbortController();
    const running = { abort, done: this.#fetch(abort.signal) };
    this.#running = running;
    await running.done;
    if (this.#running !== running || this.#closed) return;
    this.#running = null;
    const pause = this.#failures === 0 ? this.#options.pollMs : firstRetryMs * 2 ** (this.#failures - 1);
    const jitter = 0.9 + Math.random() * 0.2;
    this.#timer = setTimeout(
      () => void this.refresh(),
      Math.min(pause, this.#options.pollMs) * jitter,
    ).unref();
    this.#parts.onSettled();
  }

  async #fetch(signal: AbortSignal): Promise<void> {
    const target = { ...this.#target, timeoutMs: this.#options.timeoutMs };
    const scope = { requestId: `schema-${randomUUID()}`, headers: {}, signal };
    try {
      const schema = await this.#parts.fetch(target, scope);
      if (signal.aborted) return;
      if (schema.digest !== this.schema?.digest) this.#given = { schema, since: this.#parts.now() };
      this.#failure = null;
      this.#failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      this.#failure = failureOf(error);
      this.#failures += 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#running?.abort.abort();
    await this.#running?.done;
  }
}

function failureOf(error: unknown): FeedFailure {
  const message = error instanceof Error ? error.message : String(error);
  const detail = error instanceof GatewayError ? error.detail : undefined;
  return { forClients: message, forOperators: detail === undefined ? message : `${message} (${detail})` };
}
