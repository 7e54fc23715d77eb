/** Why there is no plan: the planner said so, ended, or took too long. */
export class PlanFailure extends Error {
  override readonly name = "PlanFailure";
  /** It says nothing of the operation: another time it may be planned. */
  readonly passing: boolean;

  constructor(message: string, { passing = false } = {}) {
    super(message);
    this.passing = passing;
  }
}

/** An operation that is too long with its fragments written out for each type. */
export class OperationTooLarge extends Error {
  override readonly name = "OperationTooLarge";
}
