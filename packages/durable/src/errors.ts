/**
 * Why something could not be kept.
 *
 * | code | what to do |
 * |---|---|
 * | `disk_full` | free space or raise the quota; what was kept before is unharmed |
 * | `io_failed` | the message has the system's reason: check the path, its permissions and the disk |
 * | `database_in_use` | another process owns the file: stop it (`ownerPid`, where known), or choose another data directory |
 * | `database_newer` | a later release wrote the file: run that release, or restore a copy from before |
 * | `database_corrupt` | restore the file from a copy; the message has SQLite's reason |
 * | `database_failed` | a fault in a statement, or SQLite refused it: the message has its reason |
 * | `constraint_violated` | the row contradicts the schema: the message names the constraint |
 * | `migration_failed` | report it with the message; the file is as it was before |
 * | `transaction_misused` | a fault of the caller: transactions do not nest, and their body is synchronous |
 * | `journal_invalid` | the file is no journal of ours: correct the path, nothing was changed |
 * | `record_too_large` | a fault of the caller: keep the bytes elsewhere and append a reference |
 * | `journal_closed` | a fault of the caller: nothing is appended after the end |
 * | `journal_failed` | an earlier failure could not be undone: open the journal again once the disk is mended |
 * | `failpoint_invalid` | correct `CATALYST_FAILPOINT`: the message shows its grammar |
 */
export type DurableErrorCode =
  | "disk_full"
  | "io_failed"
  | "database_in_use"
  | "database_newer"
  | "database_corrupt"
  | "database_failed"
  | "constraint_violated"
  | "migration_failed"
  | "transaction_misused"
  | "journal_invalid"
  | "record_too_large"
  | "journal_closed"
  | "journal_failed"
  | "failpoint_invalid";

/** What an error is about, as far as it is known. */
export type DurableEvidence = {
  readonly path?: string;
  /** The process that holds the file. */
  readonly ownerPid?: number;
};

/** The one error of this package. */
export class DurableError extends Error {
  override readonly name = "DurableError";
  readonly code: DurableErrorCode;
  readonly evidence: DurableEvidence;

  constructor(
    code: DurableErrorCode,
    message: string,
    options: ErrorOptions & { evidence?: DurableEvidence } = {},
  ) {
    super(message, options);
    this.code = code;
    this.evidence = options.evidence ?? {};
  }
}

const fullCodes: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** A failed file operation in the terms of this package; one that already is in them stays as it is. */
export function fileError(operation: string, path: string, cause: unknown): DurableError {
  if (cause instanceof DurableError) return cause;
  const full = fullCodes.has((cause as NodeJS.ErrnoException).code);
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DurableError(full ? "disk_full" : "io_failed", `cannot ${operation} ${path}: ${reason}`, {
    cause,
    evidence: { path },
  });
}
