import type { Failed } from "./verdict.ts";

/** Retries per request that a service's requests earn, and the most that are saved up: so much a quiet one begins with. */
const earnedPerRequest = 0.2;
const mostSaved = 10;

/** A service's own `retry-after` up to this is waited for; with a longer one nothing is sent again. */
const longestRetryAfterMs = 1_000;
const firstPauseMs = 25;

/**
 * How many requests to a service may be sent again: one for five, so that a sick service gets at most a fifth more
 * than it would without retries, instead of a storm.
 */
export class RetryBudget {
  #saved = mostSaved;

  /** A request is sent for the first time. */
  earn(): void {
    this.#saved = Math.min(mostSaved, this.#saved + earnedPerRequest);
  }

  /** Spends one retry; false when there is none. */
  spend(): boolean {
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }
}

/**
 * How long to wait before a request is sent again, in ms; null when it is not. A mutation goes again only when
 * nothing of it was sent. The pause doubles with each try and varies by half, so that requests that failed together
 * do not come together again; `random` is from 0 to 1.
 */
export function pauseBeforeRetry(
  { again, retryAfterMs = 0 }: Failed,
  kind: "query" | "mutation" | "subscription",
  tries: number,
  random: number,
): number | null {
  if (again === "nothing" || (again === "queries" && kind === "mutation")) return null;
  if (retryAfterMs > longestRetryAfterMs) return null;
  return Math.max(retryAfterMs, firstPauseMs * 2 ** tries * (0.5 + random));
}
