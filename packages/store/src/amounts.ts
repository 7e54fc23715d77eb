import { StoreError } from "./errors.ts";

/** Refuses what is no whole number from `least` on. Throws `option_invalid`. */
export function checkAmount(option: string, value: number | null | undefined, least = 0): void {
  if (value === null || value === undefined || (Number.isSafeInteger(value) && value >= least)) return;
  throw new StoreError("option_invalid", `${option} ${value} is no whole number from ${least} on`);
}

/** The last moment that a date can name. */
const lastMoment = 8_640_000_000_000_000;

/** When what holds for so long from now on ends; null for what has no end. Throws `option_invalid`. */
export function endOf(ttlMs: number | undefined, now: number): number | null {
  checkAmount("ttlMs", ttlMs, 1);
  if (ttlMs === undefined) return null;
  if (now + ttlMs <= lastMoment) return now + ttlMs;
  throw new StoreError("option_invalid", `ttlMs ${ttlMs} ends later than any date: leave it out`);
}
