import { readSync } from "node:fs";

/** In bytes. */
const smallBlockBytes = 16 * 1024;
/** What takes longer came from a disk, in ms. */
const slowMs = 0.5;
/** So many times as long as a slow read took, no other is tried. */
const restedTimes = 50;

export type SmallReadsParts = {
  /** In ms; default `performance.now`. */
  readonly now?: () => number;
  readonly read?: (fd: number, target: Uint8Array, position: number) => number;
};

/**
 * Reads of small blocks on this thread: a microsecond each where the bytes are in memory, and forty by the thread pool. After one that took
 * long all are left to the pool for a while, so that a cold disk holds up nobody for more than a small part of the time.
 */
export class SmallReads {
  readonly #now: () => number;
  readonly #read: NonNullable<SmallReadsParts["read"]>;
  #notBefore = 0;

  constructor({ now = () => performance.now(), read = readAt }: SmallReadsParts = {}) {
    this.#now = now;
    this.#read = read;
  }

  /** How many bytes were read into the start of the target; null where the pool is to do it. Throws what the system says. */
  read(fd: number, target: Uint8Array, position: number): number | null {
    if (target.length > smallBlockBytes) return null;
    const began = this.#now();
    if (began < this.#notBefore) return null;
    const count = this.#read(fd, target, position);
    const took = this.#now() - began;
    if (took > slowMs) this.#notBefore = began + took * restedTimes;
    return count;
  }
}

function readAt(fd: number, target: Uint8Array, position: number): number {
  return readSync(fd, target, 0, target.length, position);
}
