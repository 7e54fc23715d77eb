import type { SubError } from "./sub-answer.ts";

/** One error that a value was lost to, and how far below the value it happened. */
export type Loss = {
  readonly error: SubError;
  readonly below: readonly (string | number)[];
  /** It happened elsewhere, and took this value along: it is told here only when it is told nowhere else. */
  readonly elsewhere?: true;
};

/**
 * Stands in the data where a value should be that could not be had. It travels with the data, so that its errors
 * are told at every place of the answer where the value is missed, and at no other.
 */
export class FieldFailure {
  readonly losses: readonly Loss[];

  constructor(losses: readonly Loss[]) {
    this.losses = losses;
  }

  /** The same as it is seen from one field of the object that was lost. */
  at(key: string): FieldFailure {
    return new FieldFailure(
      this.losses.map((loss) => {
        const {
          error,
          below: [first, ...below],
        } = loss;
        if (first === undefined) return loss;
        return first === key ? { error, below } : { error, below: [], elsewhere: true };
      }),
    );
  }
}
