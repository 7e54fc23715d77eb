import { StoreError } from "./errors.ts";

/** Refuses what is no whole number from `least` on. Throws `option_invalid`. */
export function checkAmount(option: string, value: number | null | undefined, least = 0): void {
  if (value === null || value === undefined || (Number.isSafeInteger(value) && value >= least)) return;
  throw new StoreError("option_invalid", `${option} ${value} is no whole number from ${least} on`);
}
