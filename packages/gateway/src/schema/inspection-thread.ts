import { Worker } from "node:worker_threads";
import type { Decision } from "@catalyst/rpc";
import { GatewayError } from "../errors.ts";
import type { Comparison, Side } from "./comparison.ts";
import { type WorkerLimits, workerAnswer } from "./worker-answer.ts";

export type InspectionQuestion =
  | { readonly kind: "compare"; readonly from: Side; readonly to: Side }
  | { readonly kind: "origin"; readonly supergraphSdl: string; readonly coordinate: string };
export type Origin = Pick<Decision, "steps" | "result">;
export type InspectionAnswer =
  | { readonly ok: true; readonly value: Comparison | Origin | null }
  | { readonly ok: false; readonly message: string };

const defaultLimits: WorkerLimits = { timeoutMs: 30_000, maxMemoryMb: 1_024 };

/** Answers what operators ask about schemas, in a thread for each question, one after the other. */
export class InspectionThread {
  readonly #limits: WorkerLimits;
  #last: Promise<unknown> = Promise.resolve();

  constructor(limits: WorkerLimits = defaultLimits) {
    this.#limits = limits;
  }

  /**
   * Throws a {@link GatewayError} `schema_invalid` when a schema cannot be read, `composition_failed` when it takes too
   * long or too much memory.
   */
  compare(from: Side, to: Side): Promise<Comparison> {
    return this.#ask({ kind: "compare", from, to }) as Promise<Comparison>;
  }

  /** Who serves a type or field; null when there is none of that name. */
  origin(supergraphSdl: string, coordinate: string): Promise<Origin | null> {
    return this.#ask({ kind: "origin", supergraphSdl, coordinate }) as Promise<Origin | null>;
  }

  #ask(question: InspectionQuestion): Promise<unknown> {
    const answered = this.#last.then(() => ask(question, this.#limits));
    this.#last = answered.catch(() => undefined);
    return answered;
  }
}

async function ask(workerData: InspectionQuestion, limits: WorkerLimits): Promise<unknown> {
  const worker = new Worker(new URL("./inspection-worker.ts", import.meta.url), {
    name: "inspection",
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: limits.maxMemoryMb },
  });
  const work = workerData.kind === "compare" ? "compare" : "explain";
  try {
    const answer = await workerAnswer<InspectionAnswer>(worker, ["the schema", work], limits);
    if (!answer.ok) throw new GatewayError("schema_invalid", answer.message);
    return answer.value;
  } finally {
    await worker.terminate();
  }
}
