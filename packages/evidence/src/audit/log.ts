import { hash } from "node:crypto";
import { basename } from "node:path";
import { claimFolder, type Journal, openJournal, replaceFile } from "@catalyst/durable";
import { EvidenceError } from "../errors.ts";
import {
  type AuditEvent,
  type AuditHead,
  chainEntry,
  digestOfEntry,
  emptyHead,
  followEntry,
} from "./entry.ts";
import { noteHead, readHeadNote } from "./head-note.ts";
import { readSegment, readWhole, type Segment, segmentAt, segmentsOf } from "./segment.ts";

export type AuditLogOptions = {
  /** Milliseconds since 1970. Default: the system's clock. */
  readonly now?: () => number;
  /** Size at which the log goes on in another file. Default 8 MiB. */
  readonly maxSegmentBytes?: number;
};

/** The one writer of a log. Disposing it finishes what was asked for, and notes the head. */
export type AuditLog = AsyncDisposable & {
  /** Where the log ends, as far as it is on disk. */
  readonly head: AuditHead;
  /**
   * Resolves with the head once the entry survives a power cut; entries that wait together share one sync. Throws
   * {@link EvidenceError} `schema_mismatch`, or `audit_failed`: the entry is then not in the log.
   */
  append(event: AuditEvent): Promise<AuditHead>;
};

/**
 * Opens a log to write it, and begins one in an empty folder, which must exist. Torn or damaged bytes at its end are
 * set aside in a copy of the file, and an entry says so. Throws {@link EvidenceError} `audit_in_use`, or `audit_changed`
 * or `audit_gap` when the last file does not hold together.
 *
 * @example
 * await using log = await openAuditLog("/var/lib/catalyst/audit");
 * await log.append({ action: { actor: "alice", action: "service.add", target: "products", outcome: "done" } });
 */
export async function openAuditLog(folder: string, options: AuditLogOptions = {}): Promise<AuditLog> {
  const { now = Date.now, maxSegmentBytes = 8 * 1024 * 1024 } = options;
  const claimed = claimFolder(folder, { role: "audit" });
  if (claimed.kind === "taken") {
    const owner = claimed.ownerPid === null ? "another process" : `process ${claimed.ownerPid}`;
    throw new EvidenceError("audit_in_use", `${owner} writes ${folder}`, { evidence: { path: folder } });
  }
  try {
    const segment = (await segmentsOf(folder)).at(-1) ?? segmentAt(folder, 1);
    const { head, event } = await recover(segment, await startOf(folder, segment), now);
    const journal = await openJournal(segment.path);
    const log = new JournalLog(folder, journal, head, { now, maxSegmentBytes, claim: claimed.claim });
    if (event !== null) await log.append(event);
    return log;
  } catch (error) {
    claimed.claim[Symbol.dispose]();
    throw error;
  }
}

/** The head before the first entry of the last file: that of the file before it, of which no byte is changed. */
async function startOf(folder: string, { firstSeq }: Segment): Promise<AuditHead> {
  if (firstSeq === 1) return emptyHead;
  const before = (await segmentsOf(folder)).at(-2);
  const note = await readHeadNote(folder);
  if (note !== null && note.seq === firstSeq - 1) return note;
  if (before === undefined) throw new EvidenceError("audit_gap", `entries before ${firstSeq} are missing`);
  const last = (await readSegment(before)).records.at(-1);
  if (last === undefined) throw new EvidenceError("audit_gap", `entries before ${firstSeq} are missing`);
  return { seq: firstSeq - 1, digest: digestOfEntry(last) };
}

/** Follows the last file to its end; sets aside a copy of it when there is more in it than entries. */
async function recover(
  segment: Segment,
  start: AuditHead,
  now: () => number,
): Promise<{ head: AuditHead; event: AuditEvent | null }> {
  const { records, droppedBytes } = await readSegment(segment);
  let head = start;
  for (const bytes of records) head = followEntry(head, bytes).head;
  if (droppedBytes === 0) return { head, event: null };
  const content = await readWhole(segment);
  const copy = `${segment.path}.damaged-${now()}`;
  await replaceFile(copy, content);
  const digest = new Uint8Array(hash("sha256", content, "buffer"));
  return { head, event: { recovery: { file: basename(copy), bytes: droppedBytes, digest } } };
}

type Waiting = {
  readonly event: AuditEvent;
  readonly resolve: (head: AuditHead) => void;
  readonly reject: (error: unknown) => void;
};

type Setting = Required<AuditLogOptions> & { readonly claim: Disposable };

/** Entries that are written together: far below what a journal writes in one piece, so that all are kept, or none. */
const maxBatch = 256;

class JournalLog implements AuditLog {
  readonly #folder: string;
  readonly #setting: Setting;
  #journal: Journal;
  #head: AuditHead;
  #waiting: Waiting[] = [];
  #running: Promise<void> | null = null;
  #closed = false;

  constructor(folder: string, journal: Journal, head: AuditHead, setting: Setting) {
    this.#folder = folder;
    this.#journal = journal;
    this.#head = head;
    this.#setting = setting;
  }

  get head(): AuditHead {
    return this.#head;
  }

  append(event: AuditEvent): Promise<AuditHead> {
    if (this.#closed) return Promise.reject(new EvidenceError("audit_failed", "the log is closed"));
    const { promise, resolve, reject } = Promise.withResolvers<AuditHead>();
    this.#waiting.push({ event, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#running;
    try {
      await this.#journal[Symbol.asyncDispose]();
      await noteHead(this.#folder, this.#head);
    } finally {
      this.#setting.claim[Symbol.dispose]();
    }
  }

  async #run(): Promise<void> {
    await null; // lets the calls of one turn share a sync
    while (this.#waiting.length > 0) await this.#write(this.#waiting.splice(0, maxBatch));
    this.#running = null;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    let { head } = this;
    const chained: { bytes: Uint8Array; head: AuditHead; waiting: Waiting }[] = [];
    for (const waiting of batch) {
      try {
        const next = chainEntry(head, this.#setting.now(), waiting.event);
        chained.push({ ...next, waiting });
        head = next.head;
      } catch (error) {
        waiting.reject(error);
      }
    }
    try {
      if (this.#journal.sizeBytes >= this.#setting.maxSegmentBytes) await this.#goOn();
      await Promise.all(chained.map(({ bytes }) => this.#journal.append(bytes)));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const error = new EvidenceError("audit_failed", `the entry was not written: ${reason}`, { cause });
      for (const { waiting } of chained) waiting.reject(error);
      return;
    }
    this.#head = head;
    for (const { waiting, head } of chained) waiting.resolve(head);
  }

  /** Begins another file. Its name says which entry is its first; until there is one, it may be begun again. */
  async #goOn(): Promise<void> {
    await noteHead(this.#folder, this.#head);
    const next = await openJournal(segmentAt(this.#folder, this.#head.seq + 1).path);
    await this.#journal[Symbol.asyncDispose]();
    this.#journal = next;
  }
}
