import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DurableError, type JournalContent, readJournal } from "@catalyst/durable";
import { EvidenceError } from "../errors.ts";

// A log is a row of journals, each named by the number of its first entry, and a note of where it ended.

const pattern = /^audit-(\d{16})\.log$/;

/** One file of a log. */
export type Segment = { readonly path: string; readonly firstSeq: number };

export function segmentAt(folder: string, firstSeq: number): Segment {
  return { path: join(folder, `audit-${String(firstSeq).padStart(16, "0")}.log`), firstSeq };
}

/** The files of the log, in the order of their entries. Throws {@link EvidenceError} `audit_failed`. */
export async function segmentsOf(folder: string): Promise<readonly Segment[]> {
  let names: readonly string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EvidenceError("audit_failed", `cannot read ${folder}: ${reason}`, {
      cause,
      evidence: { path: folder },
    });
  }
  return names
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .sort()
    .map((digits) => segmentAt(folder, Number(digits)));
}

/** The entries of a file. Throws {@link EvidenceError} `audit_damaged` when it is none of ours. */
export async function readSegment({ path }: Segment): Promise<JournalContent> {
  try {
    return await readJournal(path);
  } catch (cause) {
    if (!(cause instanceof DurableError) || cause.code !== "journal_invalid") throw cause;
    throw new EvidenceError("audit_damaged", cause.message, { cause, evidence: { path } });
  }
}

/** The bytes of a file as they are. */
export async function readWhole({ path }: Segment): Promise<Uint8Array> {
  return readFile(path);
}
