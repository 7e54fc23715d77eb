import { Worker } from "node:worker_threads";
import type { EngineInput } from "../engine/engine.ts";
import { GatewayError } from "../errors.ts";
import type { SchemaInput, ServiceSchema } from "../service.ts";
import { Composer, type Composition } from "./composition.ts";
import type { Fault } from "./culprits.ts";

export type ComposingLimits = {
  /** Characters of schemas that are composed where requests are answered: a thread takes longer to start. */
  readonly inlineChars: number;
  /** How long the thread may take for one set of schemas. */
  readonly timeoutMs: number;
  /** Memory of the thread, in MiB. */
  readonly maxMemoryMb: number;
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

  /** Throws a {@link GatewayError} `composition_failed` when the thread takes too long or too much memory, or dies. */
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
    const { timeoutMs, maxMemoryMb } = this.#limits;
    this.#worker ??= new Worker(new URL("./composition-worker.ts", import.meta.url), {
      name: "composition",
      resourceLimits: { maxOldGenerationSizeMb: maxMemoryMb },
    });
    const worker = this.#worker;
    const { promise, resolve, reject } = Promise.withResolvers<ThreadAnswer>();
    const fail = (what: string, cause?: unknown) =>
      reject(new GatewayError("composition_failed", `the schema ${what}: make it smaller`, { cause }));
    const timer = setTimeout(() => fail(`takes longer than ${timeoutMs} ms to compose`), timeoutMs);
    const died = (error: unknown) =>
      isOutOfMemory(error)
        ? fail(`takes more than ${maxMemoryMb} MiB of memory to compose`, error)
        : fail("ended the thread that composes", error);
    const exited = (code: number) => fail(`ended the thread that composes, with code ${code}`);
    worker.on("message", resolve).on("error", died).on("exit", exited);
    worker.postMessage(services);
    try {
      return await promise;
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(timer);
      worker.off("message", resolve).off("error", died).off("exit", exited);
    }
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
}
