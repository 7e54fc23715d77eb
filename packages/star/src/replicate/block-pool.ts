/** A piece of memory that every thread sees. */
export type Block = Uint8Array<SharedArrayBuffer>;

/** While so many blocks or more are taken, whoever needs one gets a small one: of many transfers none goes ahead of the others. */
const mostLarge = 8;
/** How many small blocks a large one would be. */
const smallShare = 8;
const mostKept = 256;

/**
 * The memory through which bytes go from a source to the disk and the thread that hashes: blocks that are used again. A transfer
 * has four for each of its sources, one that fills and three that are written, and two where it gets small ones. That bounds it, and
 * holds fast sources back.
 */
export class BlockPool {
  /** Of a large block; a small one has an eighth. */
  readonly blockBytes: number;
  readonly #large: Block[] = [];
  readonly #small: Block[] = [];
  #taken = 0;

  constructor(blockBytes = 512 * 1024) {
    this.blockBytes = blockBytes;
  }

  /** A block: a large one where it is wanted, or where few are taken. */
  take(isLarge: boolean = this.#taken < mostLarge): Block {
    this.#taken += 1;
    if (!isLarge)
      return this.#small.pop() ?? new Uint8Array(new SharedArrayBuffer(this.blockBytes / smallShare));
    return this.#large.pop() ?? new Uint8Array(new SharedArrayBuffer(this.blockBytes));
  }

  give(block: Block): void {
    this.#taken -= 1;
    const isLarge = block.length === this.blockBytes;
    const free = isLarge ? this.#large : this.#small;
    if (free.length < (isLarge ? mostLarge : mostKept)) free.push(block);
  }
}
