import type { Worker } from "node:worker_threads";
import { GatewayError } from "../errors.ts";

export type WorkerLimits = {
  /** How long the thread may take for one answer. */
  readonly timeoutMs: number;
  /** Memory of the thread, in MiB. */
  readonly maxMemoryMb: number;
};

/**
 * What a thread that was asked says next. `subject` and `work` are words for messages: what is done with what. Throws a
 * {@link GatewayError} `composition_failed` when that takes too long or too much memory, or the thread ends.
 */
export async function workerAnswer<T>(
  worker: Worker,
  [subject, work]: readonly [subject: string, work: string],
  { timeoutMs, maxMemoryMb }: WorkerLimits,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const fail = (what: string, cause?: unknown) =>
    reject(new GatewayError("composition_failed", `${subject} ${what}: make it smaller`, { cause }));
  const timer = setTimeout(() => fail(`takes longer than ${timeoutMs} ms to ${work}`), timeoutMs);
  const died = (error: unknown) =>
    isOutOfMemory(error)
      ? fail(`takes more than ${maxMemoryMb} MiB of memory to ${work}`, error)
      : fail(`ended the thread that is to ${work} it, with ${error}`, error);
  const exited = (code: number) => fail(`ended the thread that is to ${work} it, with code ${code}`);
  worker.on("message", resolve).on("error", died).on("exit", exited);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    worker.off("message", resolve).off("error", died).off("exit", exited);
  }
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
}
