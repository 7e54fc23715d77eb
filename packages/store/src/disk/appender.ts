import type { DurableFile } from "@catalyst/durable";

const blockBytes = 256 * 1024;

/**
 * Writes a file from its start to its end: one block is filled while the one before is written. A failure is told by
 * whatever is called next.
 */
export class Appender {
  readonly #file: DurableFile;
  #filling = Buffer.allocUnsafe(blockBytes);
  #spare = Buffer.allocUnsafe(blockBytes);
  #filled = 0;
  #position = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(file: DurableFile) {
    this.#file = file;
  }

  /** Takes bytes, which are the caller's again when it resolves. */
  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + blockBytes - this.#filled);
      this.#filling.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === blockBytes) await this.#flush();
    }
  }

  /** Writes what is left, and makes all of it durable. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#writing;
    await this.#file.sync();
  }

  /** Waits for what is being written, so that the file can be closed. */
  async settle(): Promise<void> {
    await this.#writing.catch(() => {}); // told already, or of no interest any more
  }

  async #flush(): Promise<void> {
    await this.#writing;
    const block = this.#filling;
    const length = this.#filled;
    [this.#filling, this.#spare] = [this.#spare, block];
    this.#filled = 0;
    if (length === 0) return;
    this.#writing = this.#file.write(block.subarray(0, length), this.#position);
    this.#writing.catch(() => {}); // whoever calls next is told
    this.#position += length;
  }
}
