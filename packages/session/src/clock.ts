/** Monotonic time in ms, for timers. */
export type Instant = number & { readonly __unit?: "instant" };

/** Wall time in ms since 1970, for what people and certificates say. */
export type Timestamp = number & { readonly __unit?: "timestamp" };

/** Where time comes from. */
export type Clock = {
  now(): Instant;
  wall(): Timestamp;
  /** Calls once, `delayMs` from now, unless the returned function was called before. */
  after(delayMs: number, call: () => void): () => void;
};

/** What a timer of Node can wait at most. */
const longestTimerMs = 2 ** 31 - 1;

/** The time of this machine. Its timers keep no process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (delayMs, call) => {
    const timer = setTimeout(call, Math.min(Math.max(0, Math.ceil(delayMs)), longestTimerMs)).unref();
    return () => clearTimeout(timer);
  },
};
