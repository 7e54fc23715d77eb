import { StarError } from "../errors.ts";

const longest = 4 * 1024 * 1024 + 1024;

/** A message that is held whole. Its bytes are copied: a piece of one byte holds memory of hundreds, and of all that came beside it. */
export class Gathered {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Throws StarError `source_refused` where it is over 4 MiB. */
  push(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (length > longest) throw new StarError("source_refused", "a message is too long");
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(longest, Math.max(length, 2 * this.#bytes.length)));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    piece.copy(this.#bytes, this.#length);
    this.#length = length;
  }

  /** All of it; then another one begins. */
  take(): Buffer {
    const whole = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
    return whole;
  }
}
