import { hash } from "node:crypto";
import type { DurableFile } from "@catalyst/durable";
import { StarError } from "../errors.ts";
import type { Block, BlockPool } from "./block-pool.ts";
import type { Digest, Digester } from "./digester.ts";
import { decodeLog, encodeHeader, encodeRecord, type PartHeader, type PartLog } from "./part-log.ts";
import { addRange, endFrom, type RangeSet } from "./ranges.ts";
import type { FileTraits, TargetDisk } from "./target-disk.ts";

export type PartPlace = {
  readonly folder: string;
  readonly name: string;
  /** What tells the folder from others. */
  readonly key: string;
};

export type PartParts = {
  readonly disk: TargetDisk;
  readonly digester: Digester;
  readonly syncFolder: (place: PartPlace) => Promise<void>;
};

/** After so many bytes a sync begins, so that the last one has little left to do. */
const syncEvery = 64 * 1024 * 1024;

/**
 * A file on its way: it is written beside its final name, with a log of what is there, and takes that name when it is whole.
 * SHA-256 follows the bytes that are contiguous from the start; those that came before their turn are read again.
 */
export class Part {
  readonly #parts: PartParts;
  readonly #place: PartPlace;
  readonly #traits: FileTraits;
  readonly #path: string;
  readonly #logPath: string;
  #header: PartHeader | null = null;
  #file: DurableFile | null = null;
  /** Of the file that stands under the part's name when it is opened. */
  #identity = "";
  #log: DurableFile | null = null;
  #logEnd = 0;
  /** Names of ours that may stand in the folder. */
  #names: readonly string[] = [];
  #opening: Promise<void> | null = null;
  #digest: Digest | null = null;
  #written: RangeSet = [];
  /** How far SHA-256 has come. */
  #hashed = 0;
  #following: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;
  /** When the write before has ended. */
  #turn: Promise<void> = Promise.resolve();
  #unsynced = 0;
  #syncing: Promise<void> | null = null;
  /** Of a file that came at once. */
  #checksum: string | null = null;

  constructor(parts: PartParts, place: PartPlace, traits: FileTraits) {
    this.#parts = parts;
    this.#place = place;
    this.#traits = traits;
    const name = `${place.folder}/.orbit-${hash("sha256", place.name).slice(0, 16)}`;
    this.#path = `${name}.part`;
    this.#logPath = `${name}.log`;
  }

  /** What the bytes are of that are here; null where nothing binds them. */
  get header(): PartHeader | null {
    return this.#header;
  }

  /** Takes up what an earlier attempt left, where that fits, and returns which ranges are really there. */
  async recover(fits: (header: PartHeader) => boolean): Promise<RangeSet> {
    const { disk } = this.#parts;
    this.#log = await disk.reopen(this.#logPath);
    if (this.#log !== null) this.#names = [this.#path, this.#logPath];
    this.#file = this.#log === null ? null : await disk.reopen(this.#path);
    const log = this.#log === null || this.#file === null ? null : await this.#readLog(this.#log);
    if (log === null || !fits(log.header)) {
      await this.discard();
      return [];
    }
    this.#identity = await disk.identityOf(this.#path);
    this.#header = log.header;
    this.#logEnd = log.end;
    // After a power cut the log may be a later attempt's than the part, of a shorter file.
    const { sizeBytes = 0 } = (await disk.files.stat(this.#path)) ?? {};
    if (sizeBytes > log.header.size) await this.#file?.truncate(log.header.size);
    await this.#verify(log);
    return this.#written;
  }

  /** Begins anew, with nothing; `header` null where nothing will bind the bytes. */
  async begin(header: PartHeader | null): Promise<void> {
    if (this.#names.length > 0) await this.discard();
    this.#header = header;
  }

  /** Where bytes for `write` are gathered. */
  get pool(): BlockPool {
    return this.#parts.digester.pool;
  }

  /** Writes a file whole that is small, without a log, and hashes it here and now. */
  async writeAll(bytes: Uint8Array): Promise<void> {
    this.#header = null;
    this.#file = await this.#createPart();
    if (bytes.length > 0) await this.#file.write(bytes, 0);
    this.#checksum = hash("sha256", bytes);
  }

  /** Writes the first bytes of a block at their place. */
  async write(from: number, block: Block, length: number): Promise<void> {
    this.#opening ??= this.#open();
    await this.#opening;
    await this.#writeBlock(block, from, length);
  }

  /** The SHA-256 of all `size` bytes, 64 hexadecimal digits, once all are written. */
  async checksum(size: number): Promise<string> {
    if (this.#checksum !== null) return this.#checksum;
    if (size === 0) await this.writeAll(new Uint8Array(0));
    else {
      await this.#follow();
      if (this.#hashed !== size)
        throw new StarError("content_mismatch", `${this.#hashed} of ${size} bytes are here`);
      this.#checksum = (await this.#digest?.finish()) ?? "";
      this.#digest = null;
    }
    return await this.checksum(size);
  }

  /**
   * Gives the file its final name: it is there, and survives a power cut, when this has resolved. Throws StarError `path_in_use` where
   * another star writes here too, and put its own part in this one's place.
   */
  async install(): Promise<void> {
    const { files, finish, identityOf } = this.#parts.disk;
    await finish(this.#path, this.#traits);
    await this.#syncing;
    if (this.#failure !== null) throw this.#failure.error;
    await this.#file?.sync();
    await this.#close();
    if ((await identityOf(this.#path).catch(() => null)) !== this.#identity)
      throw new StarError("path_in_use", `${this.#place.name}: another star writes this file`);
    await files.rename(this.#path, `${this.#place.folder}/${this.#place.name}`);
    await this.#parts.syncFolder(this.#place);
    if (this.#names.includes(this.#logPath)) await files.remove(this.#logPath);
    this.#names = [];
  }

  /** Leaves the part for a later attempt, or nothing where none could use it. */
  async leave(): Promise<void> {
    await this.#following;
    if (this.#header === null || this.#written.length === 0) return await this.discard();
    await this.#close();
  }

  /** Leaves nothing. */
  async discard(): Promise<void> {
    const { files } = this.#parts.disk;
    await this.#following;
    await this.#close();
    this.#opening = null;
    this.#header = null;
    this.#written = [];
    this.#hashed = 0;
    this.#logEnd = 0;
    this.#checksum = null;
    this.#failure = null;
    this.#unsynced = 0;
    this.#syncing = null;
    for (const name of this.#names) await files.remove(name);
    this.#names = [];
  }

  async #close(): Promise<void> {
    const [file, log, digest] = [this.#file, this.#log, this.#digest];
    this.#file = null;
    this.#log = null;
    this.#digest = null;
    await digest?.drop();
    await file?.close();
    await log?.close();
  }

  async #open(): Promise<void> {
    this.#digest ??= this.#parts.digester.begin();
    if (this.#file !== null) return;
    this.#file = await this.#createPart();
    if (this.#header === null) return;
    const header = encodeHeader(this.#header);
    this.#log = await this.#create(this.#logPath);
    this.#logEnd = header.length;
    await this.#log.write(header, 0);
  }

  async #createPart(): Promise<DurableFile> {
    const file = await this.#create(this.#path);
    this.#identity = await this.#parts.disk.identityOf(this.#path);
    return file;
  }

  /** What has the name already is of an attempt that nobody takes up, and its log goes with it. */
  async #create(path: string): Promise<DurableFile> {
    const { disk } = this.#parts;
    this.#names = [...this.#names, path];
    return await disk.create(path, this.#traits).catch(async () => {
      for (const name of [this.#logPath, path]) await disk.files.remove(name);
      return await disk.create(path, this.#traits);
    });
  }

  async #writeBlock(block: Block, from: number, length: number): Promise<void> {
    const [file, digest] = [this.#file, this.#digest];
    if (file === null || digest === null) throw new StarError("cancelled", "the part is closed");
    const isNext = from === this.#hashed;
    if (isNext) this.#hashed += length;
    const crc = await digest.add(block, length, isNext);
    // Before the bytes: those that are written when the process is killed are all told of, and their CRC shows those that are not.
    if (this.#log !== null) {
      const record = encodeRecord({ from, length, crc });
      const at = this.#logEnd;
      this.#logEnd += record.length;
      await this.#log.write(record, at);
    }
    await this.#writeInTurn(file, block.subarray(0, length), from);
    this.#written = addRange(this.#written, { from, to: from + length });
    this.#unsynced += length;
    if (this.#unsynced >= syncEvery && this.#syncing === null) this.#startSyncing(file);
    if (this.#following === null && endFrom(this.#written, this.#hashed) > this.#hashed)
      this.#startFollowing();
  }

  /** One after the other: writes to one file wait for each other in the system, and use the processor while they do. */
  async #writeInTurn(file: DurableFile, bytes: Uint8Array, from: number): Promise<void> {
    const writing = this.#turn.then(() => file.write(bytes, from));
    this.#turn = writing.catch(() => undefined);
    await writing;
  }

  #startSyncing(file: DurableFile): void {
    this.#unsynced = 0;
    this.#syncing = file.sync().then(
      () => {
        this.#syncing = null;
      },
      // What a sync could not write a later one says nothing of.
      (error: unknown) => {
        this.#failure ??= { error };
      },
    );
  }

  #startFollowing(): void {
    const end = () => {
      this.#following = null;
    };
    this.#following = this.#readOn().then(end, (error: unknown) => {
      end();
      this.#failure ??= { error };
    });
  }

  async #follow(): Promise<void> {
    while (this.#following !== null) await this.#following;
    await this.#readOn();
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** Hashes what has become contiguous and came before its turn. */
  async #readOn(): Promise<void> {
    const { pool } = this.#parts.digester;
    for (;;) {
      const to = endFrom(this.#written, this.#hashed);
      if (to === this.#hashed || this.#digest === null || this.#file === null) return;
      const block = pool.take();
      try {
        const from = this.#hashed;
        const length = Math.min(block.length, to - from);
        const read = await this.#file.read(block.subarray(0, length), from);
        if (read !== length)
          throw new StarError("disk_failed", "the part became shorter while it was written");
        this.#hashed += length;
        await this.#digest.add(block, length, true);
      } finally {
        pool.give(block);
      }
    }
  }

  async #readLog(log: DurableFile): Promise<PartLog | null> {
    const size = (await this.#parts.disk.files.stat(this.#logPath))?.sizeBytes ?? 0;
    const bytes = new Uint8Array(size);
    return decodeLog(bytes.subarray(0, await log.read(bytes, 0)));
  }

  /** Reads each range that the log tells of, and keeps it where its bytes are those that were written. */
  async #verify({ records }: PartLog): Promise<void> {
    const { digester } = this.#parts;
    const [file, digest] = [this.#file, digester.begin()];
    this.#digest = digest;
    if (file === null) return;
    let kept = 0;
    for (const { from, length, crc } of [...records].sort((one, other) => one.from - other.from)) {
      if (from < kept || length > digester.pool.blockBytes) continue;
      const block = digester.pool.take(true);
      try {
        const isNext = from === this.#hashed;
        const read = await file.read(block.subarray(0, length), from);
        if (read !== length || (await digest.add(block, length, isNext, crc)) !== crc) continue;
        if (isNext) this.#hashed += length;
        this.#written = addRange(this.#written, { from, to: from + length });
        kept = from + length;
      } finally {
        digester.pool.give(block);
      }
    }
  }
}
