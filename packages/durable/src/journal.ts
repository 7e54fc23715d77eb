import { DurableError, fileError } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import { type OpenFile, openFile, readWhole, syncFolderOf } from "./files.ts";
import { decodeFrames, encodeFrame } from "./frame.ts";
import { replaceFile } from "./replace-file.ts";

/** The first bytes of every journal: seven letters and the version of the format. */
const header = new TextEncoder().encode("catjrnl\x01");

/** Appends that wait together are written at once up to this size. */
const maxBatchBytes = 8 * 1024 * 1024;

export type JournalOptions = {
  /** Largest record that is taken; default 16 MiB. */
  readonly maxRecordBytes?: number;
};

/**
 * A file of records that only grows, or is replaced as a whole. One process may have it open, once: claim its
 * folder first. It is read back whole, so keep it small by {@link Journal.compact}.
 *
 * Disposing it finishes what was asked for before, then closes the file.
 */
export type Journal = AsyncDisposable & {
  /** What is kept for good, in bytes, from which to tell when to compact. */
  readonly sizeBytes: number;
  /** Bytes that opening found torn or damaged at the end, and cut off. */
  readonly droppedBytes: number;
  /**
   * Resolves when the record survives a power cut. Records are kept in the order of the calls; those that wait
   * at the same time share one sync. Throws DurableError `disk_full` or `io_failed` (the record is then not in
   * the journal, which takes further ones), `record_too_large`, `journal_closed`, `journal_failed`.
   */
  append(record: Uint8Array): Promise<void>;
  /**
   * Replaces all that was appended before this call by these records, at once. After a crash either the old
   * ones are there or the new. Throws like `append`; the old ones then stay.
   */
  compact(records: Iterable<Uint8Array>): Promise<void>;
};

/** The records that a journal holds; a torn or damaged end is left out, and a missing file is an empty journal. */
export type JournalContent = { readonly records: readonly Uint8Array[]; readonly droppedBytes: number };

/** Reads a journal without changing it. Throws DurableError `journal_invalid` when the file is none. */
export async function readJournal(path: string): Promise<JournalContent> {
  const { records, droppedBytes } = scan(path, await readWhole(path));
  return { records, droppedBytes };
}

/**
 * Opens a journal to append, and makes it where there is none. What a crash left torn at the end is cut off:
 * none of it was acknowledged. Throws DurableError `journal_invalid` when the file is no journal.
 */
export async function openJournal(path: string, options: JournalOptions = {}): Promise<Journal> {
  const content = await readWhole(path);
  if (content === null) await replaceFile(path, header);
  const opened = await openEnd(path);
  return new FileJournal(path, opened, options.maxRecordBytes ?? 16 * 1024 * 1024);
}

type Opened = { readonly file: OpenFile; readonly end: number; readonly droppedBytes: number };

type Job = {
  readonly kind: "append" | "compact";
  readonly bytes: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
};

class FileJournal implements Journal {
  readonly #path: string;
  readonly #maxRecordBytes: number;
  readonly droppedBytes: number;
  #file: OpenFile;
  #end: number;
  #jobs: Job[] = [];
  #running: Promise<void> | null = null;
  #closed = false;
  #failed = false;

  constructor(path: string, opened: Opened, maxRecordBytes: number) {
    this.#path = path;
    this.#file = opened.file;
    this.#end = opened.end;
    this.droppedBytes = opened.droppedBytes;
    this.#maxRecordBytes = maxRecordBytes;
  }

  get sizeBytes(): number {
    return this.#end;
  }

  async append(record: Uint8Array): Promise<void> {
    return this.#enqueue("append", this.#frame(record));
  }

  async compact(records: Iterable<Uint8Array>): Promise<void> {
    const frames = Array.from(records, (record) => this.#frame(record));
    return this.#enqueue("compact", Buffer.concat([header, ...frames]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#running;
    await this.#file.close();
  }

  #frame(record: Uint8Array): Uint8Array {
    if (record.length > this.#maxRecordBytes) {
      throw this.#error("record_too_large", `a record of ${record.length} bytes is too large for`);
    }
    return encodeFrame(record);
  }

  #enqueue(kind: Job["kind"], bytes: Uint8Array): Promise<void> {
    if (this.#closed) throw this.#error("journal_closed", "nothing can be added any more to");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#jobs.push({ kind, bytes, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    await null; // lets the calls of one turn share a sync
    for (let batch = this.#takeBatch(); batch.length > 0; batch = this.#takeBatch()) {
      try {
        await this.#carryOut(batch);
        for (const job of batch) job.resolve();
      } catch (error) {
        for (const job of batch) job.reject(error);
      }
    }
    this.#running = null;
  }

  /** The appends up to the next compaction, or that alone. */
  #takeBatch(): Job[] {
    let bytes = 0;
    let count = 0;
    for (const job of this.#jobs) {
      if (count > 0 && (job.kind === "compact" || bytes + job.bytes.length > maxBatchBytes)) break;
      bytes += job.bytes.length;
      count += 1;
      if (job.kind === "compact") break;
    }
    return this.#jobs.splice(0, count);
  }

  async #carryOut(batch: readonly Job[]): Promise<void> {
    if (this.#failed) throw this.#error("journal_failed", "an earlier failure could not be undone in");
    const bytes = batch.map((job) => job.bytes);
    if (batch[0]?.kind === "compact") await this.#replace(Buffer.concat(bytes));
    else await this.#write(Buffer.concat(bytes));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      await failpoint("journal.append.before_write");
      await this.#file.write(bytes, this.#end);
      await failpoint("journal.append.before_fsync");
      await this.#file.sync();
      await failpoint("journal.append.after_fsync");
    } catch (error) {
      await this.#mend(() => cutOff(this.#file, this.#end));
      throw fileError("append to", this.#path, error);
    }
    this.#end += bytes.length;
  }

  async #replace(content: Uint8Array): Promise<void> {
    try {
      await failpoint("journal.compact.before_replace");
      await replaceFile(this.#path, content);
    } catch (error) {
      // Whichever of the two the name stands for now, what is appended next must not vanish with the other.
      await this.#mend(() => syncFolderOf(this.#path));
      await this.#mend(() => this.#reopen());
      throw fileError("compact", this.#path, error);
    }
    await this.#mend(() => this.#reopen());
  }

  async #reopen(): Promise<void> {
    const opened = await openEnd(this.#path);
    const before = this.#file;
    this.#file = opened.file;
    this.#end = opened.end;
    await before.close();
  }

  /** Brings file and memory into agreement again; nothing more is taken when that fails. */
  async #mend(mending: () => Promise<void>): Promise<void> {
    try {
      await mending();
    } catch {
      this.#failed = true;
    }
  }

  #error(code: "record_too_large" | "journal_closed" | "journal_failed", what: string): DurableError {
    return new DurableError(code, `${what} the journal ${this.#path}`, { evidence: { path: this.#path } });
  }
}

async function openEnd(path: string): Promise<Opened> {
  const { end, droppedBytes } = scan(path, await readWhole(path));
  const file = await openFile(path);
  try {
    if (droppedBytes > 0) await cutOff(file, end);
  } catch (error) {
    await file.close();
    throw fileError("mend", path, error);
  }
  return { file, end, droppedBytes };
}

async function cutOff(file: OpenFile, end: number): Promise<void> {
  await file.truncate(end);
  await failpoint("journal.truncate.before_fsync");
  await file.sync();
}

function scan(path: string, content: Uint8Array | null): JournalContent & { end: number } {
  if (content === null) return { records: [], droppedBytes: 0, end: 0 };
  if (Buffer.compare(content.subarray(0, header.length), header) !== 0) {
    throw new DurableError("journal_invalid", `${path} is not a journal of this format`, {
      evidence: { path },
    });
  }
  const { records, end } = decodeFrames(content, header.length);
  return { records, end, droppedBytes: content.length - end };
}
