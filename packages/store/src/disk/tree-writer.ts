import type { DurableFile } from "@catalyst/durable";
import { createTreeHasher, type HashedObject, type LeafSize } from "@catalyst/wire";
import { Appender } from "./appender.ts";

export type TreeWriterOptions = { readonly leafSize: LeafSize; readonly sha256: boolean };

/** Writes bytes to one file and the tree over them to another, in one pass. */
export class TreeWriter {
  readonly #data: Appender;
  readonly #outboard: Appender;
  readonly #hasher;
  #nodes: Buffer[] = [];

  constructor(
    files: { readonly data: DurableFile; readonly outboard: DurableFile },
    options: TreeWriterOptions,
  ) {
    this.#data = new Appender(files.data);
    this.#outboard = new Appender(files.outboard);
    this.#hasher = createTreeHasher({
      ...options,
      onNode: (digest) => this.#nodes.push(Buffer.from(digest)),
    });
  }

  /** Takes the next bytes, which are the caller's again when it resolves. */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#data.append(bytes);
    this.#hasher.update(bytes);
    await this.#appendNodes();
  }

  /** Resolves when the content of both files survives a power cut; their names are the caller's concern. */
  async finish(): Promise<HashedObject> {
    const hashed = this.#hasher.finish();
    await this.#appendNodes();
    await Promise.all([this.#data.finish(), this.#outboard.finish()]);
    return hashed;
  }

  /** Waits for what is being written, so that the files can be closed. */
  async settle(): Promise<void> {
    await this.#data.settle();
    await this.#outboard.settle();
  }

  async #appendNodes(): Promise<void> {
    if (this.#nodes.length === 0) return;
    const nodes = Buffer.concat(this.#nodes);
    this.#nodes = [];
    await this.#outboard.append(nodes);
  }
}
