import { DurableError, type DurableErrorCode } from "./errors.ts";

/** SQLite's primary result codes (sqlite.org/rescode.html) that we tell apart. */
const codes: Readonly<Record<number, DurableErrorCode>> = {
  5: "database_in_use",
  6: "database_in_use",
  8: "io_failed",
  10: "io_failed",
  11: "database_corrupt",
  13: "disk_full",
  14: "io_failed",
  19: "constraint_violated",
  26: "database_corrupt",
};

const ofCorrupt = "Restore it from a copy, or move it away to begin without what it held";

/** Whether SQLite refused because somebody else holds the file. */
export function isBusy(error: unknown): boolean {
  return codes[resultCode(error)] === "database_in_use";
}

/** An error of SQLite in the terms of this package; one that already is in them stays as it is. */
export function sqliteError(path: string, cause: unknown): DurableError {
  if (cause instanceof DurableError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = codes[resultCode(cause)] ?? "database_failed";
  const advice = code === "database_corrupt" ? `. ${ofCorrupt}` : "";
  return new DurableError(code, `${path}: ${reason}${advice}`, {
    cause,
    evidence: { path },
  });
}

/** The low byte of the extended result code; -1 when the error is not SQLite's. */
function resultCode(error: unknown): number {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === "number" ? errcode & 0xff : -1;
}
