/** A time limit that is given up with its scope: `AbortSignal.timeout` would be kept until its time is up. */
export type Deadline = Disposable & {
  /** Aborted with a `TimeoutError` when the time is up. */
  readonly signal: AbortSignal;
};

export function startDeadline(ms: number): Deadline {
  const controller = new AbortController();
  const expire = () => controller.abort(new DOMException(`${ms} ms are over`, "TimeoutError"));
  const timer = setTimeout(expire, ms);
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Whether a signal was aborted because a time limit was over. */
export function isTimedOut(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof DOMException && signal.reason.name === "TimeoutError";
}
