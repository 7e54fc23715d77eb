const listeners = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `run` when the signal, which is not aborted yet, will be; returns what takes that back. A signal has one
 * listener for all that wait for it: adding and removing one costs more than the rest of a sub-request's bookkeeping.
 */
export function whenAborted(signal: AbortSignal, run: () => void): () => void {
  let runs = listeners.get(signal);
  if (runs === undefined) {
    const all = new Set<() => void>();
    const runAll = () => {
      for (const each of all) each();
    };
    listeners.set(signal, all);
    signal.addEventListener("abort", runAll, { once: true });
    runs = all;
  }
  const added = runs;
  added.add(run);
  return () => void added.delete(run);
}

/** Whether a signal was aborted because a time limit was over, by the reason that `AbortSignal.timeout` gives. */
export function isTimedOut({ aborted, reason }: AbortSignal): boolean {
  return aborted && reason instanceof DOMException && reason.name === "TimeoutError";
}
