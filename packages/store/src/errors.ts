import { DurableError } from "@catalyst/durable";
import type { Cid } from "@catalyst/wire";

/**
 * Why the store could not do what was asked. What a caller has to expect (an object that is not there, a quota that
 * is used up) is returned, not thrown.
 *
 * | code | what to do |
 * |---|---|
 * | `disk_full` | free space, lower a quota or collect garbage; what was stored before is unharmed, nothing is half there |
 * | `io_failed` | the message has the system's reason: check the disk and its permissions |
 * | `object_damaged` | bytes on the disk are not the object's: `evidence` names the leaves; repair the object |
 * | `object_removed` | the object was collected before it was read, or before a list went on after it: pin or link what is to stay, list from the start |
 * | `record_damaged` | a row of the database is not what was written: restore the database from a copy; nothing is collected before, and a new store gets placed objects back from their devices |
 * | `database_damaged` | SQLite finds its file damaged: restore it from a copy, or begin a new store, which gets placed objects back from their devices |
 * | `name_invalid` | a namespace, a name or a scope has 1 to 512 characters, none of them a control character or half a surrogate pair |
 * | `option_invalid` | a fault of the caller: the message names the option and its range |
 * | `manifest_invalid` | the object is no manifest of this format: name another object, or get it as it is |
 * | `chunk_missing` | a chunk that a manifest lists is not here: import the file again, or put the chunk that `evidence` names |
 * | `closed` | a fault of the caller: the store was closed |
 */
export type StoreErrorCode =
  | "disk_full"
  | "io_failed"
  | "object_damaged"
  | "object_removed"
  | "record_damaged"
  | "database_damaged"
  | "name_invalid"
  | "option_invalid"
  | "manifest_invalid"
  | "chunk_missing"
  | "closed";

/** What an error is about, as far as it is known. */
export type StoreEvidence = {
  readonly cid?: Cid;
  readonly path?: string;
  /** The leaves that are damaged, or below a part of the tree that is. */
  readonly firstLeaf?: number;
  readonly leaves?: number;
};

/** The one error of this package. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  readonly evidence: StoreEvidence;

  constructor(
    code: StoreErrorCode,
    message: string,
    options: ErrorOptions & { evidence?: StoreEvidence } = {},
  ) {
    super(message, options);
    this.code = code;
    this.evidence = options.evidence ?? {};
  }
}

const ofFull =
  "Free space on the disk, or unpin and unlink objects and collect garbage: what was stored is unharmed";

/** A failure of what the store stands on, in the terms of this package; what is a caller's own stays as it is. */
function storeError(cause: unknown): unknown {
  if (!(cause instanceof DurableError)) return cause;
  const { path } = cause.evidence;
  const code = cause.code === "disk_full" ? cause.code : codeOf(cause);
  const message = code === "disk_full" ? `${cause.message}. ${ofFull}` : cause.message;
  return new StoreError(code, message, { cause, evidence: path === undefined ? {} : { path } });
}

/** Runs something, and translates what it fails with. */
export async function inStoreTerms<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw storeError(error);
  }
}

function codeOf(cause: DurableError): StoreErrorCode {
  return cause.code === "database_corrupt" || cause.code === "database_failed"
    ? "database_damaged"
    : "io_failed";
}
