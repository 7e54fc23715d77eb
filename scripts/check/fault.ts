/** Something that a check does not let pass. */
export type Fault = {
  /** From the root of the checkout. */
  readonly path: string;
  /** From 1; left out when the fault is the whole file's. */
  readonly line?: number;
  readonly message: string;
};

/** Prints the faults, one a line in the form that editors and terminals link, and sets the exit code. */
export function report(faults: readonly Fault[]): void {
  for (const { path, line, message } of faults) {
    console.log(line === undefined ? `${path}: ${message}` : `${path}:${line}: ${message}`);
  }
  if (faults.length > 0) process.exitCode = 1;
}
