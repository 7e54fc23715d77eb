import { randomFillSync } from "node:crypto";
import type { FileSystem } from "@catalyst/durable";

/** Enough for the log of what a round of collecting garbage changes between two checkpoints. */
export const defaultReserveBytes = 8 * 1024 * 1024;

const blockBytes = 1024 * 1024;

/**
 * Space that a full disk leaves to the database, which has to write before anything can be removed. It is taken before
 * something is stored, and given up when a change finds no room; until it can be taken again nothing more is stored.
 */
export class Reserve {
  readonly #files: FileSystem;
  readonly #path: string;
  readonly #bytes: number;
  #taking: Promise<void> | null = null;
  #isHeld = false;

  constructor(files: FileSystem, folder: string, bytes: number) {
    this.#files = files;
    this.#path = `${folder}/reserve`;
    this.#bytes = bytes;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Finds what was taken before the store was opened: on a disk that is full already, it is all that there is. */
  async find(): Promise<void> {
    const found = await this.#files.stat(this.#path);
    this.#isHeld = found?.sizeBytes === this.#bytes;
  }

  /** Throws DurableError `disk_full` when there is no room for it. */
  take(): Promise<void> {
    this.#taking ??= this.#take().finally(() => {
      this.#taking = null;
    });
    return this.#taking;
  }

  async giveUp(): Promise<void> {
    this.#isHeld = false;
    await this.#files.remove(this.#path);
  }

  async #take(): Promise<void> {
    const found = await this.#files.stat(this.#path);
    if ((found?.sizeBytes ?? 0) !== this.#bytes) await this.#fill();
    this.#isHeld = true;
  }

  async #fill(): Promise<void> {
    await this.#files.remove(this.#path);
    const file = await this.#files.open(this.#path, "create");
    const block = randomFillSync(Buffer.alloc(Math.min(blockBytes, this.#bytes))); // what a file system can't shrink
    try {
      for (let at = 0; at < this.#bytes; at += block.length) {
        await file.write(block.subarray(0, this.#bytes - at), at);
      }
      await file.sync();
    } catch (error) {
      await this.#files.remove(this.#path);
      throw error;
    } finally {
      await file.close();
    }
  }
}
