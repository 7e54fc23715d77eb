import { Worker } from "node:worker_threads";
import type { Decision } from "@catalyst/rpc";
import { GatewayError } from "../errors.ts";
import type { Comparison, Side } from "./comparison.ts";

export type InspectionQuestion =
  | { readonly kind: "compare"; readonly from: Side; readonly to: Side }
  | { readonly kind: "origin"; readonly supergraphSdl: string; readonly coordinate: string };
export type Origin = Pick<Decision, "steps" | "result">;
export type InspectionAnswer =
  | { readonly ok: true; readonly value: Comparison | Origin | null }
  | { readonly ok: false; readonly message: string };

const limits = { timeoutMs: 30_000, maxMemoryMb: 1_024 };

/** Answers what operators ask about schemas, in a thread for each question, one after the other. */
export class InspectionThread {
  #last: Promise<unknown> = Promise.resolve();

  /** Throws a {@link GatewayError} `schema_invalid` when a schema cannot be read, `composition_failed` when it takes too long. */
  compare(from: Side, to: Side): Promise<Comparison> {
    return this.#ask({ kind: "compare", from, to }) as Promise<Comparison>;
  }

  /** Who serves a type or field; null when there is none of that name. */
  origin(supergraphSdl: string, coordinate: string): Promise<Origin | null> {
    return this.#ask({ kind: "origin", supergraphSdl, coordinate }) as Promise<Origin | null>;
  }

  #ask(question: InspectionQuestion): Promise<unknown> {
    const answered = this.#last.then(() => ask(question));
    this.#last = answered.catch(() => undefined);
    return answered;
  }
}

async function ask(workerData: InspectionQuestion): Promise<unknown> {
  const worker = new Worker(new URL("./inspection-worker.ts", import.meta.url), {
    name: "inspection",
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: limits.maxMemoryMb },
  });
  const { promise, resolve, reject } = Promise.withResolvers<InspectionAnswer>();
  const fail = (why: string, cause?: unknown) =>
    reject(new GatewayError("composition_failed", `the schemas cannot be compared: ${why}`, { cause }));
  const timer = setTimeout(() => fail(`it takes longer than ${limits.timeoutMs} ms`), limits.timeoutMs);
  worker.on("message", resolve).on("error", (error) => fail("its thread failed", error));
  worker.on("exit", () => fail("its thread ended"));
  try {
    const answer = await promise;
    if (!answer.ok) throw new GatewayError("schema_invalid", answer.message);
    return answer.value;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}
