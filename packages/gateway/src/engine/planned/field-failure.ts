import type { SubError } from "./sub-answer.ts";

/** One error that a value was lost to, and how far below the value it happened. */
export type Loss = { readonly error: SubError; readonly below: readonly (string | number)[] };

/**
 * Stands in the data where a value should be that could not be had. It travels with the data, so that its errors
 * are told at every place of the answer where the value is missed, and at no other.
 */
export class FieldFailure {
  readonly losses: readonly Loss[];

  constructor(losses: readonly Loss[]) {
    this.losses = losses;
  }
}
