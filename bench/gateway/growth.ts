/** The straight line through values that were read at even intervals. */
export type Growth = {
  readonly mean: number;
  /** How much the line rises from one value to the next. */
  readonly slope: number;
  /** Standard error of the slope: what single values may be beside the line leaves it uncertain. */
  readonly error: number;
};

/** Of three values or more, by least squares. */
export function growthOf(values: readonly number[]): Growth {
  const count = values.length;
  const middle = (count - 1) / 2;
  const sum = (of: (value: number, at: number) => number) =>
    values.reduce((total, value, at) => total + of(value, at - middle), 0);
  const mean = sum((value) => value) / count;
  const spread = sum((_, at) => at ** 2);
  const slope = sum((value, at) => at * (value - mean)) / spread;
  const beside = sum((value, at) => (value - mean - slope * at) ** 2);
  return { mean, slope, error: Math.sqrt(beside / (count - 2) / spread) };
}
