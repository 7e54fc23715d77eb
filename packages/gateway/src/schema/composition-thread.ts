import { Worker } from "node:worker_threads";
import type { EngineInput } from "../engine/engine.ts";
import type { SchemaInput, ServiceSchema } from "../service.ts";
import { Composer, type Composition } from "./composition.ts";
import type { Fault } from "./culprits.ts";
import { type WorkerLimits, workerAnswer } from "./worker-answer.ts";

/** `timeoutMs` is for one set of schemas. */
export type ComposingLimits = WorkerLimits & {
  /** Characters of schemas that are composed where requests are answered: a thread takes longer to start. */
  readonly inlineChars: number;
};

const defaultLimits: ComposingLimits = { inlineChars: 50_000, timeoutMs: 15_000, maxMemoryMb: 1_024 };

export type ThreadRequest = readonly SchemaInput[];
export type ThreadAnswer =
  | { readonly ok: true; readonly composed: Omit<EngineInput, "services"> }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/**
 * Composes small schemas at once and large ones in a thread of its own, so that requests are answered meanwhile. The
 * thread starts when it is needed, and goes with {@link ThreadComposer.rest}. One set of schemas at a time.
 */
export class ThreadComposer implements AsyncDisposable {
  readonly #limits: ComposingLimits;
  readonly #inline = new Composer();
  #worker: Worker | null = null;

  constructor(limits: Partial<ComposingLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** Throws a `GatewayError` `composition_failed` when the thread takes too long or too much memory, or dies. */
  async compose(services: readonly SchemaInput[]): Promise<Composition> {
    const chars = services.reduce((sum, { schema }) => sum + schema.sdl.length, 0);
    if (chars <= this.#limits.inlineChars) return this.#inline.compose(services);
    const answer = await this.#ask(services);
    return answer.ok ? { ok: true, input: { services, ...answer.composed } } : answer;
  }

  /** Forgets schemas that are not among these, and ends the thread until it is needed again. */
  async rest(schemas: readonly ServiceSchema[]): Promise<void> {
    this.#inline.keepOnly(schemas);
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }

  async #ask(services: ThreadRequest): Promise<ThreadAnswer> {
    this.#worker ??= new Worker(new URL("./composition-worker.ts", import.meta.url), {
      name: "composition",
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.maxMemoryMb },
    });
    this.#worker.postMessage(services);
    try {
      return await workerAnswer<ThreadAnswer>(this.#worker, ["the schema", "compose"], this.#limits);
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    }
  }
}
